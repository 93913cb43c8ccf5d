import type { Amount, PoolAsk, Reservation } from '@hoosh/core/storage'
import { windowAt } from '@hoosh/core/storage'
import { type Runner, statement } from '../connection.js'
import type { Dialect } from '../dialect.js'
import type { Tables } from '../schema.js'
import { type Account, accountKey, type Books, type Held, type Pool } from './books.js'
import type { TermsCodec } from './terms.js'

/** What the steps of a transaction must find in the books. */
export interface LedgerNeeds {
  readonly reservations: Set<string>
  /** Pools to hold in, and the gateway's clock, which chooses the window. */
  readonly asks: { readonly pool: PoolAsk; readonly now: number }[]
  /** Pools without regard to any window. */
  readonly pools: Set<string>
  /** Owners whose open reservations count. */
  readonly owners: Set<string>
  /** Overdue holds to be found, of any pool. */
  overdue: number
}

export type Loader = ReturnType<typeof ledgerLoader>

type Row = Record<string, unknown>

/** The reads of the ledger: a few for all steps of a transaction together. Integers may come as bigint or text. */
export function ledgerLoader(dialect: Dialect, { pools, accounts, holds }: Tables, codec: TermsCodec) {
  const { strings } = dialect
  const findHolds = statement<Row>(`select * from ${holds} where reservation in ${strings} order by since, place`)
  const findAnyLate = statement<Row>(`select 1 as late from ${holds} where state = 'held' and lease_until <= ? limit 1`)
  const findHoldsAndLate = statement<Row>(`select * from ${holds} where reservation in (
    select value from ${strings} as ids
    union select reservation from ${holds} where state = 'held' and lease_until <= ? and pool in ${strings}
    union select reservation from (
      select distinct reservation, lease_until from ${holds} where state = 'held' and lease_until <= ?
      order by lease_until limit ?
    ) as late
  ) order by since, place`)
  const findPools = statement<Row>(`select name, template, override from ${pools} where name in ${strings}`)
  const findAccounts = statement<Row>(
    `select a.* from ${dialect.rows({ pool: 'text', window_start: 'integer' })} as w
      cross join ${accounts} as a where a.pool = w.pool and a.window_start = w.window_start`,
  )
  const countOpen = statement<Row>(
    `select owner, count(distinct reservation) as open from ${holds}
      where state = 'held' and phase = 'reserved' and owner in ${strings} group by owner`,
  )

  const loadPools = async (runner: Runner, books: Pick<Books, 'pools'>, names: Iterable<string>) => {
    for (const row of await findPools(runner, JSON.stringify([...names]))) {
      const name = String(row.name)
      books.pools.set(name, { name, template: codec.read(row.template), override: codec.read(row.override) })
    }
  }

  const loadAccounts = async (
    runner: Runner,
    books: Pick<Books, 'pools' | 'accounts'>,
    windows: ReadonlyMap<string, readonly [pool: string, start: number]>,
  ) => {
    if (windows.size === 0) return
    for (const row of await findAccounts(runner, JSON.stringify([...windows.values()]))) {
      const account = accountOf(row, poolOf(books, String(row.pool)))
      books.accounts.set(accountKey(account.pool.name, account.windowStart), account)
    }
  }

  return {
    loadPools,
    loadAccounts,
    /** Fills the books with all that the steps need, and with the overdue holds of the pools they hold in. */
    async load(runner: Runner, books: Books, needs: LedgerNeeds): Promise<void> {
      const asked = new Set(needs.asks.map(({ pool }) => pool.name))
      const { reservations, owners, overdue } = needs
      const ids = JSON.stringify([...reservations])
      // Mostly nothing is late, which one look at an index tells.
      const isLate = (asked.size > 0 || overdue > 0) && (await findAnyLate(runner, books.at)).length > 0
      const rows = isLate
        ? await findHoldsAndLate(runner, ids, books.at, JSON.stringify([...asked]), books.at, overdue)
        : reservations.size === 0
          ? []
          : await findHolds(runner, ids)
      const names = new Set([...asked, ...needs.pools, ...rows.map(({ pool }) => String(pool))])
      if (names.size > 0) await loadPools(runner, books, names)
      const windows = windowsOf(books, needs.asks)
      for (const { pool, window_start } of rows) {
        windows.set(accountKey(String(pool), Number(window_start)), [String(pool), Number(window_start)])
      }
      await loadAccounts(runner, books, windows)
      enterHolds(books, rows)
      if (owners.size === 0) return
      for (const owner of owners) books.open.set(owner, 0)
      for (const { owner, open } of await countOpen(runner, JSON.stringify([...owners]))) {
        books.open.set(String(owner), Number(open))
      }
    },
  }
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
