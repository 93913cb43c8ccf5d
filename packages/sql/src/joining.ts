import { HooshError, type HostTransaction } from '@hoosh/core/storage'
import type { Kysely, Transaction } from 'kysely'
import type { Dialect } from './dialect.js'
import { kyselyOn, type NodeSqlDatabase, type SqlDatabase } from './sqlite-database.js'
import { type Runner, run } from './statement.js'

/** A connection of `pg` on which the host has said `begin`; of its interface one method is called. */
export interface PostgresTransaction {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>
}

/** Runs work on the host's connection, inside of the transaction that it has open there. */
export interface Joining {
  /** @throws HooshError `invalid_options` for what is no transaction on a database of this kind */
  runnerOn(transaction: HostTransaction): Runner
  /** All of the work, or nothing: an error leaves the transaction as it was, unless the database has ended it. */
  inside<T>(transaction: HostTransaction, runner: Runner, work: () => Promise<T>): Promise<T>
}

/**
 * Nothing is begun or committed here, and no time is limited: the host's settings hold in the host's transaction. Work in
 * one transaction is done in turn, since two that read before either has written would both count on what they have read.
 */
export function joining(dialect: Dialect): Joining {
  const onHandles = new WeakMap<object, Runner>()
  const turns = new WeakMap<object, Promise<unknown>>()
  return {
    runnerOn(transaction) {
      const found = runnerOf(dialect, transaction, onHandles)
      if (found === null) throw refused(WANTED[dialect.name])
      return found
    },
    inside(transaction, runner, work) {
      const mine = (turns.get(transaction) ?? Promise.resolve()).then(() => allOrNothing(dialect, runner, work))
      turns.set(
        transaction,
        mine.catch(() => {}),
      )
      return mine
    },
  }
}

const WANTED = {
  postgres: 'must be a client of `pg` with an open transaction, or a Transaction of Kysely on PostgreSQL',
  sqlite: 'must be the SQLite database on which a transaction is open, or a Transaction of Kysely on SQLite',
} as const

const NOT_OPEN = 'no transaction is open on it: begin one, and hand it over before it ends'

function runnerOf(dialect: Dialect, transaction: HostTransaction, onHandles: WeakMap<object, Runner>): Runner | null {
  if (typeof transaction !== 'object' || transaction === null) return null
  if ('isTransaction' in transaction && 'withoutPlugins' in transaction) {
    const kysely = transaction as Kysely<unknown> | Transaction<unknown>
    const { isCommitted, isRolledBack } = kysely as { isCommitted?: boolean; isRolledBack?: boolean }
    if (!kysely.isTransaction || isCommitted || isRolledBack) throw refused(NOT_OPEN)
    const onPostgres = kysely.getExecutor().adapter.supportsTransactionalDdl
    return onPostgres === dialect.locksRows ? kysely.withoutPlugins() : null
  }
  if (dialect.name === 'postgres') {
    if (!('query' in transaction)) return null
    const client = transaction as PostgresTransaction
    return { executeQuery: ({ sql, parameters }) => client.query(sql, parameters as unknown[]) }
  }
  if (!('prepare' in transaction)) return null
  const handle = transaction as (SqlDatabase | NodeSqlDatabase) & { inTransaction?: unknown; isTransaction?: unknown }
  // A savepoint outside of a transaction would begin one here, and commit it.
  if ((handle.inTransaction ?? handle.isTransaction) === false) throw refused(NOT_OPEN)
  const runner = onHandles.get(handle) ?? kyselyOn(handle)
  onHandles.set(handle, runner)
  return runner
}

async function allOrNothing<T>(dialect: Dialect, runner: Runner, work: () => Promise<T>): Promise<T> {
  try {
    // Postgres takes one only inside of a transaction.
    await run(runner, 'savepoint hoosh')
    try {
      const result = await work()
      await run(runner, 'release savepoint hoosh')
      return result
    } catch (error) {
      // Some failures have ended the transaction already; then there is nothing to go back to.
      await run(runner, 'rollback to savepoint hoosh').catch(() => {})
      await run(runner, 'release savepoint hoosh').catch(() => {})
      throw error
    }
  } catch (error) {
    throw told(dialect, error)
  }
}

/** What Postgres says to a savepoint outside of a transaction. */
const NO_TRANSACTION = '25P01'

/** The driver's own words stay in the cause: they may hold what nobody outside should read. */
function told(dialect: Dialect, error: unknown): HooshError {
  if (error instanceof HooshError) return error
  if ((Object(error) as { code?: unknown }).code === NO_TRANSACTION) return refused(NOT_OPEN)
  if (dialect.isMissingTable(error)) return refused('its database has no tables of this storage; see `migrate`', error)
  const message = 'The database refused a step in your transaction; roll it back and try it again from its start.'
  return new HooshError('store_unavailable', { message, cause: error })
}

function refused(reason: string, cause?: unknown): HooshError {
  return new HooshError('invalid_options', {
    message: `transaction: ${reason}.`,
    details: { param: 'transaction' },
    ...(cause !== undefined && { cause }),
  })
}
