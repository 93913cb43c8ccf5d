import {
  type Amount,
  type Ask,
  budgetExceeded,
  type Credited,
  checkRefund,
  checkRepeated,
  checkSums,
  countedBy,
  decide,
  type Ending,
  type ExpiredReservation,
  type ExpirePolicy,
  ended,
  expiryCharge,
  extended,
  freezing,
  type Grant,
  type Granted,
  HooshError,
  minus,
  type NewCredit,
  type NewRefund,
  NO_REFUNDS,
  notHeld,
  nothing,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  type Refunded,
  type ReserveRequest,
  reversalOf,
  type Settlement,
} from '@hoosh/core/storage'
import {
  type Account,
  accountFor,
  type Books,
  type Correction,
  close,
  enterAccount,
  expiredOf,
  type Held,
  hold,
  newPool,
  post,
  type SameTerms,
  stateOf,
  usageOf,
} from './books.js'
import { draw, drawMore, give } from './credits.js'
import { nextNumber } from './numbers.js'

/** What a step tells of a hold that it ended for its lease. */
export type OnLost = (held: Held) => void

/** Decides a reserve, as `BudgetStore.reserve` promises. Throws before it has changed anything. */
export function reserve(books: Books, request: ReserveRequest, sameTerms: SameTerms, onLost: OnLost): Grant {
  const { id, ask, now, maxOpen, onExpire } = request
  if (books.damaged.has(id)) throw unreadable(id)
  const first = books.reservations.get(id)
  if (first !== undefined) {
    checkRepeated({ ...first, pools: first.accounts.map(({ pool }) => pool.name) }, request)
    return grantOf(books, first, first.outputTokens, [])
  }
  const pools = withoutRepetition(request.pools)
  const overdue = overdueIn(books, pools)
  if (maxOpen !== undefined && openOf(books, request.owner, overdue) >= maxOpen) throw tooMany(maxOpen)
  const found = pools.map((pool) => accountFor(books, pool, now))
  const states = found.map((account, index) => after(books, account, pools[index]!.terms, overdue, onExpire))
  const decision = decide(ask, states)
  if (!decision.granted) throw budgetExceeded(decision, now)

  for (const late of overdue) expireOne(books, late, onExpire, onLost)
  const accounts = found.map((account, index) => enterAccount(books, account, pools[index]!.terms, sameTerms))
  const held = born(books, request, decision, accounts)
  return grantOf(books, held, decision.outputTokens, overdue)
}

function born(books: Books, request: ReserveRequest, granted: Granted, accounts: readonly Account[]): Held {
  const { intent, call, usageElsewhere } = request
  const held: Held = {
    id: request.id,
    owner: request.owner,
    phase: request.phase,
    state: 'held',
    held: granted.amount,
    counted: granted.fixed,
    charged: nothing,
    corrected: null,
    overrun: nothing,
    accounts,
    outputTokens: granted.outputTokens,
    leaseUntil: books.at + request.leaseMs,
    since: nextNumber(books),
    intent: intent === undefined ? null : { id: intent.id, at: intent.timestamp },
    call: call === undefined ? null : JSON.stringify({ ...call, usageElsewhere }),
    endedAt: null,
    entries: [],
    draws: draw(books, accounts, statesOf(books, accounts), granted.amount),
    refunds: NO_REFUNDS,
    unread: null,
  }
  books.reservations.set(held.id, held)
  books.changed.born.add(held)
  hold(books, held, held.held)
  const open = books.open.get(held.owner)
  if (open !== undefined && held.phase === 'reserved') books.open.set(held.owner, open + 1)
  return held
}

function grantOf(books: Books, held: Held, outputTokens: number, overdue: readonly Held[]): Grant {
  return {
    outputTokens,
    held: held.held,
    leaseUntil: held.leaseUntil,
    pools: statesOf(books, held.accounts),
    expired: toldOf(books, overdue),
  }
}

function toldOf(books: Books, overdue: readonly Held[]): ExpiredReservation[] {
  return overdue.map((held) => ({ ...expiredOf(held), booked: statesOf(books, held.accounts.filter(isListed)) }))
}

function statesOf(books: Books, accounts: readonly Account[]): PoolState[] {
  return accounts.map((account) => stateOf(books, account))
}

function withoutRepetition(pools: readonly PoolAsk[]): readonly PoolAsk[] {
  if (pools.length < 2) return pools
  return pools.filter(({ name }, index) => pools.findIndex((other) => other.name === name) === index)
}

function overdueIn(books: Books, pools: readonly PoolAsk[]): readonly Held[] {
  if (books.overdue.size === 0) return []
  const names = new Set(pools.map(({ name }) => name))
  return [...books.overdue].filter(({ accounts }) => accounts.some(({ pool }) => names.has(pool.name)))
}

/** An account as it will stand once these overdue holds have ended. */
function after(
  books: Books,
  account: Account,
  terms: PoolTerms | null,
  overdue: readonly Held[],
  onExpire: ExpirePolicy['onExpire'],
): PoolState {
  return overdue.reduce(
    (state, late) => {
      const place = late.accounts.findIndex(({ pool }) => pool.name === state.name)
      if (place === -1) return state
      const { windowStart, windowEnd } = late.accounts[place]!
      const part = { held: late.held, draws: late.draws?.[place] ?? null, windowStart, windowEnd }
      return ended(state, part, expiryCharge(late, onExpire), books.at)
    },
    stateOf(books, account, terms),
  )
}

function openOf({ open }: Books, owner: string, overdue: readonly Held[]): number {
  const ending = overdue.filter((late) => late.owner === owner && late.phase === 'reserved').length
  return (open.get(owner) ?? 0) - ending
}

function tooMany(maxOpen: number): HooshError {
  return new HooshError('too_many_reservations', {
    message: `${maxOpen} of your reservations are open, the most there may be; settle or release some first.`,
  })
}

export function extend(books: Books, id: string, ask: Ask): Grant {
  const held = books.reservations.get(id)
  if (held === undefined || held.state !== 'held') throw notHeld(id)
  const states = statesOf(books, held.accounts)
  const decision = decide(ask, states)
  if (!decision.granted) throw budgetExceeded(decision, books.at)
  drawMore(books, held, states, decision.amount)
  hold(books, held, decision.amount)
  Object.assign(held, extended(held, decision))
  books.changed.reservations.add(held)
  return grantOf(books, held, decision.outputTokens, [])
}

export function renew(
  books: Books,
  running: readonly { readonly id: string; readonly counted: Amount }[],
  leaseMs: number,
): string[] {
  const lost: string[] = []
  for (const { id, counted } of running) {
    const held = books.reservations.get(id)
    if (held === undefined || held.state !== 'held') {
      lost.push(id)
      continue
    }
    held.counted = countedBy(counted, held)
    held.leaseUntil = books.at + leaseMs
    books.overdue.delete(held)
    books.changed.reservations.add(held)
  }
  return lost
}

/** A reservation that was made at some time. */
export function known(books: Books, id: string): Held {
  if (books.damaged.has(id)) throw unreadable(id)
  const held = books.reservations.get(id)
  if (held === undefined) throw notHeld(id)
  return held
}

/** Repeating it changes nothing before somebody has mended the rows. */
function unreadable(id: string): HooshError {
  return new HooshError('store_unavailable', {
    message: `What is stored of the reservation "${id}" cannot be read; \`npx hoosh doctor\` says why.`,
    details: { retryable: false },
  })
}

/** Books a settle or a release, unless it only repeats one. */
export function end(books: Books, held: Held, ending: Ending): Settlement {
  if (!ending.repeated) {
    for (const account of held.accounts) {
      checkSums({ ...account, name: account.pool.name }, ending.charged, ending.freed)
    }
    const numbers = post(books, held, ending)
    if (ending.outcome === 'corrected') {
      held.corrected = ending.actual
      books.changed.reservations.add(held)
      const { charged: amount, overrun } = ending
      correct(books, held, numbers, { kind: 'correction', amount, overrun, reference: null, note: null })
    } else {
      held.entries = numbers
      held.overrun = ending.overrun
      close(books, held, ending.outcome, ending.charged)
    }
  }
  const { outcome, overrun, repeated } = ending
  const pools = statesOf(books, held.accounts.filter(isListed))
  const lost = outcome === 'corrected' ? usageOf(held) : null
  return { outcome, overrun, repeated, pools, ...(lost !== null && { reversal: reversalOf(lost) }) }
}

/** Enters what mended a reservation, in each of its pools. */
function correct(
  books: Books,
  { id: reservation, accounts }: Held,
  numbers: readonly number[],
  entry: Pick<Correction, 'kind' | 'amount' | 'overrun' | 'reference' | 'note'>,
): void {
  for (const [index, { pool, windowStart }] of accounts.entries()) {
    books.changed.corrections.push({ ...entry, reservation, pool: pool.name, windowStart, entry: numbers[index]! })
  }
}

/** Gives back of what a reservation was charged, as `BudgetStore.refund` promises. */
export function refund(books: Books, held: Held, given: NewRefund): Refunded {
  // What was given back before is not known.
  if (held.unread !== null) throw unreadable(held.id)
  const repeated = checkRefund(held, given)
  if (!repeated) {
    const { id, note } = given
    const amount = minus(nothing, given.amount)
    const numbers = post(books, held, { freed: nothing, charged: amount })
    correct(books, held, numbers, { kind: 'refund', amount, overrun: nothing, reference: id, note })
    held.refunds = [...held.refunds, { id, amount: given.amount, note }]
    books.changed.reservations.add(held)
  }
  return { repeated, pools: statesOf(books, held.accounts.filter(isListed)) }
}

/** Gives a credit, as `BudgetStore.credit` promises. */
export function credit(books: Books, ask: PoolAsk, given: NewCredit, now: number): Credited {
  const account = accountFor(books, ask, now)
  const repeated = give(books, account, ask, given)
  return { repeated, pool: stateOf(books, account, ask.terms) }
}

/** Of one that was forgotten nobody knows the terms any more. */
function isListed({ pool }: Account): boolean {
  return pool.override !== null || pool.template !== null
}

function expireOne(books: Books, held: Held, onExpire: ExpirePolicy['onExpire'], onLost: OnLost): void {
  const charged = expiryCharge(held, onExpire)
  held.entries = post(books, held, { freed: held.held, charged })
  close(books, held, 'expired', charged)
  onLost(held)
}

export function expire(
  books: Books,
  { limit, onExpire }: ExpirePolicy & { readonly limit: number },
  onLost: OnLost,
): ExpiredReservation[] {
  const overdue = [...books.overdue].slice(0, limit)
  for (const late of overdue) expireOne(books, late, onExpire, onLost)
  return toldOf(books, overdue)
}

/** Freezes a pool or ends that, as `BudgetStore.freeze` promises. */
export function freeze(books: Books, pool: PoolAsk, frozen: boolean): PoolTerms | null {
  const terms = freezing(pool, books.pools.get(pool.name)?.override ?? null, frozen)
  define(books, pool.name, terms)
  return terms
}

/** Sets or removes an override. */
export function define(books: Books, name: string, terms: PoolTerms | null): void {
  const pool = books.pools.get(name) ?? newPool(name)
  pool.override = terms
  books.pools.set(name, pool)
  books.changed.pools.add(pool)
}
