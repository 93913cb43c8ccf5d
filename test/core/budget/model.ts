import type { Amount, Ask, ExpirePolicy, PoolTerms, ReserveRequest } from '@hoosh/core/storage'
import { above, each, equal, minus, none, plus, units } from './model-amounts.js'
import { type Credit, drawnIn, fund, live, type Portion, spend } from './model-credits.js'

/**
 * The ledger by its definition: only what was reserved and what was posted is kept, and every figure is a sum over that.
 * Written from docs/budgets.md and the docstrings of `BudgetStore`, so that it shares no thought with any store.
 */
export interface Model {
  now: number
  overrides: Map<string, PoolTerms>
  /** What the host said of a pool when it was last held in. */
  templates: Map<string, PoolTerms>
  reservations: Map<string, Reserved>
  entries: Posted[]
  credits: Credit[]
  /** When a window ends that was held in, by pool and start, as its terms last said. */
  ends: Map<string, number | null>
}

/** `windows`: pool to the start of the window that it was held in. */
export interface Reserved extends Pick<ReserveRequest, 'id' | 'owner' | 'phase'> {
  windows: Map<string, number>
  held: Amount
  counted: Amount
  firstOutput: number
  leaseUntil: number
  state: 'held' | 'settled' | 'released' | 'expired'
  charged: Amount
  corrected: Amount | null
  /** What credits pay of it, by pool: of what it holds, or was charged less what was refunded. */
  funds: Map<string, Portion[]>
  refunds: { id: string; amount: Amount; note: string | null }[]
}

export interface Posted {
  reservation: string | null
  pool: string
  start: number | null
  kind: 'settled' | 'released' | 'expired' | 'correction' | 'refund' | 'credit' | 'credit_expired'
  amount: Amount
  overrun: Amount
  reference: string | null
  note: string | null
}

type Refusal = { refused: string }
export const refuse = (refused: string): Refusal => ({ refused })
const SIZE = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 }
const MONDAY = Date.UTC(1970, 0, 5)

/** In UTC, and without months. */
export function windowStart(window: PoolTerms['window'], now: number): number {
  if (window === null) return 0
  const size = typeof window === 'object' ? window.everyMs : SIZE[window as keyof typeof SIZE]
  const origin = window === 'week' ? MONDAY : 0
  return Math.floor((now - origin) / size) * size + origin
}

export function windowEnd(window: PoolTerms['window'], start: number): number | null {
  if (window === null) return null
  return start + (typeof window === 'object' ? window.everyMs : SIZE[window as keyof typeof SIZE])
}

export function figures(model: Model, pool: string, start: number) {
  const posted = model.entries.filter((entry) => entry.pool === pool && entry.start === start)
  const open = openOf(model).filter(({ windows }) => windows.get(pool) === start)
  return {
    used: posted.reduce((sum, { amount }) => plus(sum, amount), none),
    held: open.reduce((sum, { held }) => plus(sum, held), none),
    drawn: drawnIn(model, pool, start),
    credits: live(model, pool).map(({ id, left }) => ({ id, left })),
  }
}

const openOf = ({ reservations }: Model) => [...reservations.values()].filter(({ state }) => state === 'held')

/** `rest < floor ? refuse : min(atMost, rest, max(wish, rest / 8))`, `plenty` in place of `fixed` where all have 8 times it. */
function grant(ask: Ask, accounts: ({ terms: PoolTerms } & ReturnType<typeof figures>)[]) {
  if (accounts.some(({ terms }) => terms.frozen)) return refuse('pool_frozen')
  const credit = accounts.map(({ credits }) => credits.reduce((sum, { left }) => plus(sum, left), none))
  const left = accounts.map((account, at) => {
    const room = roomOf(account)
    return each((unit) => (credit[at]![unit] > 0 ? Math.max(0, room[unit]) + credit[at]![unit] : room[unit]))
  })
  const isBlocked = accounts.some(({ terms }, at) => terms.capacity.tokens === 0 && credit[at]!.tokens === 0)
  const from = (fixed: Amount) => {
    const pays = units.flatMap((unit) =>
      left.map((rest) => payable(rest[unit] - fixed[unit], ask.each[unit], fixed[unit])),
    )
    const rest = isBlocked ? Number.NEGATIVE_INFINITY : Math.min(Number.POSITIVE_INFINITY, ...pays)
    if (rest < ask.floor) return null
    const output = Math.min(ask.atMost, rest, Math.max(ask.wish, Math.floor(rest / 8)))
    return {
      output,
      fixed,
      amount: plus(
        fixed,
        each((unit) => ask.each[unit] * output),
      ),
    }
  }
  const { plenty } = ask
  const hasPlenty =
    plenty && left.every((rest) => units.every((unit) => plenty[unit] === 0 || rest[unit] >= 8 * plenty[unit]))
  return (hasPlenty ? from(plenty) : null) ?? from(ask.fixed) ?? refuse('budget_exceeded')
}

/** What the window itself has left. */
export function roomOf({
  terms: { capacity },
  used,
  held,
  drawn,
}: { terms: PoolTerms } & ReturnType<typeof figures>): Amount {
  return each((unit) => (capacity[unit] ?? Number.POSITIVE_INFINITY) - used[unit] - held[unit] + drawn[unit])
}

/** Only a unit that the ask uses can refuse it. */
function payable(rest: number, price: number, fixed: number): number {
  if (price > 0) return Math.floor(rest / price)
  return fixed === 0 || rest >= 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
}

export function reserve(model: Model, request: ReserveRequest) {
  const { id, owner, phase, ask, onExpire, maxOpen = Number.POSITIVE_INFINITY } = request
  const names = [...new Set(request.pools.map(({ name }) => name))]
  const first = model.reservations.get(id)
  if (first !== undefined) {
    const isSame = first.owner === owner && first.phase === phase && same(names, [...first.windows.keys()])
    return isSame && first.state === 'held' ? granted(model, first, first.firstOutput) : refuse('reservation_conflict')
  }
  const after = structuredClone(model)
  const late = openOf(after).filter(
    ({ windows, leaseUntil }) => leaseUntil <= model.now && names.some((name) => windows.has(name)),
  )
  for (const { id: lost } of late) expire(after, lost, onExpire)
  const owned = openOf(after).filter((other) => other.owner === owner && other.phase === 'reserved')
  if (owned.length >= maxOpen) return refuse('too_many_reservations')
  const terms = request.pools.map(({ name, terms }) => model.overrides.get(name) ?? terms)
  if (terms.some((one) => one === null)) return refuse('unknown_pool')
  const windows = new Map(request.pools.map(({ name }, at) => [name, windowStart(terms[at]!.window, model.now)]))
  const accounts = request.pools.map(({ name }, at) => ({
    terms: terms[at]!,
    ...figures(after, name, windows.get(name)!),
  }))
  const got = grant(ask, accounts)
  if (!('output' in got)) return got
  Object.assign(model, after)
  for (const [at, { name, terms: template }] of request.pools.entries())
    model.templates.set(name, template ?? terms[at]!)
  const leaseUntil = model.now + request.leaseMs
  const born = {
    held: got.amount,
    counted: got.fixed,
    firstOutput: got.output,
    leaseUntil,
    charged: none,
    corrected: null,
    funds: new Map(),
    refunds: [],
  }
  for (const [at, { name }] of request.pools.entries()) {
    const start = windows.get(name)!
    model.ends.set(`${name} ${start}`, windowEnd(terms[at]!.window, start))
  }
  const held: Reserved = { id, owner, phase, windows, state: 'held', ...born }
  fund(
    model,
    held,
    got.amount,
    request.pools.map(({ name }, at) => ({ terms: terms[at]!, ...figures(model, name, windows.get(name)!) })),
  )
  model.reservations.set(id, held)
  return { ...granted(model, model.reservations.get(id)!, got.output), expired: late.map((lost) => lost.id).sort() }
}

export function extend(model: Model, id: string, ask: Ask) {
  const held = model.reservations.get(id)
  if (held?.state !== 'held') return refuse('not_held')
  const accounts = [...held.windows].map(([name, start]) => {
    return {
      terms: model.overrides.get(name) ?? model.templates.get(name)!,
      ...figures(model, name, start),
    }
  })
  const got = grant(ask, accounts)
  if (!('output' in got)) return got
  fund(model, held, got.amount, accounts)
  held.held = plus(held.held, got.amount)
  held.counted = plus(held.counted, got.fixed)
  return granted(model, held, got.output)
}

export function renew(model: Model, running: readonly { id: string; counted: Amount }[], leaseMs: number) {
  return running.flatMap(({ id, counted }) => {
    const held = model.reservations.get(id)
    if (held?.state !== 'held') return [id]
    held.counted = each((unit) => Math.min(held.held[unit], Math.max(held.counted[unit], counted[unit])))
    held.leaseUntil = model.now + leaseMs
    return []
  })
}

export function settle(model: Model, id: string, actual: Amount) {
  const held = model.reservations.get(id)
  if (held === undefined) return refuse('not_held')
  if (held.state === 'expired') {
    const overrun = above(actual, held.charged)
    const refunded = held.refunds.reduce((sum, { amount }) => plus(sum, amount), none)
    const mended = each((unit) => Math.max(actual[unit], refunded[unit]))
    if (held.corrected === null) change(model, held, 'correction', minus(mended, held.charged), overrun)
    else if (!equal(held.corrected, actual)) return refuse('reservation_conflict')
    held.corrected = actual
    return ended(model, held, 'corrected', overrun)
  }
  const overrun = above(actual, held.held)
  if (held.state === 'held') end(model, held, 'settled', actual, overrun)
  else if (held.state === 'released' || !equal(held.charged, actual)) return refuse('reservation_conflict')
  return ended(model, held, 'settled', overrun)
}

export function release(model: Model, id: string) {
  const held = model.reservations.get(id)
  if (held?.state === 'expired') return settle(model, id, none)
  if (held === undefined) return refuse('not_held')
  if (held.state === 'held') end(model, held, 'released', none, none)
  return held.state === 'settled' ? refuse('reservation_conflict') : ended(model, held, 'released', none)
}

export function isOverdue(model: Model, id: string): boolean {
  const held = model.reservations.get(id)
  return held?.state === 'held' && held.leaseUntil <= model.now
}

export function expire(model: Model, id: string, onExpire: ExpirePolicy['onExpire']): void {
  const held = model.reservations.get(id)!
  end(model, held, 'expired', onExpire === 'charge' ? held.held : held.counted, none)
}

/** The oldest open one over the wire in exactly this pool with exactly this amount. */
export function find(model: Model, owner: string, pool: string, amount: Amount): string | null {
  const isIt = (one: Reserved) => one.owner === owner && one.phase === 'reserved' && equal(one.held, amount)
  return openOf(model).find((one) => isIt(one) && same([...one.windows.keys()], [pool]))?.id ?? null
}

function end(
  model: Model,
  held: Reserved,
  state: Exclude<Reserved['state'], 'held'>,
  charged: Amount,
  overrun: Amount,
) {
  spend(model, held, held.held, charged)
  Object.assign(held, { state, charged })
  post(model, held, state, charged, overrun)
}

/** What a reservation that has ended is still charged in each of its pools. */
export function netOf({ entries }: Model, { id, windows }: Reserved): Amount {
  const [pool] = windows.keys()
  const own = entries.filter((entry) => entry.reservation === id && entry.pool === pool)
  return own.reduce((sum, { amount }) => plus(sum, amount), none)
}

export function change(
  model: Model,
  held: Reserved,
  kind: 'correction' | 'refund',
  amount: Amount,
  overrun = none,
  about?: { reference: string; note: string | null },
): void {
  const net = netOf(model, held)
  spend(model, held, net, plus(net, amount))
  post(model, held, kind, amount, overrun, about)
}

function post(
  model: Model,
  { id: reservation, windows }: Reserved,
  kind: Posted['kind'],
  amount: Amount,
  overrun: Amount,
  about: { reference: string | null; note: string | null } = { reference: null, note: null },
): void {
  for (const [pool, start] of windows) model.entries.push({ reservation, pool, start, kind, amount, overrun, ...about })
}

function granted(model: Model, held: Reserved, output: number) {
  return { output, held: held.held, leaseUntil: held.leaseUntil, pools: poolsOf(model, held), expired: [] as string[] }
}

function ended(model: Model, held: Reserved, outcome: string, overrun: Amount) {
  return { outcome, overrun, pools: poolsOf(model, held) }
}

export function poolsOf(model: Model, { windows }: Reserved) {
  return [...windows].map(([name, start]) => ({ name, start, ...figures(model, name, start) }))
}

const same = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((name) => b.includes(name))
