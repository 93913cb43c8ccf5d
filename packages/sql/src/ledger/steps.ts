import {
  type Amount,
  type Ask,
  budgetExceeded,
  checkRepeated,
  checkSums,
  countedBy,
  decide,
  type Ending,
  type ExpiredReservation,
  type ExpirePolicy,
  expiryCharge,
  extended,
  type Grant,
  type Granted,
  HooshError,
  notHeld,
  nothing,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  plus,
  type ReserveRequest,
  reversalOf,
  type Settlement,
} from '@hoosh/core/storage'
import {
  type Account,
  accountFor,
  type Books,
  close,
  enterAccount,
  expiredOf,
  type Held,
  hold,
  nextNumber,
  post,
  type SameTerms,
  stateOf,
  usageOf,
} from './books.js'

/** What a step tells of a hold that it ended for its lease. */
export type OnLost = (held: Held) => void

/** Decides a reserve, as `BudgetStore.reserve` promises. Throws before it has changed anything. */
export function reserve(books: Books, request: ReserveRequest, sameTerms: SameTerms, onLost: OnLost): Grant {
  const { id, ask, now, maxOpen, onExpire } = request
  const first = books.reservations.get(id)
  if (first !== undefined) {
    checkRepeated({ ...first, pools: first.accounts.map(({ pool }) => pool.name) }, request)
    return grantOf(first, first.outputTokens, [])
  }
  const pools = withoutRepetition(request.pools)
  const overdue = overdueIn(books, pools)
  if (maxOpen !== undefined && openOf(books, request.owner, overdue) >= maxOpen) throw tooMany(maxOpen)
  const found = pools.map((pool) => accountFor(books, pool, now))
  const states = found.map((account, index) => after(account, pools[index]!.terms, overdue, onExpire))
  const decision = decide(ask, states)
  if (!decision.granted) throw budgetExceeded(decision, now)

  for (const late of overdue) expireOne(books, late, onExpire, onLost)
  const accounts = found.map((account, index) => enterAccount(books, account, pools[index]!.terms, sameTerms))
  const held = born(books, request, decision, accounts)
  return grantOf(held, decision.outputTokens, overdue)
}

function born(books: Books, request: ReserveRequest, granted: Granted, accounts: readonly Account[]): Held {
  const { intent, call } = request
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
    call: call === undefined ? null : JSON.stringify(call),
    endedAt: null,
    entries: [],
  }
  books.reservations.set(held.id, held)
  books.changed.born.add(held)
  hold(books, held, held.held)
  const open = books.open.get(held.owner)
  if (open !== undefined && held.phase === 'reserved') books.open.set(held.owner, open + 1)
  return held
}

function grantOf(held: Held, outputTokens: number, overdue: readonly Held[]): Grant {
  return {
    outputTokens,
    held: held.held,
    leaseUntil: held.leaseUntil,
    pools: held.accounts.map((account) => stateOf(account)),
    expired: overdue.map(expiredOf),
  }
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
  account: Account,
  terms: PoolTerms | null,
  overdue: readonly Held[],
  onExpire: ExpirePolicy['onExpire'],
): PoolState {
  const state = stateOf(account, terms)
  for (const late of overdue) {
    if (!late.accounts.some(({ pool, windowStart }) => pool.name === state.name && windowStart === state.windowStart))
      continue
    const charge = expiryCharge(late, onExpire)
    state.used.tokens += charge.tokens
    state.used.nanoUsd += charge.nanoUsd
    state.held.tokens -= late.held.tokens
    state.held.nanoUsd -= late.held.nanoUsd
  }
  return state
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
  const states = held.accounts.map((account) => stateOf(account))
  const decision = decide(ask, states)
  if (!decision.granted) throw budgetExceeded(decision, books.at)
  hold(books, held, decision.amount)
  Object.assign(held, extended(held, decision))
  books.changed.reservations.add(held)
  return grantOf(held, decision.outputTokens, [])
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
  const held = books.reservations.get(id)
  if (held === undefined) throw notHeld(id)
  return held
}

/** Books a settle or a release, unless it only repeats one. */
export function end(books: Books, held: Held, ending: Ending): Settlement {
  if (!ending.repeated) {
    for (const account of held.accounts) {
      checkSums({ ...account, name: account.pool.name }, ending.charged, ending.freed)
    }
    const numbers = post(books, held, ending)
    if (ending.outcome === 'corrected') {
      held.corrected = plus(held.charged, ending.charged)
      books.changed.reservations.add(held)
      for (const [index, account] of held.accounts.entries()) {
        const { charged: amount, overrun } = ending
        books.changed.corrections.push({ held, account, entry: numbers[index]!, amount, overrun })
      }
    } else {
      held.entries = numbers
      held.overrun = ending.overrun
      close(books, held, ending.outcome, ending.charged)
    }
  }
  const { outcome, overrun, repeated } = ending
  const pools = held.accounts.filter(isListed).map((account) => stateOf(account))
  const lost = outcome === 'corrected' ? usageOf(held) : null
  return { outcome, overrun, repeated, pools, ...(lost !== null && { reversal: reversalOf(lost) }) }
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
  return overdue.map(expiredOf)
}

/** Sets or removes an override. */
export function define(books: Books, name: string, terms: PoolTerms | null): void {
  const pool = books.pools.get(name) ?? { name, template: null, override: null }
  pool.override = terms
  books.pools.set(name, pool)
  books.changed.pools.add(pool)
}
