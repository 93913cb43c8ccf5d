import type { Amount, Credit, Reservation } from '@hoosh/core/storage'
import { windowAt } from '@hoosh/core/storage'
import type { Connection } from '../connection.js'
import type { Columns, Dialect } from '../dialect.js'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'
import { besideOf } from './beside.js'
import { type Account, accountKey, type Books, type Held, newPool, type Pool } from './books.js'
import { ledgerLocks, oldestLate } from './lock.js'
import type { LedgerNeeds } from './needs.js'
import type { TermsCodec } from './terms.js'

export type Loader = ReturnType<typeof ledgerLoader>

type Row = Record<string, unknown>

/** The reads of the ledger: a few for all steps of a transaction together. Integers may come as bigint or text. */
export function ledgerLoader(dialect: Dialect, tables: Tables, codec: TermsCodec, lockWaitMs: number) {
  const sql = ledgerStatements(dialect, tables)
  const locks = dialect.locksRows ? ledgerLocks(dialect, tables, lockWaitMs) : null
  const reader: Reader = { dialect, sql, codec }
  /** Without locking anything: for whoever only looks, or has the whole database locked. */
  const look = async (runner: Runner, books: Books, needs: LedgerNeeds, late: boolean): Promise<void> => {
    await countOpen(reader, runner, books, needs)
    const rows = await loadHolds(reader, runner, books, needs, late)
    const named = [...needs.asks.map(({ pool }) => pool.name), ...needs.pools, ...rows.map(({ pool }) => String(pool))]
    if (named.length > 0) await loadPools(reader, runner, books, new Set(named))
    await enter(reader, runner, books, needs, rows)
  }
  return {
    loadPools: (runner: Runner, books: Pick<Books, 'pools'>, names: Iterable<string>) =>
      loadPools(reader, runner, books, names),
    loadAccounts: (runner: Runner, books: Pick<Books, 'pools' | 'accounts'>, windows: Windows) =>
      loadAccounts(reader, runner, books, windows),
    loadCredits: (runner: Runner, books: Books) => loadCredits(reader, runner, books, []),
    look,
    /** Before a transaction that is going to `load`. */
    prepare: async (connection: Connection, needs: LedgerNeeds) => locks?.prepare(connection, needs),
    /** In the transaction, before a `load`: what `prepare` has not made by then. */
    prepareInside: async (runner: Runner, needs: LedgerNeeds) => locks?.prepareInside(runner, needs),
    /** Fills the books with all that the steps need, and with the overdue holds of the pools they hold in. */
    async load(runner: Runner, books: Books, needs: LedgerNeeds, late: boolean): Promise<void> {
      if (locks === null) return look(runner, books, needs, late)
      enterPools(codec, books, await locks.lock(runner, books.at, needs, late))
      await countOpen(reader, runner, books, needs)
      const rows = await loadHolds(reader, runner, books, needs, late)
      await enter(reader, runner, books, needs, locks.ofLockedPools(rows, books, needs))
    },
  }
}

interface Reader {
  readonly dialect: Dialect
  readonly sql: ReturnType<typeof ledgerStatements>
  readonly codec: TermsCodec
}

type Windows = ReadonlyMap<string, readonly [pool: string, start: number]>

const WINDOW: Columns = { pool: 'text', window_start: 'integer' }
const CREDIT: Columns = { pool: 'text', credit: 'text' }

function ledgerStatements(dialect: Dialect, { pools, accounts, holds, credits }: Tables) {
  const { strings } = dialect
  return {
    findHolds: statement<Row>(dialect, `select * from ${holds} where reservation in ${strings} order by since, place`),
    findHoldsAndLate: statement<Row>(
      dialect,
      `select * from ${holds} where reservation in (
        select value from ${strings} as ids
        union select reservation from ${holds} where state = 'held' and lease_until <= ? and pool in ${strings}
        union ${oldestLate(holds)}
      ) order by since, place`,
    ),
    findPools: statement<Row>(
      dialect,
      `select name, template, override, credit_entry from ${pools} where name in ${strings}`,
    ),
    findAccounts: statement<Row>(
      dialect,
      `select a.* from ${dialect.rows(WINDOW)} as w
        cross join ${accounts} as a where a.pool = w.pool and a.window_start = w.window_start`,
    ),
    findLeft: statement<Row>(
      dialect,
      `select c.*, (select max(a.last_entry) from ${accounts} as a where a.pool = c.pool) as last_entry
        from ${credits} as c where c.pool in ${strings} and (c.left_tokens > 0 or c.left_nano_usd > 0)`,
    ),
    findCredits: statement<Row>(
      dialect,
      `select c.* from ${dialect.rows(CREDIT)} as k
        cross join ${credits} as c where c.pool = k.pool and c.credit = k.credit`,
    ),
    countOpen: statement<Row>(
      dialect,
      `select owner, count(distinct reservation) as open from ${holds}
        where state = 'held' and phase = 'reserved' and owner in ${strings} group by owner`,
    ),
  }
}

async function loadPools(
  { dialect, sql, codec }: Reader,
  runner: Runner,
  books: Pick<Books, 'pools'>,
  names: Iterable<string>,
): Promise<void> {
  enterPools(codec, books, await sql.findPools(runner, dialect.list([...names])))
}

function enterPools(codec: TermsCodec, { pools }: Pick<Books, 'pools'>, rows: readonly Row[]): void {
  for (const row of rows) {
    const name = String(row.name)
    const terms = { template: codec.read(row.template), override: codec.read(row.override) }
    pools.set(name, { name, ...terms, creditEntry: Number(row.credit_entry) })
  }
}

async function loadAccounts(
  { dialect, sql }: Reader,
  runner: Runner,
  books: Pick<Books, 'pools' | 'accounts'>,
  windows: Windows,
): Promise<void> {
  if (windows.size === 0) return
  for (const row of await sql.findAccounts(runner, ...dialect.rowsParameters(WINDOW, [...windows.values()]))) {
    const account = accountOf(row, poolOf(books, String(row.pool)))
    books.accounts.set(accountKey(account.pool.name, account.windowStart), account)
  }
}

/** What is left of the credits of all pools in the books that have any, and those that are named or drawn on. */
async function loadCredits(
  { dialect, sql }: Reader,
  runner: Runner,
  books: Books,
  named: LedgerNeeds['credits'],
): Promise<void> {
  const credited = [...books.pools.values()].filter(({ creditEntry }) => creditEntry > 0).map(({ name }) => name)
  const keys = new Map(named.map(({ pool, credit }) => [JSON.stringify([pool, credit]), [pool, credit]]))
  for (const { accounts, draws } of books.reservations.values()) {
    for (const [place, of] of draws?.entries() ?? []) {
      const { name } = accounts[place]!.pool
      for (const { credit } of of) keys.set(JSON.stringify([name, credit]), [name, credit])
    }
  }
  const rows = credited.length === 0 ? [] : await sql.findLeft(runner, dialect.list(credited))
  // Another process may have settled in the same millisecond, and entries stand in the order they were made.
  for (const row of rows) {
    const pool = books.pools.get(String(row.pool))!
    pool.creditEntry = Math.max(pool.creditEntry, Number(row.last_entry))
  }
  if (keys.size > 0)
    rows.push(...(await sql.findCredits(runner, ...dialect.rowsParameters(CREDIT, [...keys.values()]))))
  for (const row of rows) {
    const pool = String(row.pool)
    const known = books.credits.get(pool) ?? new Map<string, Credit>()
    books.credits.set(pool, known.set(String(row.credit), creditOf(row)))
  }
}

function creditOf(row: Row): Credit {
  return {
    id: String(row.credit),
    amount: { tokens: Number(row.tokens), nanoUsd: Number(row.nano_usd) },
    left: amountOf(row, 'left'),
    expiresAt: numberOr(row.until),
    note: row.note === null ? null : String(row.note),
  }
}

async function loadHolds(
  { dialect, sql }: Reader,
  runner: Runner,
  { at }: Books,
  { reservations, asks, overdue }: LedgerNeeds,
  late: boolean,
): Promise<Row[]> {
  const ids = dialect.list([...reservations])
  if (late && (asks.length > 0 || overdue > 0)) {
    const asked = dialect.list([...new Set(asks.map(({ pool }) => pool.name))])
    return sql.findHoldsAndLate(runner, ids, at, asked, at, overdue)
  }
  return reservations.size === 0 ? [] : sql.findHolds(runner, ids)
}

/**
 * How many reservations of each owner are open. Counted before holds are read: of a reservation that somebody else makes
 * under the same id, in pools that are not locked here, either nothing is seen yet or that it exists.
 */
async function countOpen(
  { dialect, sql }: Reader,
  runner: Runner,
  { open }: Books,
  { owners }: LedgerNeeds,
): Promise<void> {
  if (owners.size === 0) return
  for (const owner of owners) open.set(owner, 0)
  for (const row of await sql.countOpen(runner, dialect.list([...owners])))
    open.set(String(row.owner), Number(row.open))
}

/** All that the rows and the asks speak of, in windows that are known only once the pools are. */
async function enter(
  reader: Reader,
  runner: Runner,
  books: Books,
  { asks, credits }: LedgerNeeds,
  rows: readonly Row[],
): Promise<void> {
  const windows = windowsOf(books, asks)
  for (const { pool, window_start } of rows) {
    windows.set(accountKey(String(pool), Number(window_start)), [String(pool), Number(window_start)])
  }
  await loadAccounts(reader, runner, books, windows)
  enterHolds(books, rows)
  await loadCredits(reader, runner, books, credits)
}

/** The windows that asks fall in; one that nobody knows the terms of has none. */
export function windowsOf(
  { pools }: Pick<Books, 'pools'>,
  asks: LedgerNeeds['asks'],
): Map<string, readonly [pool: string, start: number]> {
  const windows = new Map<string, readonly [string, number]>()
  for (const { pool, now } of asks) {
    const terms = pools.get(pool.name)?.override ?? pool.terms
    if (terms === null) continue
    const { start } = windowAt(terms, now)
    windows.set(accountKey(pool.name, start), [pool.name, start])
  }
  return windows
}

function poolOf({ pools }: Pick<Books, 'pools'>, name: string): Pool {
  return pools.get(name) ?? newPool(name)
}

function accountOf(row: Row, pool: Pool): Account {
  return {
    pool,
    windowStart: Number(row.window_start),
    windowEnd: numberOr(row.window_end),
    used: amountOf(row, 'used'),
    held: amountOf(row, 'held'),
    drawn: amountOf(row, 'drawn'),
    lastEntry: Number(row.last_entry),
  }
}

/** Reservations from their rows, which come one a pool and in the order of the pools. */
function enterHolds(books: Books, rows: readonly Row[]): void {
  const byReservation = new Map<string, Row[]>()
  for (const row of rows) {
    const parts = byReservation.get(String(row.reservation))
    if (parts === undefined) byReservation.set(String(row.reservation), [row])
    else parts.push(row)
  }
  for (const [id, parts] of byReservation) {
    const accounts = parts.flatMap(
      ({ pool, window_start }) => books.accounts.get(accountKey(String(pool), Number(window_start))) ?? [],
    )
    if (accounts.length < parts.length) {
      books.damaged.add(id)
      continue
    }
    const held = heldOf(id, parts, accounts)
    books.reservations.set(id, held)
    if (held.state === 'held' && held.leaseUntil <= books.at) books.overdue.add(held)
  }
}

export function heldOf(id: string, parts: readonly Row[], accounts: readonly Account[]): Held {
  const row = parts[0]!
  return {
    id,
    owner: String(row.owner),
    phase: row.phase as Reservation['phase'],
    state: row.state as Reservation['state'],
    accounts,
    held: amountOf(row, 'held'),
    counted: amountOf(row, 'counted'),
    charged: amountOf(row, 'charged'),
    overrun: amountOf(row, 'overrun'),
    corrected: row.corrected_tokens === null ? null : amountOf(row, 'corrected'),
    outputTokens: Number(row.output_tokens),
    since: Number(row.since),
    leaseUntil: Number(row.lease_until),
    endedAt: numberOr(row.ended_at),
    intent: row.intent_id === null ? null : { id: String(row.intent_id), at: Number(row.intent_at) },
    call: row.call === null ? null : String(row.call),
    entries: parts.flatMap(({ entry }) => (entry === null ? [] : [Number(entry)])),
    ...besideOf(parts.map(({ beside }) => beside)),
  }
}

export function amountOf(row: Row, what: string): Amount {
  return { tokens: Number(row[`${what}_tokens`]), nanoUsd: Number(row[`${what}_nano_usd`]) }
}

function numberOr(value: unknown): number | null {
  return value === null ? null : Number(value)
}
