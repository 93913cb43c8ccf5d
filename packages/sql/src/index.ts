import { randomUUID } from 'node:crypto'
import { type Clock, checkOptionNames, HooshError, type Storage } from '@hoosh/core/storage'
import { sqlAudit } from './audit.js'
import { auditTables } from './audit-tables.js'
import { batches } from './batch.js'
import { sqlBudgets } from './budgets.js'
import { sqlCache } from './cache.js'
import { checkBooks } from './check/check.js'
import { connect } from './connection.js'
import type { Durability } from './dialect.js'
import type { HostDatabase } from './host-database.js'
import { joining } from './joining.js'
import { sqlKeys } from './keys.js'
import { poolForgetter } from './ledger/forget.js'
import { ledgerLoader } from './ledger/load.js'
import { ledgerSaver } from './ledger/save.js'
import { termsCodec } from './ledger/terms.js'
import { checkSchema, type Migration, migrateSchema, schemaFinding } from './migrate.js'
import { moments } from './moment.js'
import { sqlPayloads } from './payloads.js'
import { rateStatements } from './rates/statements.js'
import { sqlRates } from './rates/store.js'
import { type RateStep, rateWork } from './rates/work.js'
import { checkRetention, type Retention, sweeper } from './retention.js'
import { DEFAULT_PREFIX, tablesOf } from './tables.js'
import { sqlUsage } from './usage.js'
import { usageTables } from './usage-tables.js'
import { type Step, workInside, workOn } from './work.js'
import { writeOn } from './write.js'

export type { Durability } from './dialect.js'
export type { HostDatabase } from './host-database.js'
export type { PostgresTransaction } from './joining.js'
export { type Migration, type MigrationSqlOptions, migrationSql } from './migrate.js'
export type { PostgresClient, PostgresPool } from './postgres-pool.js'
export type { Retention } from './retention.js'
export type { NodeSqlDatabase, NodeSqlStatement, SqlDatabase, SqlStatement } from './sqlite-database.js'

/** How the tables are kept. */
export interface SqlStorageOptions {
  /** In front of each table's name: `hoosh_`. */
  prefix?: string
  /** On Postgres, the schema that the tables stand in; by default the first of the connection's search path. */
  schema?: string
  /** On SQLite: `normal` (default) survives the end of the process; `full` a power cut too, and costs a disk write a commit. */
  durability?: Durability
  /** The clock of leases. By default the database's on Postgres, `Date.now` on SQLite. */
  clock?: Clock
  /** Ids of the records that are written for lost calls; random UUIDs by default. */
  ids?: () => string
  /** On Postgres, how long it may say nothing before whoever waits for it is refused, 200 ms by default, 50 to 60,000. */
  silenceMs?: number
  /** How long single records are kept; for good by default. */
  retention?: Retention
}

/** What is kept in SQL. */
export interface SqlStorage
  extends Pick<
    Storage,
    'budgets' | 'audit' | 'payloads' | 'usage' | 'rates' | 'keys' | 'cache' | 'open' | 'sweep' | 'close' | 'describe'
  > {
  /**
   * Brings the tables up to date, under a lock: any number of processes may call it at once.
   *
   * @param options with `dryRun` nothing is changed: the statements are told that would be run
   * @throws HooshError `not_ready` where the tables are newer than this package, `store_unavailable`
   */
  migrate(options?: { dryRun?: boolean }): Promise<Migration>
}

/**
 * Budgets, audit log, usage, limits, keys and cached answers in the host's own database: PostgreSQL (a `pg` Pool), SQLite (better-sqlite3, libsql,
 * node:sqlite), or an instance of Kysely on either. Any number of processes may share it.
 *
 * @example
 * hoosh({ storage: sqlStorage(new Pool({ connectionString })), migrate: true })
 * @throws HooshError `invalid_options` for what is no database, a prefix or schema that no table can have, and options that are none or that it has not
 */
export function sqlStorage(database: HostDatabase, options: SqlStorageOptions = {}): SqlStorage {
  const { prefix, schema, durability, ids, retention, silenceMs } = checked(options)
  const connection = connect(database, silenceMs)
  const { dialect } = connection
  const tables = tablesOf(prefix, schema)
  if (schema !== undefined && dialect.name === 'sqlite') {
    throw invalid('`schema` is for PostgreSQL; on SQLite, give the tables a `prefix` of their own.', 'schema')
  }
  const codec = termsCodec()
  const lockWaitMs = Math.round(silenceMs * LOCK_SHARE)
  const loader = ledgerLoader(dialect, tables, codec, lockWaitMs)
  const clock = options.clock ?? (dialect.name === 'sqlite' ? Date.now : undefined)
  const parts = {
    ids,
    codec,
    loader,
    save: ledgerSaver(dialect, tables, codec),
    forget: poolForgetter(dialect, tables),
    audit: auditTables(dialect, tables),
    usage: usageTables(dialect, tables),
  }
  const queue = batches<Step>({
    run: workOn({ ...parts, connection, moment: moments(dialect, tables, { clock, lockWaitMs }) }),
    // They may move a pool to another window, whose account the steps beside them would not have read, or end it.
    alone: ({ do: what }) => what === 'define' || what === 'freeze' || what === 'forget',
    ...connection,
  })
  const rates = batches<RateStep>({
    run: rateWork({ connection, dialect, sql: rateStatements(dialect, tables, lockWaitMs) }),
    alone: () => false,
    ...connection,
  })
  const migrate = async ({ dryRun = false } = {}) => {
    if (!dryRun) await connection.setUp(durability)
    return migrateSchema(connection, tables, dryRun)
  }
  const persists = { usage: sqlUsage(connection, tables, queue), audit: sqlAudit(connection, tables, queue) }
  return {
    ...persists,
    budgets: {
      ...sqlBudgets({
        persists,
        connection,
        tables,
        batches: queue,
        joining: joining(dialect),
        inside: workInside({ ...parts, moment: moments(dialect, tables, { clock, lockWaitMs: null }) }),
        loader,
        codec,
        clock,
      }),
      check: () => checkBooks({ connection, tables, clock, schema: () => schemaFinding(connection, tables) }),
    },
    payloads: sqlPayloads(connection, tables, writeOn(connection)),
    rates: sqlRates(rates),
    keys: sqlKeys(connection, tables, writeOn(connection)),
    cache: sqlCache(connection, tables, { write: writeOn(connection), clock }),
    describe: dialect.name,
    async open(options) {
      if (options.migrate) return void (await migrate())
      await connection.setUp(durability)
      await checkSchema(connection, tables)
    },
    sweep: sweeper(connection, tables, retention),
    migrate,
    async close() {
      await Promise.all([queue.close(), rates.close()])
      connection.close()
    },
  }
}

/** Of the silence that is borne: Postgres gives up a lock before that and says so, which is no silence. */
const LOCK_SHARE = 0.75

const OPTIONS = {
  prefix: true,
  schema: true,
  durability: true,
  clock: true,
  ids: true,
  silenceMs: true,
  retention: true,
} as const

/** Options with their defaults. */
function checked(options: SqlStorageOptions) {
  if (typeof options !== 'object' || options === null) throw invalid('The options of sqlStorage must be an object.')
  checkOptionNames<SqlStorageOptions>(options, OPTIONS, 'sqlStorage')
  const { durability = 'normal', retention = {}, silenceMs = 200 } = options
  checkRetention(retention)
  if (!['normal', 'full'].includes(durability)) throw invalid("`durability` must be 'normal' or 'full'.", 'durability')
  if (!Number.isInteger(silenceMs) || silenceMs < 50 || silenceMs > 60_000) {
    throw invalid(`\`silenceMs\` must be a whole number from 50 to 60,000; it is ${silenceMs}.`, 'silenceMs')
  }
  const { prefix = DEFAULT_PREFIX, schema, ids = randomUUID } = options
  return { prefix, schema, durability, ids, retention, silenceMs }
}

function invalid(message: string, param?: string): HooshError {
  return new HooshError('invalid_options', { message, ...(param !== undefined && { details: { param } }) })
}
