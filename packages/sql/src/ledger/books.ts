import {
  type Amount,
  type CallFacts,
  type Credit,
  type Draw,
  type Ending,
  type ExpiredReservation,
  type Hold,
  lostUsage,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  type Refund,
  type Reservation,
  type ReserveRequest,
  type Standing,
  storedCall,
  type UsageRecord,
  unknownPool,
  windowAt,
} from '@hoosh/core/storage'
import { creditsOf, giveBack } from './credits.js'
import { nextNumber } from './numbers.js'

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] }

/** A pool as it was last spoken of. */
export interface Pool {
  readonly name: string
  /** What the host's template said when the pool was last held in, or the override that stood in for one. */
  template: PoolTerms | null
  override: PoolTerms | null
  /** Number of its last entry about a credit; 0 where it was never given one. */
  creditEntry: number
}

/** A pool in one window. Its amounts are changed in place. */
export interface Account {
  readonly pool: Pool
  readonly windowStart: number
  windowEnd: number | null
  readonly used: Amount
  readonly held: Amount
  /** What credits pay of both. */
  readonly drawn: Amount
  lastEntry: number
}

/** What is known of a call, and whether its usage is kept by somebody else. */
export type KeptCall = CallFacts & Pick<ReserveRequest, 'usageElsewhere'>

/** A reservation. Its amounts are never changed in place, so that answers may carry them. */
export interface Held extends Mutable<Standing> {
  readonly owner: string
  readonly phase: Reservation['phase']
  readonly accounts: readonly Account[]
  /** Output tokens of the first grant. */
  readonly outputTokens: number
  readonly since: number
  /** The audit record that told of the call before it began, where it is kept here. */
  readonly intent: { readonly id: string; readonly at: number } | null
  /** `KeptCall` as JSON, which is read only where the call is lost; null where it is no call. */
  readonly call: string | null
  overrun: Amount
  leaseUntil: number
  endedAt: number | null
  /** Numbers of the entries that ended it, one an account; empty while it is held. */
  entries: readonly number[]
  /** What it took from the credits of each account; null where it took nothing. */
  draws: readonly (readonly Draw[])[] | null
  refunds: readonly Refund[]
  /** `beside` of each row where one of them was damaged; null where both of the above are known. */
  readonly unread: readonly (string | null)[] | null
}

/** An entry that ended no reservation. */
export interface Correction {
  readonly kind: 'correction' | 'refund' | 'credit' | 'credit_expired'
  /** Of a credit its id. */
  readonly reservation: string
  readonly pool: string
  /** Of a credit 0. */
  readonly windowStart: number
  readonly entry: number
  readonly amount: Amount
  readonly overrun: Amount
  readonly reference: string | null
  readonly note: string | null
}

/** What one transaction knows of the ledger, and what it has changed. */
export interface Books {
  /** The store's clock, one moment for all of the transaction. */
  readonly at: number
  readonly pools: Map<string, Pool>
  readonly accounts: Map<string, Account>
  readonly reservations: Map<string, Held>
  /** Ids of those that cannot be read: an account that they hold in is gone. */
  readonly damaged: Set<string>
  /** By pool and id those that can be spent or were drawn on by its reservations; a pool without a credit has no entry. */
  readonly credits: Map<string, Map<string, Credit>>
  /** Held, and past their lease. */
  readonly overdue: Set<Held>
  /** How many reservations in phase `reserved` an owner has open, of those owners that were asked for. */
  readonly open: Map<string, number>
  readonly changed: {
    readonly pools: Set<Pool>
    readonly accounts: Set<Account>
    readonly born: Set<Held>
    readonly reservations: Set<Held>
    readonly corrections: Correction[]
    /** By pool, the ids. */
    readonly credits: Map<string, Set<string>>
  }
  /** The number given last. */
  lastEntry: number
}

export function emptyBooks(at: number, lastEntry: number): Books {
  return {
    at,
    pools: new Map(),
    accounts: new Map(),
    reservations: new Map(),
    damaged: new Set(),
    credits: new Map(),
    overdue: new Set(),
    open: new Map(),
    changed: {
      pools: new Set(),
      accounts: new Set(),
      born: new Set(),
      reservations: new Set(),
      corrections: [],
      credits: new Map(),
    },
    lastEntry,
  }
}

export function accountKey(pool: string, windowStart: number): string {
  return `${windowStart} ${pool}`
}

/** @throws HooshError `unknown_pool` where neither an override nor a template says what the pool is */
export function termsFor(pool: Pool | undefined, { name, terms }: PoolAsk): PoolTerms {
  const found = pool?.override ?? terms
  if (found !== null) return found
  throw unknownPool(name)
}

/** The account of a pool now; one that is new is in no book yet, since a refusal must leave no trace. */
export function accountFor({ pools, accounts }: Pick<Books, 'pools' | 'accounts'>, ask: PoolAsk, now: number): Account {
  const pool = pools.get(ask.name) ?? newPool(ask.name)
  const { start, end } = windowAt(termsFor(pool, ask), now)
  const known = accounts.get(accountKey(ask.name, start))
  if (known !== undefined && known.windowEnd === end) return known
  const amounts = known ?? { used: zero(), held: zero(), drawn: zero(), lastEntry: 0 }
  return { ...amounts, pool: known?.pool ?? pool, windowStart: start, windowEnd: end }
}

const zero = (): Amount => ({ tokens: 0, nanoUsd: 0 })

/** A pool that nobody has spoken of. */
export function newPool(name: string): Pool {
  return { name, template: null, override: null, creditEntry: 0 }
}

/** Enters an account that `accountFor` has made, and what the host's template says now. */
export function enterAccount(books: Books, account: Account, terms: PoolTerms | null, sameTerms: SameTerms): Account {
  const { name } = account.pool
  const key = accountKey(name, account.windowStart)
  // Of two calls of one transaction, the first may have made the pool or the account that this one holds a blank of.
  const pool = books.pools.get(name) ?? account.pool
  const template = terms ?? pool.override
  if (!books.pools.has(name) || !sameTerms(pool.template, template)) {
    pool.template = template
    books.pools.set(name, pool)
    books.changed.pools.add(pool)
  }
  const entered = books.accounts.get(key) ?? { ...account, pool }
  entered.windowEnd = account.windowEnd
  books.accounts.set(key, entered)
  return entered
}

export type SameTerms = (a: PoolTerms | null, b: PoolTerms | null) => boolean

/** Adds to what the accounts of a reservation hold. */
export function hold(books: Books, { accounts }: Held, amount: Amount): void {
  for (const account of accounts) {
    account.held.tokens += amount.tokens
    account.held.nanoUsd += amount.nanoUsd
    books.changed.accounts.add(account)
  }
}

/** Books what ends or mends a reservation in all its accounts; returns the numbers of the entries. */
export function post(books: Books, held: Held, ending: Pick<Ending, 'freed' | 'charged'>): number[] {
  const { freed, charged } = ending
  if (held.draws !== null) giveBack(books, held, held.draws, charged)
  return held.accounts.map((account) => {
    account.used.tokens += charged.tokens
    account.used.nanoUsd += charged.nanoUsd
    account.held.tokens -= freed.tokens
    account.held.nanoUsd -= freed.nanoUsd
    books.changed.accounts.add(account)
    account.lastEntry = nextNumber(books, Math.max(account.lastEntry, account.pool.creditEntry))
    return account.lastEntry
  })
}

/** Takes a hold off the open ones. */
export function close(books: Books, held: Held, state: Exclude<Held['state'], 'held'>, charged: Amount): void {
  held.state = state
  held.charged = charged
  held.endedAt = books.at
  books.overdue.delete(held)
  books.changed.reservations.add(held)
  const open = books.open.get(held.owner)
  if (open !== undefined && held.phase === 'reserved') books.open.set(held.owner, open - 1)
}

/** Figures of now that nobody changes any more. */
export function stateOf(
  books: Pick<Books, 'credits' | 'at'>,
  { pool, windowStart, windowEnd, used, held, drawn }: Account,
  terms: PoolTerms | null = null,
): PoolState {
  const inForce = pool.override ?? terms ?? pool.template
  if (inForce === null) throw unknownPool(pool.name)
  return {
    name: pool.name,
    terms: inForce,
    windowStart,
    windowEnd,
    used: { tokens: used.tokens, nanoUsd: used.nanoUsd },
    held: { tokens: held.tokens, nanoUsd: held.nanoUsd },
    drawn: { tokens: drawn.tokens, nanoUsd: drawn.nanoUsd },
    credits: creditsOf(books, pool),
  }
}

export function reservationOf(held: Held): Reservation {
  const { id, owner, phase, state, counted, leaseUntil, accounts, held: amount } = held
  const holds = accounts.map(({ pool, windowStart }): Hold => ({ pool: pool.name, windowStart, amount }))
  return { id, owner, phase, state, holds, counted, leaseUntil }
}

export function expiredOf(held: Held): ExpiredReservation {
  const { id, owner, phase, accounts, charged } = held
  const usage = usageOf(held)
  return { id, owner, phase, pools: accounts.map(({ pool }) => pool.name), charged, ...(usage !== null && { usage }) }
}

/** The usage record of a call that has expired; null where it was no call, or nobody can read which. */
export function usageOf(held: Held): UsageRecord | null {
  const kept = held.call === null ? null : storedCall<KeptCall>(held.call)
  if (kept === null) return null
  const pools = held.accounts.map(({ pool }) => pool.name)
  const { usageElsewhere: _elsewhere, ...call } = kept
  return lostUsage({ ...held, pools, call, at: held.endedAt! })
}

/** Whether that record is kept here, beside the ledger. */
export function keepsUsage({ call }: Held): boolean {
  return call !== null && storedCall<KeptCall>(call)?.usageElsewhere !== true
}
