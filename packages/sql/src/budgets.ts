import {
  type BudgetStore,
  type Clock,
  type Credited,
  type Entry,
  type ExpiredReservation,
  type Grant,
  type HostTransaction,
  type JoinedBudgets,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  type Refunded,
  type Reservation,
  type Settlement,
  type Siblings,
  strangeEntry,
} from '@hoosh/core/storage'
import type { Batches } from './batch.js'
import type { Connection } from './connection.js'
import type { Joining } from './joining.js'
import { accountFor, type Books, emptyBooks, reservationOf, stateOf, termsFor } from './ledger/books.js'
import { amountOf, type Loader, windowsOf } from './ledger/load.js'
import type { TermsCodec } from './ledger/terms.js'
import { type Runner, statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Step } from './work.js'

type Row = Record<string, unknown>

export interface BudgetParts {
  /** The stores on the same connection, which its steps write to. */
  readonly persists: Siblings
  readonly connection: Connection
  readonly tables: Tables
  readonly batches: Batches<Step>
  readonly joining: Joining
  /** Runs a step inside of a transaction of the host's. */
  readonly inside: (runner: Runner, step: Step) => Promise<unknown>
  readonly loader: Loader
  readonly codec: TermsCodec
  /** The store's clock; absent where that is the database's. */
  readonly clock: Clock | undefined
}

/** Most credits whose end one sweep enters. */
const MOST_ENDED = 100

/** The ledger in the database. What writes shares its commits with the calls beside it; what reads sees whole commits. */
export function sqlBudgets(parts: BudgetParts): BudgetStore {
  const { connection, batches, codec, tables } = parts
  const add = async <Result>(step: Step) => (await batches.add(step)) as Result
  const findOverrides = statement<Row>(
    connection.dialect,
    `select name, override from ${tables.pools} where override is not null order by name`,
  )
  return {
    persists: parts.persists,
    reserve: (request) => add<Grant>({ do: 'reserve', request }),
    extend: (id, ask) => add<Grant>({ do: 'extend', id, ask }),
    renew: (running, leaseMs) => add<string[]>({ do: 'renew', running, leaseMs }),
    settle: (id, actual, records) => add<Settlement>({ do: 'settle', id, actual, records }),
    release: (id, records) => add<Settlement>({ do: 'release', id, records }),
    credit: (pool, credit, now, records) => add<Credited>({ do: 'credit', pool, credit, now, records }),
    refund: (refund, records) => add<Refunded>({ do: 'refund', refund, records }),
    async expire(policy) {
      const expired = await add<ExpiredReservation[]>({ do: 'expire', policy })
      const pools = await connection.read((runner) => withExpiredCredits(parts, runner))
      if (pools.length > 0) await add<void>({ do: 'endCredits', pools })
      return expired
    },
    define: (pool, terms, records) => add<void>({ do: 'define', pool, terms, records }),
    freeze: (pool, frozen, records) => add<PoolTerms | null>({ do: 'freeze', pool, frozen, records }),
    forget: (pool) => add<boolean>({ do: 'forget', pool }),
    read: (pools, now) => connection.read((runner) => states(parts, runner, pools, now)),
    list: ({ limit, after, now }) => connection.read((runner) => list(parts, runner, limit, after, now)),
    entries: (pool, page) => connection.read((runner) => entries(parts, runner, pool, page)),
    find: (query) => connection.read((runner) => find(parts, runner, query)),
    async overrides() {
      const rows = await connection.read((runner) => findOverrides(runner))
      return rows.map(({ name, override }) => ({ name: String(name), terms: codec.read(override)! }))
    },
    join: (transaction) => joined(parts, transaction),
  }
}

function joined({ persists, joining, inside }: BudgetParts, transaction: HostTransaction): JoinedBudgets {
  const runner = joining.runnerOn(transaction)
  const add = async <Result>(step: Step) =>
    (await joining.inside(transaction, runner, () => inside(runner, step))) as Result
  return {
    persists,
    reserve: (request) => add<Grant>({ do: 'reserve', request }),
    settle: (id, actual, records) => add<Settlement>({ do: 'settle', id, actual, records }),
    release: (id, records) => add<Settlement>({ do: 'release', id, records }),
  }
}

async function states(
  { loader }: BudgetParts,
  runner: Runner,
  pools: readonly PoolAsk[],
  now: number,
): Promise<PoolState[]> {
  const books = emptyBooks(now, 0)
  await loader.loadPools(runner, books, new Set(pools.map(({ name }) => name)))
  await loader.loadAccounts(
    runner,
    books,
    windowsOf(
      books,
      pools.map((pool) => ({ pool, now })),
    ),
  )
  await loader.loadCredits(runner, books)
  return pools.map((pool) => stateOf(books, accountFor(books, pool, now), termsFor(books.pools.get(pool.name), pool)))
}

async function list(
  parts: BudgetParts,
  runner: Runner,
  limit: number,
  after: string | undefined,
  now: number,
): Promise<PoolState[]> {
  const { tables, codec, connection } = parts
  const findNames = statement<Row>(
    connection.dialect,
    `select name, template from ${tables.pools} where name > ? and (template is not null or override is not null) order by name limit ?`,
  )
  const rows = await findNames(runner, after ?? '', limit)
  return states(
    parts,
    runner,
    rows.map(({ name, template }) => ({ name: String(name), terms: codec.read(template) })),
    now,
  )
}

async function entries(
  { tables, connection }: BudgetParts,
  runner: Runner,
  pool: string,
  { limit, before }: { limit: number; before?: string },
): Promise<Entry[]> {
  if (before !== undefined && !/^\d{1,16}$/.test(before)) throw strangeEntry()
  const { holds, corrections } = tables
  const findEntries = statement<Row>(
    connection.dialect,
    `select * from (
      select entry, reservation, window_start, state as kind, charged_tokens as tokens, charged_nano_usd as nano_usd,
        overrun_tokens, overrun_nano_usd, ended_at as at, null as reference, null as note from ${holds} where pool = ? and entry is not null
      union all
      select entry, reservation, window_start, kind, tokens, nano_usd, overrun_tokens, overrun_nano_usd, at, reference, note
        from ${corrections} where pool = ?
    ) as e where entry < ? order by entry desc limit ?`,
  )
  const rows = await findEntries(
    runner,
    pool,
    pool,
    before === undefined ? Number.MAX_SAFE_INTEGER : Number(before),
    limit,
  )
  return rows.map((row) => entryOf(pool, row))
}

function entryOf(pool: string, row: Row): Entry {
  const kind = row.kind as Entry['kind']
  const isOfCredit = kind === 'credit' || kind === 'credit_expired'
  return {
    id: String(row.entry),
    reservation: isOfCredit ? null : String(row.reservation),
    pool,
    windowStart: isOfCredit ? null : Number(row.window_start),
    kind,
    amount: { tokens: Number(row.tokens), nanoUsd: Number(row.nano_usd) },
    overrun: amountOf(row, 'overrun'),
    at: Number(row.at),
    reference: textOr(row.reference),
    note: textOr(row.note),
  }
}

function textOr(value: unknown): string | null {
  return value === null ? null : String(value)
}

/** Pools with something left of a credit that has expired, some at a time. */
async function withExpiredCredits(
  { connection: { dialect }, tables: { credits }, clock }: BudgetParts,
  runner: Runner,
) {
  const now = clock === undefined ? dialect.now : 'cast(? as bigint)'
  const rows = await statement<Row>(
    dialect,
    `select distinct pool from (
      select pool from ${credits} where (left_tokens > 0 or left_nano_usd > 0) and until <= ${now} order by until limit ?
    ) as over`,
  )(runner, ...(clock === undefined ? [] : [clock()]), MOST_ENDED)
  return rows.map(({ pool }) => String(pool))
}

async function find(
  parts: BudgetParts,
  runner: Runner,
  query: Parameters<BudgetStore['find']>[0],
): Promise<Reservation | null> {
  const id = 'id' in query ? query.id : await oldestOpen(parts, runner, query)
  if (id === null) return null
  const books: Books = emptyBooks(0, 0)
  const needs = {
    reservations: new Set([id]),
    asks: [],
    pools: new Set<string>(),
    owners: new Set<string>(),
    credits: [],
    overdue: 0,
  }
  await parts.loader.look(runner, books, needs, false)
  const held = books.reservations.get(id)
  return held === undefined ? null : reservationOf(held)
}

async function oldestOpen(
  { connection: { dialect }, tables: { holds } }: BudgetParts,
  runner: Runner,
  { owner, pool, amount }: Exclude<Parameters<BudgetStore['find']>[0], { id: string }>,
): Promise<string | null> {
  const [row] = await statement<Row>(
    dialect,
    `select reservation from ${holds} as h where owner = ? and pool = ? and state = 'held' and phase = 'reserved'
      and held_tokens = ? and held_nano_usd = ?
      and not exists (select 1 from ${holds} as o where o.reservation = h.reservation and o.pool <> h.pool)
      order by since limit 1`,
  )(runner, owner, pool, amount.tokens ?? 0, amount.nanoUsd ?? 0)
  return row === undefined ? null : String(row.reservation)
}
