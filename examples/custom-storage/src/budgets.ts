import {
  type Amount,
  type Ask,
  type BudgetStore,
  budgetExceeded,
  type Clock,
  type Credited,
  checkCredit,
  checkRefund,
  checkRepeated,
  checkSums,
  countedBy,
  type Draw,
  decide,
  drawnBy,
  drawsOf,
  type Ending,
  type Entry,
  type ExpiredReservation,
  type ExpirePolicy,
  expiryCharge,
  extended,
  freezing,
  type Grant,
  type Granted,
  HooshError,
  liveCredits,
  lostUsage,
  mergedDraws,
  minus,
  type NewCredit,
  type NewRefund,
  NO_REFUNDS,
  netCharge,
  notHeld,
  nothing,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  plus,
  type Refunded,
  type Reservation,
  type ReserveRequest,
  released,
  reversalOf,
  type Settlement,
  settled,
  strangeEntry,
  undrawn,
} from '@hoosh/core/storage'
import type Database from 'libsql'
import { booksOf, type Held } from './books.js'

type Books = ReturnType<typeof booksOf>

/**
 * Budgets in the app's own SQLite tables. What may be held and what is charged, the rules of hoosh decide; a store reads what
 * they need, asks them, and writes what they say, all in one transaction that no other writer can step into.
 */
export function ownBudgets(db: Database.Database, clock: Clock = Date.now): BudgetStore {
  const books = booksOf(db)
  const step = <T>(work: () => T): T => inTransaction(db, work)
  return {
    reserve: (request) => step(() => reserve(books, request, clock())),
    extend: (id, ask) => step(() => extend(books, id, ask, clock())),
    renew: (running, leaseMs) => step(() => renew(books, running, clock() + leaseMs)),
    settle: (id, actual) => step(() => end(books, id, (held) => settled(held, actual), clock())),
    release: (id) => step(() => end(books, id, released, clock())),
    expire: (policy) => step(() => expire(books, policy, clock())),
    credit: (pool, credit, now) => step(() => give(books, pool, credit, now, clock())),
    refund: (refund) => step(() => giveBack(books, refund, clock())),
    define: (pool, terms) => step(() => books.saveOverride(pool, terms)),
    freeze: (pool, frozen) => step(() => freeze(books, pool, frozen)),
    forget: (pool) => step(() => forget(books, pool)),
    read: (pools, now) => step(() => pools.map((pool) => books.accountNow(pool, now, clock()))),
    list: ({ limit, after = '', now }) =>
      step(() => books.pools(after, limit).map((pool) => books.accountNow(pool, now, clock()))),
    entries: (pool, { limit, before = String(Number.MAX_SAFE_INTEGER) }) => {
      if (!/^\d{1,16}$/.test(before)) throw strangeEntry()
      return step(() => books.entries(pool, Number(before), limit))
    },
    find: (query) => step(() => find(books, query)),
    overrides: () => step(() => books.overrides()),
  }
}

/** A refusal undoes the whole step. Whatever the database says is its own affair, and callers are told to come again. */
function inTransaction<T>(db: Database.Database, work: () => T): T {
  try {
    return db.transaction(work).immediate()
  } catch (cause) {
    if (cause instanceof HooshError) throw cause
    throw new HooshError('store_unavailable', { cause })
  }
}

function freeze(books: Books, pool: PoolAsk, frozen: boolean): PoolTerms | null {
  const terms = freezing(pool, books.overrideOf(pool.name), frozen)
  books.saveOverride(pool.name, terms)
  return terms
}

function reserve(books: Books, request: ReserveRequest, at: number): Grant {
  const { id, owner, ask, now, maxOpen } = request
  const first = books.reservation(id)
  if (first !== undefined) {
    checkRepeated({ ...first, pools: first.accounts.map(({ pool }) => pool) }, request)
    return grantOf(first, first.outputTokens, books.accountsOf(first, at), [])
  }
  const pools = [...new Map(request.pools.map((pool) => [pool.name, pool])).values()]
  const isAsked = ({ accounts }: Held) => accounts.some(({ pool }) => pools.some(({ name }) => name === pool))
  const late = books.late(at, Number.MAX_SAFE_INTEGER).filter(isAsked)
  const expired = late.map((held) => expireOne(books, held, request, at))
  if (maxOpen !== undefined && books.open(owner).length >= maxOpen) throw tooMany(maxOpen)
  const accounts = pools.map((pool) => books.accountNow(pool, now, at))
  const decision = decide(ask, accounts)
  if (!decision.granted) throw budgetExceeded(decision, now)

  for (const pool of pools) books.saveTemplate(pool)
  const held = born(request, decision, accounts, at)
  hold(books, held, accounts, decision.amount)
  return grantOf(held, decision.outputTokens, books.accountsOf(held, at), expired)
}

function born(request: ReserveRequest, granted: Granted, accounts: readonly PoolState[], at: number): Held {
  const { id, owner, phase, leaseMs, call } = request
  return {
    ...{ id, owner, phase, call, state: 'held' },
    held: granted.amount,
    counted: granted.fixed,
    charged: nothing,
    corrected: null,
    refunds: NO_REFUNDS,
    leaseUntil: at + leaseMs,
    outputTokens: granted.outputTokens,
    accounts: accounts.map(({ name, windowStart }) => ({ pool: name, windowStart, draws: [] })),
  }
}

function grantOf(held: Held, outputTokens: number, pools: PoolState[], expired: ExpiredReservation[]): Grant {
  return { outputTokens, held: held.held, leaseUntil: held.leaseUntil, pools, expired }
}

/** Holds an amount more in accounts as they stand: their credits pay what the rules say. */
function hold(books: Books, held: Held, accounts: readonly PoolState[], amount: Amount): void {
  for (const [index, state] of accounts.entries()) {
    const draws = drawsOf(amount, state)
    const account = held.accounts[index]!
    account.draws = mergedDraws(account.draws, draws)
    moveCredits(books, state.name, draws, minus)
    books.saveAccount({ ...state, held: plus(state.held, amount), drawn: plus(state.drawn, drawnBy(draws)) })
  }
  books.saveReservation(held)
}

function moveCredits(
  books: Books,
  pool: string,
  draws: readonly Draw[],
  by: (left: Amount, draw: Amount) => Amount,
): void {
  const known = draws.length === 0 ? [] : books.credits(pool)
  for (const draw of draws) {
    const credit = known.find(({ id }) => id === draw.credit)!
    books.saveCredit(pool, { ...credit, left: by(credit.left, draw) })
  }
}

function tooMany(maxOpen: number): HooshError {
  const message = `${maxOpen} of your reservations are open, the most there may be; settle or release some first.`
  return new HooshError('too_many_reservations', { message })
}

function extend(books: Books, id: string, ask: Ask, at: number): Grant {
  const held = books.reservation(id)
  if (held?.state !== 'held') throw notHeld(id)
  const accounts = books.accountsOf(held, at)
  const decision = decide(ask, accounts)
  if (!decision.granted) throw budgetExceeded(decision, at)
  Object.assign(held, extended(held, decision))
  hold(books, held, accounts, decision.amount)
  return grantOf(held, decision.outputTokens, books.accountsOf(held, at), [])
}

function renew(books: Books, running: readonly { id: string; counted: Amount }[], leaseUntil: number): string[] {
  return running.flatMap(({ id, counted }) => {
    const held = books.reservation(id)
    if (held?.state !== 'held') return [id]
    books.saveReservation({ ...held, counted: countedBy(counted, held), leaseUntil })
    return []
  })
}

/** Books a settle or a release, unless it only repeats one. */
function end(books: Books, id: string, rule: (held: Held) => Ending, at: number): Settlement {
  const held = books.reservation(id)
  if (held === undefined) throw notHeld(id)
  const ending = rule(held)
  const { outcome, overrun, repeated, charged } = ending
  if (!repeated) {
    for (const account of books.accountsOf(held, at)) checkSums(account, charged, ending.freed)
    const after = outcome === 'corrected' ? { corrected: ending.actual } : { state: outcome, charged }
    post(books, held, after, ending, at)
  }
  const pools = books.accountsOf(held, at)
  return { outcome, overrun, repeated, pools, ...(held.lost !== undefined && { reversal: reversalOf(held.lost) }) }
}

function expireOne(books: Books, held: Held, { onExpire }: ExpirePolicy, at: number): ExpiredReservation {
  const { id, owner, phase, call } = held
  const charged = expiryCharge(held, onExpire)
  const pools = held.accounts.map(({ pool }) => pool)
  const usage = call === undefined ? undefined : lostUsage({ ...held, call, charged, pools, at })
  const posting = { kind: 'expired', freed: held.held, charged, overrun: nothing } as const
  post(books, held, { state: 'expired', charged, lost: usage }, posting, at)
  const booked = books.accountsOf(held, at)
  return { id, owner, phase, pools, charged, booked, ...(usage !== undefined && { usage }) }
}

type Posting = Pick<Ending, 'kind' | 'freed' | 'charged' | 'overrun'> & Partial<Pick<Entry, 'reference' | 'note'>>

/** Writes down what ended or mended a reservation: credits get back what it does not use. */
function post(books: Books, held: Held, after: Partial<Held>, posting: Posting, at: number): void {
  const { kind, freed, charged, overrun, reference = null, note = null } = posting
  const from = netCharge(held)
  const to = held.state === 'held' ? charged : plus(from, charged)
  const states = books.accountsOf(held, at)
  for (const account of held.accounts) {
    const { pool, windowStart } = account
    books.addEntry({ pool, windowStart, reservation: held.id, kind, amount: charged, overrun, at, reference, note })
    const state = states.find(({ name }) => name === pool)
    if (state === undefined) continue
    const undone = undrawn(account.draws, from, to, state.windowEnd)
    if (undone !== null) account.draws = undone.kept
    const back = undone?.back ?? []
    moveCredits(books, pool, back, plus)
    const figures = { used: plus(state.used, charged), held: minus(state.held, freed) }
    books.saveAccount({ ...state, ...figures, drawn: minus(state.drawn, drawnBy(back)) })
  }
  books.saveReservation(Object.assign(held, after))
}

/** Credits whose end one sweep enters. */
const MOST_OVER = 100

function expire(books: Books, policy: ExpirePolicy & { limit: number }, at: number): ExpiredReservation[] {
  const expired = books.late(at, policy.limit).map((late) => expireOne(books, late, policy, at))
  for (const { pool, credit } of books.overCredits(at, MOST_OVER)) {
    enterCredit(books, pool, 'credit_expired', credit, credit.left, at)
    books.saveCredit(pool, { ...credit, left: nothing })
  }
  return expired
}

function give(books: Books, pool: PoolAsk, credit: NewCredit, now: number, at: number): Credited {
  const { id, amount, expiresAt, note } = credit
  books.accountNow(pool, now, at) // refuses a pool that nobody knows
  const known = books.credits(pool.name)
  const repeated = checkCredit(
    credit,
    known.find((one) => one.id === id),
    liveCredits(known, at),
    at,
  )
  if (!repeated) {
    books.saveTemplate(pool)
    books.saveCredit(pool.name, { id, amount, left: amount, expiresAt, note })
    enterCredit(books, pool.name, 'credit', credit, amount, at)
  }
  return { repeated, pool: books.accountNow(pool, now, at) }
}

function enterCredit(
  books: Books,
  pool: string,
  kind: 'credit' | 'credit_expired',
  { id, note }: NewCredit,
  amount: Amount,
  at: number,
): void {
  const about = { reservation: null, windowStart: null, overrun: nothing }
  books.addEntry({ ...about, pool, kind, amount, at, reference: id, note })
}

function giveBack(books: Books, refund: NewRefund, at: number): Refunded {
  const held = books.reservation(refund.reservation)
  if (held === undefined) throw notHeld(refund.reservation)
  const { id, amount, note } = refund
  const repeated = checkRefund(held, refund)
  if (!repeated) {
    const posting = { kind: 'refund', freed: nothing, charged: minus(nothing, amount), overrun: nothing } as const
    const after = { refunds: [...held.refunds, { id, amount, note }] }
    post(books, held, after, { ...posting, reference: id, note }, at)
  }
  return { repeated, pools: books.accountsOf(held, at) }
}

/** A pool whose name is not used again goes once nothing is held in it any more. */
function forget(books: Books, pool: string): boolean {
  books.saveOverride(pool, null)
  if (books.isHeldIn(pool)) return false
  books.drop(pool)
  return true
}

function find(books: Books, query: Parameters<BudgetStore['find']>[0]): Reservation | null {
  if ('id' in query) return reservationOf(books.reservation(query.id))
  const { tokens = 0, nanoUsd = 0 } = query.amount
  const isSought = ({ accounts, held }: Held) =>
    accounts.length === 1 && accounts[0]?.pool === query.pool && held.tokens === tokens && held.nanoUsd === nanoUsd
  return reservationOf(books.open(query.owner).find(isSought))
}

function reservationOf(held: Held | undefined): Reservation | null {
  if (held === undefined) return null
  const { id, owner, phase, state, counted, leaseUntil, accounts, held: amount } = held
  const holds = accounts.map(({ pool, windowStart }) => ({ pool, windowStart, amount }))
  return { id, owner, phase, state, counted, leaseUntil, holds }
}
