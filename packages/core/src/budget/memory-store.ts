import { type Amount, minus, nothing, plus } from '../amount.js'
import { HooshError } from '../errors.js'
import type { Clock } from '../time.js'
import { ended } from './credits.js'
import {
  checkRefund,
  checkRepeated,
  countedBy,
  type Ending,
  expiryCharge,
  extended,
  NO_REFUNDS,
  notHeld,
  released,
  settled,
} from './ending.js'
import { strangeEntry } from './entry-cursor.js'
import { freezing } from './freezing.js'
import { budgetExceeded, checkSums, decide, type Granted } from './grant.js'
import { lostUsage, reversalOf } from './lost.js'
import { type Account, stateOf } from './memory-account.js'
import type { Books, Held } from './memory-books.js'
import * as ledger from './memory-books.js'
import { draw, drawMore, endCredits, give, haveCredits } from './memory-credits.js'
import { firstNames } from './memory-names.js'
import { openReservations, reservationIn } from './memory-reservations.js'
import { noteLease } from './open-holds.js'
import type * as store from './store.js'
import type { PoolTerms } from './terms.js'

/** What the ledger in memory remembers. */
export interface MemoryBudgetOptions {
  clock: Clock
  /** Ended reservations that are remembered, so that a repeated call finds its answer: 10,000. Expired ones apart, as many. */
  maxEnded?: number
  /** Entries that are remembered: 10,000. */
  maxEntries?: number
}

/**
 * Budgets of one process, gone with it. Every operation answers at once, so two calls cannot meet inside of one.
 *
 * Pools are kept until they are told to be forgotten (about 0.25 KB each); of a pool with windows the last four are known, and those that still run.
 */
export function memoryBudgets({ clock, maxEnded = 10_000, maxEntries = 10_000 }: MemoryBudgetOptions) {
  return memoryLedger(ledger.emptyBooks(maxEnded, maxEntries), clock)
}

/** The same on books that somebody else looks into as well. */
export function memoryLedger(books: Books, clock: Clock) {
  return {
    reserve: (request) => reserve(books, request, clock()),
    extend: (id, ask) => extend(books, id, ask, clock()),
    renew: (running, leaseMs) => renew(books, running, clock() + leaseMs),
    settle: (id, actual) => {
      const held = known(books, id)
      return end(books, held, settled(held, actual), clock())
    },
    release: (id) => {
      const held = known(books, id)
      return end(books, held, released(held), clock())
    },
    expire: (policy: Parameters<store.BudgetStore['expire']>[0], which?: (held: Held) => boolean) =>
      expire(books, policy, clock(), which),
    credit: (pool, given, now) => credit(books, pool, given, now, clock()),
    refund: (given) => refund(books, given, clock()),
    read: (pools, now) => pools.map((pool) => stateOf(ledger.accountFor(books, pool, now), clock())),
    list: (filter) => list(books, filter, clock()),
    entries: (pool, page) => entries(books, pool, page),
    find: (query) => {
      const held = find(books, query)
      return held === undefined ? null : ledger.reservationOf(held)
    },
    define: (pool, terms) => define(books, pool, terms),
    freeze(pool, frozen) {
      const terms = freezing(pool, books.overrides.get(pool.name) ?? null, frozen)
      define(books, pool.name, terms)
      return terms
    },
    forget: (pool) => {
      define(books, pool, null)
      return ledger.forget(books, pool)
    },
    overrides: () => [...books.overrides].map(([name, terms]) => ({ name, terms })),
  } satisfies store.BudgetStore
}

function known(books: Books, id: string): Held {
  const held = reservationIn(books.reservations, id)
  if (held === undefined) throw notHeld(id)
  return held
}

function reserve(books: Books, request: store.ReserveRequest, at: number): store.Grant {
  const { id, ask, leaseMs, now, onExpire } = request
  const first = reservationIn(books.reservations, id)
  if (first !== undefined) {
    checkRepeated({ ...first, pools: first.accounts.map(({ name }) => name) }, request)
    return grantOf(first, first.outputTokens, [], at)
  }
  checkOpen(books, request, at)
  const pools = withoutRepetition(request.pools)
  const accounts = ledger.accountsFor(books, pools, now)
  const overdue = ledger.overdueIn(accounts, at)
  const decision = decide(ask, after(accounts, overdue, onExpire, at))
  if (!decision.granted) throw budgetExceeded(decision, now)

  for (const late of overdue) expireOne(books, late, onExpire, at)
  for (let index = 0; index < pools.length; index++) {
    accounts[index] = ledger.enterAccount(books, accounts[index]!, pools[index]!.terms)
  }
  const draws = draw(accounts, decision.amount, at)
  const held = born(request, decision, accounts, draws, at + leaseMs)
  ledger.enterHold(books, held)
  return grantOf(held, decision.outputTokens, overdue, at)
}

/** Written out, since spreading objects together costs more than all the rest of a reserve. */
export function born(
  request: store.ReserveRequest,
  granted: Granted,
  accounts: readonly Account[],
  draws: Held['draws'],
  leaseUntil: number,
): Held {
  return {
    row: -1,
    id: request.id,
    owner: request.owner,
    phase: request.phase,
    state: 'held',
    held: granted.amount,
    counted: granted.fixed,
    charged: nothing,
    corrected: null,
    accounts,
    outputTokens: granted.outputTokens,
    leaseUntil,
    call: request.call,
    lost: undefined,
    draws,
    refunds: NO_REFUNDS,
    isMixed: false,
  }
}

export function grantOf(held: Held, outputTokens: number, overdue: readonly Held[], at: number): store.Grant {
  const expired = overdue.length === 0 ? [] : expiredOf(overdue, at)
  return {
    outputTokens,
    held: held.held,
    leaseUntil: held.leaseUntil,
    pools: statesOf(held, at),
    expired,
  }
}

function expiredOf(overdue: readonly Held[], at: number): store.ExpiredReservation[] {
  return overdue.map((held) => ({ ...ledger.expiredOf(held), booked: statesOf(held, at) }))
}

function statesOf({ accounts }: Held, at: number): store.PoolState[] {
  return accounts.length === 1 ? [stateOf(accounts[0]!, at)] : accounts.map((account) => stateOf(account, at))
}

export function withoutRepetition(pools: readonly store.PoolAsk[]): readonly store.PoolAsk[] {
  if (pools.length < 2) return pools
  return pools.filter(({ name }, index) => pools.findIndex((other) => other.name === name) === index)
}

/** Accounts as they will stand once these overdue holds have ended. */
export function after(
  accounts: readonly Account[],
  overdue: readonly Held[],
  onExpire: store.ExpirePolicy['onExpire'],
  at: number,
): readonly store.PoolState[] {
  if (overdue.length === 0 && !haveCredits(accounts)) return accounts
  return accounts.map((account) => {
    const state = stateOf(account, at)
    return overdue.reduce((left, late) => {
      const place = late.accounts.findIndex(({ pool }) => pool === account.pool)
      if (place === -1) return left
      const { windowStart, windowEnd } = late.accounts[place]!
      const part = { held: late.held, draws: late.draws?.[place] ?? null, windowStart, windowEnd }
      return ended(left, part, expiryCharge(late, onExpire), at)
    }, state)
  })
}

const NO_HOLDS: ReadonlySet<Held> = new Set()

/** Those that this reserve will end for their lease do not count. */
function checkOpen(
  { pools, byOwner }: Books,
  { owner, pools: asked, maxOpen }: store.ReserveRequest,
  at: number,
): void {
  const open = byOwner.get(owner) ?? NO_HOLDS
  if (maxOpen === undefined || open.size < maxOpen) return
  const accounts = asked.flatMap(({ name }) => pools.get(name)?.newest ?? [])
  const overdue = ledger.overdueIn(accounts, at).filter((late) => open.has(late))
  if (open.size - overdue.length < maxOpen) return
  throw new HooshError('too_many_reservations', {
    message: `${maxOpen} of your reservations are open, the most there may be; settle or release some first.`,
  })
}

function extend(books: Books, id: string, ask: store.Ask, at: number): store.Grant {
  const held = ledger.openIn(books, id)
  if (held === undefined) throw notHeld(id)
  const decision = decide(ask, after(held.accounts, [], 'charge', at))
  if (!decision.granted) throw budgetExceeded(decision, at)
  drawMore(held, decision.amount, at)
  for (const account of held.accounts) {
    account.held = plus(account.held, decision.amount)
  }
  Object.assign(held, extended(held, decision))
  return grantOf(held, decision.outputTokens, [], at)
}

function renew(books: Books, running: readonly { id: string; counted: Amount }[], leaseUntil: number): string[] {
  const lost: string[] = []
  for (const { id, counted } of running) {
    const held = ledger.openIn(books, id)
    if (held === undefined) {
      lost.push(id)
      continue
    }
    held.counted = countedBy(counted, held)
    held.leaseUntil = leaseUntil
    for (const { pool } of held.accounts) noteLease(pool.open, leaseUntil)
  }
  return lost
}

/** Books a settle or a release, unless it only repeats one. */
function end(books: Books, held: Held, ending: Ending, at: number): store.Settlement {
  if (!ending.repeated) {
    for (const account of held.accounts) checkSums(account, ending.charged, ending.freed)
    ledger.post(books, held, ending, at)
    if (ending.outcome === 'corrected') held.corrected = ending.actual
    else ledger.close(books, held, ending.outcome, ending.charged)
  }
  const { outcome, overrun, repeated } = ending
  const settlement = { outcome, overrun, repeated, pools: statesOf(held, at) }
  return held.lost === undefined ? settlement : { ...settlement, reversal: reversalOf(held.lost) }
}

export function expireOne(books: Books, held: Held, onExpire: store.ExpirePolicy['onExpire'], at: number): void {
  const charged = expiryCharge(held, onExpire)
  ledger.post(books, held, { kind: 'expired', freed: held.held, charged, overrun: nothing }, at)
  const { call, accounts } = held
  ledger.close(books, held, 'expired', charged)
  if (call !== undefined) held.lost = lostUsage({ ...held, call, pools: accounts.map(({ name }) => name), at })
}

function expire(
  books: Books,
  { limit, onExpire }: store.ExpirePolicy & { limit: number },
  at: number,
  which: (held: Held) => boolean = () => true,
): store.ExpiredReservation[] {
  const overdue: Held[] = []
  for (const held of openReservations(books.reservations)) {
    if (overdue.length >= limit) break
    if (held.leaseUntil <= at && which(held)) overdue.push(held)
  }
  for (const held of overdue) expireOne(books, held, onExpire, at)
  endCredits(books, at)
  return expiredOf(overdue, at)
}

function credit(books: Books, ask: store.PoolAsk, given: store.NewCredit, now: number, at: number): store.Credited {
  const account = ledger.accountFor(books, ask, now)
  const repeated = give(books, account, ask, given, at)
  return { repeated, pool: stateOf(account, at) }
}

function refund(books: Books, given: store.NewRefund, at: number): store.Refunded {
  const held = known(books, given.reservation)
  const repeated = checkRefund(held, given)
  if (!repeated) {
    const { id, amount, note } = given
    const posting = { kind: 'refund', freed: nothing, charged: minus(nothing, amount), overrun: nothing } as const
    ledger.post(books, held, posting, at, { pool: null, reference: id, note })
    held.refunds = [...held.refunds, { id, amount, note }]
  }
  return { repeated, pools: statesOf(held, at) }
}

function define(books: Books, name: string, terms: PoolTerms | null): void {
  if (terms === null) books.overrides.delete(name)
  else books.overrides.set(name, terms)
  const pool = books.pools.get(name)
  const now = terms ?? pool?.template ?? null
  if (pool === undefined || now === null) return
  for (const account of ledger.accountsOf(pool)) account.terms = now
}

function list(
  books: Books,
  { limit, after: last, now }: Parameters<store.BudgetStore['list']>[0],
  at: number,
): store.PoolState[] {
  return firstNames(books, limit, last).map((name) => {
    const pool = books.pools.get(name)
    const terms = pool?.newest?.terms ?? pool?.template ?? null
    return stateOf(ledger.accountFor(books, { name, terms }, now), at)
  })
}

function entries(books: Books, pool: string, { limit, before }: { limit: number; before?: string }): store.Entry[] {
  if (before !== undefined && !/^\d{1,16}\.\d{1,10}$/.test(before)) throw strangeEntry()
  const page: store.Entry[] = []
  for (const entry of ledger.entriesOf(books, pool)) {
    if (page.length >= limit) break
    if (before === undefined || Number.parseInt(entry.id, 10) < Number.parseInt(before, 10)) page.push(entry)
  }
  return page
}

function find(books: Books, query: Parameters<store.BudgetStore['find']>[0]): Held | undefined {
  if ('id' in query) return reservationIn(books.reservations, query.id)
  const { tokens = 0, nanoUsd = 0 } = query.amount
  for (const held of books.byOwner.get(query.owner) ?? []) {
    if (held.accounts.length !== 1 || held.accounts[0]!.name !== query.pool) continue
    if (held.held.tokens === tokens && held.held.nanoUsd === nanoUsd) return held
  }
  return undefined
}
