import { type Amount, minus, nothing, plus, sameAmount } from '../amount.js'
import { HooshError } from '../errors.js'
import { roomOf, wholeAmount } from './grant.js'
import type { Credit, Draw, NewCredit, PoolState } from './store.js'

const UNITS = ['tokens', 'nanoUsd'] as const

/** Credits that a pool may have live: each step that holds in it looks at all of them. */
const MAX_LIVE = 100

/** As the largest cap, so that a pool's figures stay safe integers. */
const MAX_SUM = 2 ** 52

/** Of a pool that has none: nearly all of them. */
export const NO_CREDITS: readonly Credit[] = Object.freeze([])

/** Of a hold that its pool's window pays for alone: nearly all of them. */
export const NO_DRAWS: readonly Draw[] = Object.freeze([])

/** Those that can be spent at a moment, in the order they are: what expires soonest first. */
export function liveCredits(credits: Iterable<Credit>, at: number): readonly Credit[] {
  const live = [...credits].filter(({ left, expiresAt }) => !sameAmount(left, nothing) && !isOver(expiresAt, at))
  return live.length === 0 ? NO_CREDITS : live.sort(bySoonest)
}

/** Whether a credit has expired. */
export function isOver(expiresAt: number | null, at: number): boolean {
  return expiresAt !== null && expiresAt <= at
}

/**
 * What a hold of an amount that was granted takes from the pool's credits. What expires soonest pays first, the window's own
 * allowance among the credits by its end; a unit that the pool does not cap takes none.
 *
 * @param state before the hold
 */
export function drawsOf(amount: Amount, state: PoolState): readonly Draw[] {
  const { credits, terms, windowEnd } = state
  if (credits.length === 0) return NO_DRAWS
  const taken = credits.map(({ id, expiresAt }) => ({ credit: id, expiresAt, tokens: 0, nanoUsd: 0 }))
  const window = windowPlace(credits, windowEnd)
  for (const unit of UNITS) {
    if (terms.capacity[unit] === undefined) continue
    let need = amount[unit]
    for (const [place, { left }] of credits.entries()) {
      if (place === window) need -= Math.min(need, Math.max(0, roomOf(state, unit)))
      taken[place]![unit] = Math.min(need, left[unit])
      need -= taken[place]![unit]
    }
  }
  return withoutEmpty(taken)
}

/**
 * What stays drawn of a reservation in one pool when what it stands for falls `from` an amount `to` a smaller one. What
 * lasts longest is given back first.
 *
 * @returns what stays, and what its credits get back; null where nothing changes
 */
export function undrawn(
  draws: readonly Draw[],
  from: Amount,
  to: Amount,
  windowEnd: number | null,
): { readonly kept: readonly Draw[]; readonly back: readonly Draw[] } | null {
  if (draws.length === 0) return null
  const kept = draws.map((draw) => ({ ...draw }))
  const window = windowPlace(draws, windowEnd)
  for (const unit of UNITS) {
    const own = from[unit] - draws.reduce((sum, draw) => sum + draw[unit], 0)
    let spent = to[unit]
    for (const [place, draw] of kept.entries()) {
      if (place === window) spent -= Math.min(spent, own)
      draw[unit] = Math.min(spent, draw[unit])
      spent -= draw[unit]
    }
  }
  const back = withoutEmpty(
    draws.map((draw, place) => ({
      ...draw,
      tokens: draw.tokens - kept[place]!.tokens,
      nanoUsd: draw.nanoUsd - kept[place]!.nanoUsd,
    })),
  )
  return back.length === 0 ? null : { kept: withoutEmpty(kept), back }
}

/** Two draws of one reservation in one pool, as one. */
export function mergedDraws(first: readonly Draw[], second: readonly Draw[]): readonly Draw[] {
  if (first.length === 0) return second
  const merged = new Map(first.map((draw) => [draw.credit, draw]))
  for (const draw of second) merged.set(draw.credit, { ...draw, ...plus(draw, merged.get(draw.credit) ?? nothing) })
  return [...merged.values()].sort((a, b) => bySoonest({ ...a, id: a.credit }, { ...b, id: b.credit }))
}

/** What draws come to. */
export function drawnBy(draws: readonly Draw[]): Amount {
  return draws.reduce<Amount>((sum, draw) => plus(sum, draw), nothing)
}

/**
 * A pool as it stands once an overdue hold in it was charged so much. One of another window of the pool changes what its credits
 * have left, and nothing else.
 *
 * @param late what it holds; its draws on credits of this pool, null where there are none; its window when it was held
 */
export function ended(
  state: PoolState,
  late: Pick<PoolState, 'windowStart' | 'windowEnd'> & {
    readonly held: Amount
    readonly draws: readonly Draw[] | null
  },
  charged: Amount,
  at: number,
): PoolState {
  const { held, draws, windowStart, windowEnd } = late
  const isOfWindow = windowStart === state.windowStart
  const after = isOfWindow ? { ...state, used: plus(state.used, charged), held: minus(state.held, held) } : state
  const change = draws === null ? null : undrawn(draws, held, charged, windowEnd)
  if (change === null) return after
  const credits = new Map(state.credits.map((credit) => [credit.id, credit]))
  for (const draw of change.back) {
    const { credit: id, expiresAt } = draw
    const known = credits.get(id) ?? { id, amount: nothing, left: nothing, expiresAt, note: null }
    credits.set(id, { ...known, left: plus(known.left, draw) })
  }
  const drawn = isOfWindow ? minus(state.drawn, drawnBy(change.back)) : state.drawn
  return { ...after, drawn, credits: liveCredits(credits.values(), at) }
}

/**
 * Lets a credit through that is new, or that repeats a known one.
 *
 * @param known the credit of this id, whatever became of it
 * @param live those of the pool that can be spent
 * @returns whether it repeats one
 * @throws HooshError `entry_conflict` (the id stands for another credit), `invalid_request` (no whole amount or nothing, over
 *   already, too many or too much at once)
 */
export function checkCredit(
  credit: NewCredit,
  known: Omit<Credit, 'left'> | undefined,
  live: readonly Credit[],
  at: number,
): boolean {
  const { id, expiresAt, note } = credit
  const amount = wholeAmount(credit.amount)
  if (known !== undefined) {
    if (sameAmount(known.amount, amount) && known.expiresAt === expiresAt && known.note === note) return true
    const message = `The credit "${id}" was given with another amount, expiry or note: repeat it with the same, or give another credit an id of its own.`
    throw new HooshError('entry_conflict', { message, details: { param: 'id', retryable: false } })
  }
  if (sameAmount(amount, nothing)) throw fault('tokens', 'A credit is of tokens, of money, or of both.')
  if (isOver(expiresAt, at)) throw fault('expires_at', 'A credit must expire in the future.')
  if (live.length >= MAX_LIVE) throw fault('id', `A pool has at most ${MAX_LIVE} credits at a time.`)
  for (const unit of UNITS) {
    const sum = live.reduce((all, { left }) => all + left[unit], amount[unit])
    if (sum > MAX_SUM) throw fault(unit, `The credits of a pool come to at most 2^52 in ${unit}.`)
  }
  return false
}

function fault(param: string, message: string): HooshError {
  return new HooshError('invalid_request', { message, details: { param } })
}

/** Before which of its credits, in their order, the window's own allowance pays: those that last as long come after it. */
function windowPlace(credits: readonly { readonly expiresAt: number | null }[], windowEnd: number | null): number {
  const place = credits.findIndex(
    ({ expiresAt }) => expiresAt === null || (windowEnd !== null && expiresAt >= windowEnd),
  )
  return place === -1 ? credits.length : place
}

function bySoonest(
  a: { readonly id: string; readonly expiresAt: number | null },
  b: { readonly id: string; readonly expiresAt: number | null },
): number {
  const [first, second] = [a.expiresAt ?? Number.POSITIVE_INFINITY, b.expiresAt ?? Number.POSITIVE_INFINITY]
  if (first !== second) return first < second ? -1 : 1
  return a.id < b.id ? -1 : 1
}

function withoutEmpty(draws: readonly Draw[]): readonly Draw[] {
  const drawing = draws.filter((draw) => !sameAmount(draw, nothing))
  return drawing.length === 0 ? NO_DRAWS : drawing
}
