import { randomUUID } from 'node:crypto'
import { type Clock, HooshError, type Storage } from '@hoosh/core/storage'
import { sqlAudit } from './audit.js'
import { auditTables } from './audit-tables.js'
import { batches } from './batch.js'
import { sqlBudgets } from './budgets.js'
import { connect, type SqlDatabase } from './connection.js'
import type { Durability } from './dialect.js'
import { ledgerLoader } from './ledger/load.js'
import { ledgerSaver } from './ledger/save.js'
import { termsCodec } from './ledger/terms.js'
import { openSchema } from './migrate.js'
import { tablesOf } from './schema.js'
import { sqlUsage } from './usage.js'
import { usageTables } from './usage-tables.js'
import { type Step, workOn } from './work.js'

export type { SqlDatabase, SqlStatement } from './connection.js'
export type { Durability } from './dialect.js'
export { migrationSql } from './migrate.js'

/** How the tables are kept. */
export interface SqlStorageOptions {
  /** In front of each table's name: `hoosh_`. */
  prefix?: string
  /** `normal` (default) survives the end of the process; `full` a power cut too, and costs a disk write a commit. */
  durability?: Durability
  /** The clock of leases; the same as the gateway's. `Date.now` by default. */
  clock?: Clock
  /** Ids of the records that are written for lost calls; random UUIDs by default. */
  ids?: () => string
}

/** What is kept in SQL. Rate windows are not: they stay in the process's memory. */
export type SqlStorage = Pick<Storage, 'budgets' | 'audit' | 'usage' | 'open' | 'close' | 'describe'>

/**
 * Budgets, audit log and usage in the host's own SQLite database: better-sqlite3's interface, libsql, or an instance of
 * Kysely. Any number of processes may share the file.
 *
 * @example
 * hoosh({ storage: sqlStorage(new Database('app.sqlite')), migrate: true })
 * @throws HooshError `invalid_options` for a prefix that no table can have
 */
export function sqlStorage(
  database: SqlDatabase | { readonly kysely: object },
  options: SqlStorageOptions = {},
): SqlStorage {
  const { prefix = 'hoosh_', durability = 'normal', clock = Date.now, ids = randomUUID } = options
  const connection = connect(database)
  const { dialect } = connection
  const tables = tablesOf(prefix)
  const codec = termsCodec()
  const loader = ledgerLoader(dialect, tables, codec)
  const run = workOn({
    connection,
    clock,
    ids,
    codec,
    load: loader.load,
    save: ledgerSaver(dialect, tables, codec),
    audit: auditTables(dialect, tables),
    usage: usageTables(dialect, tables),
  })
  const queue = batches<Step>({
    run,
    // It may move a pool to another window, whose account the steps beside it would not have read.
    alone: ({ do: what }) => what === 'define',
    isGeneral: (error) =>
      error instanceof HooshError && error.code === 'store_unavailable' && dialect.isBusy(error.cause),
  })
  return {
    budgets: sqlBudgets({ connection, tables, batches: queue, loader, codec }),
    audit: sqlAudit(connection, tables, queue),
    usage: sqlUsage(connection, tables, queue),
    describe: dialect.name,
    async open({ migrate }) {
      await connection.setUp(durability)
      await openSchema(connection, tables, migrate)
    },
    close: () => queue.close(),
  }
}
