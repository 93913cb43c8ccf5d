import type { Amount, Reservation } from '@hoosh/core/storage'
import { windowAt } from '@hoosh/core/storage'
import type { Connection } from '../connection.js'
import type { Columns, Dialect } from '../dialect.js'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'
import { type Account, accountKey, type Books, type Held, type Pool } from './books.js'
import { ledgerLocks, oldestLate } from './lock.js'
import type { LedgerNeeds } from './needs.js'
import type { TermsCodec } from './terms.js'

export type Loader = ReturnType<typeof ledgerLoader>

type Row = Record<string, unknown>

/** The reads of the ledger: a few for all steps of a transaction together. Integers may come as bigint or text. */
export function ledgerLoader(dialect: Dialect, tables: Tables, codec: TermsCodec) {
  const { pools, accounts, holds } = tables
  const { strings } = dialect
  const locks = dialect.locksRows ? ledgerLocks(dialect, tables) : null
  const findHolds = statement<Row>(
    dialect,
    `select * from ${holds} where reservation in ${strings} order by since, place`,
  )
  const findHoldsAndLate = statement<Row>(
    dialect,
    `select * from ${holds} where reservation in (
      select value from ${strings} as ids
      union select reservation from ${holds} where state = 'held' and lease_until <= ? and pool in ${strings}
      union ${oldestLate(holds)}
    ) order by since, place`,
  )
  const findPools = statement<Row>(dialect, `select name, template, override from ${pools} where name in ${strings}`)
  const findAccounts = statement<Row>(
    dialect,
    `select a.* from ${dialect.rows(WINDOW)} as w
      cross join ${accounts} as a where a.pool = w.pool and a.window_start = w.window_start`,
  )
  const countOpen = statement<Row>(
    dialect,
    `select owner, count(distinct reservation) as open from ${holds}
      where state = 'held' and phase = 'reserved' and owner in ${strings} group by owner`,
  )

  const enterPools = (books: Pick<Books, 'pools'>, rows: readonly Row[]) => {
    for (const row of rows) {
      const name = String(row.name)
      books.pools.set(name, { name, template: codec.read(row.template), override: codec.read(row.override) })
    }
  }

  const loadPools = async (runner: Runner, books: Pick<Books, 'pools'>, names: Iterable<string>) =>
    enterPools(books, await findPools(runner, dialect.list([...names])))

  const loadAccounts = async (
    runner: Runner,
    books: Pick<Books, 'pools' | 'accounts'>,
    windows: ReadonlyMap<string, readonly [pool: string, start: number]>,
  ) => {
    if (windows.size === 0) return
    for (const row of await findAccounts(runner, ...dialect.rowsParameters(WINDOW, [...windows.values()]))) {
      const account = accountOf(row, poolOf(books, String(row.pool)))
      books.accounts.set(accountKey(account.pool.name, account.windowStart), account)
    }
  }

  const loadHolds = async (
    runner: Runner,
    books: Books,
    { reservations, asks, overdue }: LedgerNeeds,
    late: boolean,
  ) => {
    const ids = dialect.list([...reservations])
    if (late && (asks.length > 0 || overdue > 0)) {
      const asked = dialect.list([...new Set(asks.map(({ pool }) => pool.name))])
      return findHoldsAndLate(runner, ids, books.at, asked, books.at, overdue)
    }
    return reservations.size === 0 ? [] : findHolds(runner, ids)
  }

  /** All that the rows and the asks speak of, in windows that are known only once the pools are. */
  const enter = async (runner: Runner, books: Books, needs: LedgerNeeds, rows: readonly Row[]) => {
    const windows = windowsOf(books, needs.asks)
    for (const { pool, window_start } of rows) {
      windows.set(accountKey(String(pool), Number(window_start)), [String(pool), Number(window_start)])
    }
    await loadAccounts(runner, books, windows)
    enterHolds(books, rows)
    if (needs.owners.size === 0) return
    for (const owner of needs.owners) books.open.set(owner, 0)
    for (const { owner, open } of await countOpen(runner, dialect.list([...needs.owners]))) {
      books.open.set(String(owner), Number(open))
    }
  }

  /** Fills the books without locking anything: for whoever only looks, or has the whole database locked. */
  const look = async (runner: Runner, books: Books, needs: LedgerNeeds, late: boolean): Promise<void> => {
    const rows = await loadHolds(runner, books, needs, late)
    const named = [...needs.asks.map(({ pool }) => pool.name), ...needs.pools, ...rows.map(({ pool }) => String(pool))]
    if (named.length > 0) await loadPools(runner, books, new Set(named))
    await enter(runner, books, needs, rows)
  }

  return {
    loadPools,
    loadAccounts,
    look,
    /** Before a transaction that is going to `load`. */
    prepare: async (connection: Connection, needs: LedgerNeeds) => locks?.prepare(connection, needs),
    /** Fills the books with all that the steps need, and with the overdue holds of the pools they hold in. */
    async load(runner: Runner, books: Books, needs: LedgerNeeds, late: boolean): Promise<void> {
      if (locks === null) return look(runner, books, needs, late)
      enterPools(books, await locks.lock(runner, books.at, needs, late))
      const rows = await loadHolds(runner, books, needs, late)
      await enter(runner, books, needs, locks.ofLockedPools(rows, books, needs))
    },
  }
}

const WINDOW: Columns = { pool: 'text', window_start: 'integer' }

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
  return pools.get(name) ?? { name, template: null, override: null }
}

function accountOf(row: Row, pool: Pool): Account {
  return {
    pool,
    windowStart: Number(row.window_start),
    windowEnd: numberOr(row.window_end),
    used: amountOf(row, 'used'),
    held: amountOf(row, 'held'),
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
    const accounts = parts.map(
      ({ pool, window_start }) => books.accounts.get(accountKey(String(pool), Number(window_start)))!,
    )
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
  }
}

export function amountOf(row: Row, what: string): Amount {
  return { tokens: Number(row[`${what}_tokens`]), nanoUsd: Number(row[`${what}_nano_usd`]) }
}

function numberOr(value: unknown): number | null {
  return value === null ? null : Number(value)
}
