import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection } from './connection.js'
import type { Runner } from './statement.js'

/** Writes what one statement does, durably. */
export type Write = <T>(work: (runner: Runner) => Promise<T>) => Promise<T>

/**
 * A statement on Postgres is a transaction of its own. On SQLite it waits for the host's, should one be open on the same
 * object, and begins in a turn of the event loop of its own: see `batches`.
 */
export function writeOn(connection: Connection): Write {
  if (connection.dialect.locksRows) return (work) => connection.read(work)
  return async (work) => {
    await nextTurn()
    return connection.transaction(work)
  }
}
