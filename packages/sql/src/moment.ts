import type { Clock } from '@hoosh/core/storage'
import type { Dialect } from './dialect.js'
import { type Runner, statement } from './statement.js'
import type { Tables } from './tables.js'

/** The moment a transaction decides at: the same for all its steps. */
export interface Moment {
  /** The store's clock, ms. */
  readonly at: number
  /** Whether any hold is past its lease, where that was asked. */
  readonly late: boolean
}

export interface MomentOptions {
  /** The store's clock; absent where that is the database's. */
  readonly clock: Clock | undefined
  /** Most that a transaction waits for a row that another one has locked, ms; null in the host's own, which has its own limits. */
  readonly lockWaitMs: number | null
}

/** A transaction in which a process has stopped is ended by the server after this time, and its locks with it. */
const IDLE_LIMIT_MS = 5_000

/**
 * Begins the work of a transaction: what time it is, and whether anything is late, which one look at an index tells.
 *
 * On Postgres it sets the limits of the transaction in the same statement: for this transaction alone, since the next one
 * may run on another connection.
 */
export function moments(dialect: Dialect, { holds }: Pick<Tables, 'holds'>, { clock, lockWaitMs }: MomentOptions) {
  const now = clock === undefined ? dialect.now : 'cast(? as bigint)'
  const late = `exists (select 1 from ${holds} where state = 'held' and lease_until <= ${now})`
  const bounds = dialect.locksRows && lockWaitMs !== null ? `, ${limits(lockWaitMs)}` : ''
  const ask = statement<Record<string, unknown>>(dialect, `select ${now} as at, ${late} as late${bounds}`)
  return async (runner: Runner, asksForLate: boolean): Promise<Moment> => {
    const at = clock?.()
    if (at !== undefined && !asksForLate && !dialect.locksRows) return { at, late: false }
    const [row] = await (at === undefined ? ask(runner) : ask(runner, at, at))
    return { at: Number(row!.at), late: Number(row!.late) === 1 }
  }
}

/** Lets a transaction on Postgres take its time, whatever the role or the database is set to: as a column, for this transaction alone. */
export function unhurried(ms: number): string {
  return `set_config('statement_timeout', '${ms}', true)`
}

/** What a transaction on Postgres is bound to, as a list of columns: for this transaction alone. */
export function limits(lockWaitMs: number): string {
  const timeouts = { lock_timeout: lockWaitMs, idle_in_transaction_session_timeout: IDLE_LIMIT_MS }
  return Object.entries(timeouts)
    .map(([name, ms]) => `set_config('${name}', '${ms}', true)`)
    .join(', ')
}
