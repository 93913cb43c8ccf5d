import { type Amount, minus, plus } from '../amount.js'
import type { CallFacts, UsageRecord } from '../cost/store.js'
import type { Ending, Refund, Standing } from './ending.js'
import { Account } from './memory-account.js'
import { giveBack } from './memory-credits.js'
import { type About, memoryPostings, type Postings } from './memory-postings.js'
import {
  enterReservation,
  memoryReservations,
  type Reservations,
  reservationIn,
  retireReservation,
} from './memory-reservations.js'
import { type OpenHolds, overdueOf, withHold, withoutHold } from './open-holds.js'
import type { Credit, Draw, Entry, ExpiredReservation, Hold, PoolAsk, Reservation } from './store.js'
import type { PoolTerms } from './terms.js'
import { unknownPool } from './unknown-pool.js'
import { windowAt } from './window.js'

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] }

export interface Pool {
  readonly name: string
  /** What the host's template said when the pool was last held in, or the override that stood in for one. */
  template: PoolTerms | null
  /** Of the window that was entered last. */
  newest: Account | null
  /** The windows before, newest last; those that are long over are dropped. */
  earlier: readonly Account[]
  open: OpenHolds<Held>
  /** All that were ever given, by id; null where none was. */
  credits: Map<string, Credit> | null
}

/** A reservation. Its amounts are never changed in place, so answers may carry them. */
export interface Held extends Mutable<Standing> {
  /** Its place in the books; -1 until it is entered. */
  row: number
  readonly owner: string
  readonly phase: Reservation['phase']
  readonly accounts: readonly Account[]
  /** Output tokens of the first grant. */
  readonly outputTokens: number
  leaseUntil: number
  /** What its usage record says should nobody settle it; of one that has ended nobody asks. */
  call: CallFacts | undefined
  /** The usage record of a call that has expired. */
  lost: UsageRecord | undefined
  /** What it took from the credits of each account; null where it took nothing. */
  draws: readonly (readonly Draw[])[] | null
  refunds: readonly Refund[]
  /** A part of it is held in another store: see `slices/mixed.ts`. */
  isMixed: boolean
}

/** The whole ledger of one process. */
export interface Books {
  readonly pools: Map<string, Pool>
  readonly overrides: Map<string, PoolTerms>
  readonly reservations: Reservations
  /** Open reservations in phase `reserved`, oldest first. */
  readonly byOwner: Map<string, Set<Held>>
  readonly postings: Postings
  /** Pools with credits whose end is still to be entered. */
  readonly expiring: Set<Pool>
}

/** Windows of a pool that are remembered although they are over and nothing is held in them: a clock may step back. */
const PAST_WINDOWS = 4

export function emptyBooks(maxEnded: number, maxEntries: number): Books {
  return {
    pools: new Map(),
    overrides: new Map(),
    reservations: memoryReservations(maxEnded),
    byOwner: new Map(),
    postings: memoryPostings(maxEntries),
    expiring: new Set(),
  }
}

/** @throws HooshError `unknown_pool` where neither an override nor a template says what the pool is */
export function termsFor(books: Books, { name, terms }: PoolAsk): PoolTerms {
  const found = books.overrides.get(name) ?? terms
  if (found !== null) return found
  throw unknownPool(name)
}

/** The account of a pool now, in no book yet where it is new: a refusal must leave no trace. */
export function accountFor(books: Books, ask: PoolAsk, now: number): Account {
  const terms = termsFor(books, ask)
  const window = windowAt(terms, now)
  const pool = books.pools.get(ask.name) ?? newPool(ask.name)
  const known = accountOf(pool, window.start)
  if (known === undefined) return new Account(pool, terms, window)
  if (known.terms === terms && known.windowEnd === window.end) return known
  const changed = new Account(pool, terms, window)
  changed.used = known.used
  changed.held = known.held
  changed.drawn = known.drawn
  return changed
}

/** The same of several. Mostly it is one, and then no closure is made for it. */
export function accountsFor(books: Books, asks: readonly PoolAsk[], now: number): Account[] {
  if (asks.length === 1) return [accountFor(books, asks[0]!, now)]
  return asks.map((ask) => accountFor(books, ask, now))
}

/** Of one window. */
export function accountOf({ newest, earlier }: Pool, windowStart: number): Account | undefined {
  if (newest?.windowStart === windowStart) return newest
  return earlier.findLast((account) => account.windowStart === windowStart)
}

/** Of all windows that are remembered, newest last. */
export function accountsOf({ newest, earlier }: Pool): readonly Account[] {
  return newest === null ? earlier : [...earlier, newest]
}

/** Enters an account that `accountFor` has made; from here on it is the one account of its pool and window. */
export function enterAccount(books: Books, account: Account, template: PoolTerms | null): Account {
  const { pool, terms, window } = account
  pool.template = template ?? terms
  const known = accountOf(pool, window.start)
  if (known === account) return account
  const others = accountsOf(pool)
  for (const other of others) other.terms = terms
  if (known !== undefined) {
    known.window = window
    return known
  }
  books.pools.set(pool.name, pool)
  const past = others.length - PAST_WINDOWS + 1
  // One that is not over yet counts again as soon as the pool's terms ask for it.
  const isOver = ({ windowEnd }: Account) => windowEnd !== null && windowEnd <= window.start
  if (others.length > 0) {
    pool.earlier = others.filter(
      (other, at) => at >= past || !isOver(other) || other.held.tokens > 0 || other.held.nanoUsd > 0,
    )
  }
  pool.newest = account
  return account
}

const NO_ACCOUNTS: readonly Account[] = Object.freeze([])

function newPool(name: string): Pool {
  return {
    name,
    template: null,
    newest: null,
    earlier: NO_ACCOUNTS,
    open: null,
    credits: null,
  }
}

/** A reservation that is still held. */
export function openIn({ reservations }: Books, id: string): Held | undefined {
  const held = reservationIn(reservations, id)
  return held?.state === 'held' ? held : undefined
}

/** Enters a hold that was granted. */
export function enterHold(books: Books, held: Held): void {
  enterReservation(books.reservations, held)
  for (const account of held.accounts) {
    account.held = plus(account.held, held.held)
    const { pool } = account
    pool.open = withHold(pool.open, held)
  }
  if (held.phase === 'sent') return
  const owned = books.byOwner.get(held.owner)
  if (owned === undefined) books.byOwner.set(held.owner, new Set([held]))
  else owned.add(held)
}

/** Books what ends or mends a reservation in all its accounts. */
export function post(
  books: Books,
  held: Held,
  { kind, freed, charged, overrun }: Pick<Ending, 'kind' | 'freed' | 'charged' | 'overrun'>,
  at: number,
  about: About | null = null,
): void {
  if (held.draws !== null) giveBack(books, held, held.draws, charged)
  for (const account of held.accounts) {
    account.used = plus(account.used, charged)
    account.held = minus(account.held, freed)
  }
  const { id: reservation, accounts } = held
  books.postings.push({ reservation, accounts, about, kind, amount: charged, overrun, at })
}

/** Takes a hold off the open ones. */
export function close(books: Books, held: Held, state: Exclude<Held['state'], 'held'>, charged: Amount): void {
  held.state = state
  held.charged = charged
  held.call = undefined
  for (const { pool } of held.accounts) {
    pool.open = withoutHold(pool.open, held)
  }
  if (held.phase === 'reserved') {
    const owned = books.byOwner.get(held.owner)
    if (owned?.delete(held) === true && owned.size === 0) books.byOwner.delete(held.owner)
  }
  retireReservation(books.reservations, held)
}

/** Takes a pool off the books, unless something is held in it. */
export function forget({ pools }: Books, name: string): boolean {
  if (pools.get(name)?.open != null) return false
  pools.delete(name)
  return true
}

/** Entries of a pool, newest first. */
export function* entriesOf(books: Books, pool: string): Generator<Entry> {
  for (const { number, reservation, accounts, about, kind, amount, overrun, at } of books.postings.newestFirst()) {
    const index = reservation === null ? 0 : accounts.findIndex(({ name }) => name === pool)
    if (index === -1 || (reservation === null && about?.pool !== pool)) continue
    yield {
      id: `${number}.${index}`,
      reservation,
      pool,
      windowStart: reservation === null ? null : accounts[index]!.windowStart,
      kind,
      amount,
      overrun,
      at,
      reference: about?.reference ?? null,
      note: about?.note ?? null,
    }
  }
}

const NO_HOLDS: readonly Held[] = Object.freeze([])

/** Holds past their lease, of any of these accounts. */
export function overdueIn(accounts: readonly Account[], at: number): readonly Held[] {
  let overdue = NO_HOLDS
  for (const { pool } of accounts) if (pool.open !== null) overdue = overdue.concat(overdueOf(pool.open, at))
  return overdue.length > 1 ? [...new Set(overdue)] : overdue
}

export function reservationOf(held: Held): Reservation {
  const { id, owner, phase, state, counted, leaseUntil, accounts, held: amount } = held
  const holds = accounts.map(({ name, windowStart }): Hold => ({ pool: name, windowStart, amount }))
  return { id, owner, phase, state, holds, counted, leaseUntil }
}

export function expiredOf({ id, owner, phase, accounts, charged, lost }: Held): ExpiredReservation {
  const pools = accounts.map(({ name }) => name)
  return { id, owner, phase, pools, charged, ...(lost !== undefined && { usage: lost }) }
}
