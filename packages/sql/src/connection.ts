import { setTimeout as pause } from 'node:timers/promises'
import { HooshError } from '@hoosh/core/storage'
import type { Dialect, Durability } from './dialect.js'
import { type HostDatabase, opened } from './host-database.js'
import { patient } from './silence.js'
import type { Source } from './source.js'
import { lockTimeout, pragmas } from './sqlite.js'
import { type Runner, run } from './statement.js'

/** A database, and the way to say all or nothing to it. */
export interface Connection {
  readonly dialect: Dialect
  /** Tells the connection what it needs to know; refuses a database of another kind. */
  setUp(durability: Durability): Promise<void>
  /** Reads, outside of any transaction. `patienceMs`: how long the database may say nothing, where it is not the usual. */
  read<T>(work: (runner: Runner) => Promise<T>, patienceMs?: number): Promise<T>
  /** All of the work, or nothing. Where others hold a lock it is begun again, from its start. */
  transaction<T>(work: (runner: Runner) => Promise<T>, patienceMs?: number): Promise<T>
  /** Reads, all of it of one moment, and changes nothing. */
  snapshot<T>(work: (runner: Runner) => Promise<T>, patienceMs: number): Promise<T>
  /** Whether an error came from the database, so that whatever else waits for it would meet it too. */
  isGeneral(error: unknown): boolean
  /** Whether it is that the database is away. */
  isAway(error: unknown): boolean
  close(): void
}

/** Pauses between attempts for a lock that others hold; with the database's own waits about two seconds in all on Postgres. */
const PAUSES_MS = [1, 2, 5, 10, 20, 50, 50, 50, 50, 50]

/**
 * On SQLite about ten: one process writes at a time, and a machine that has too much to do may let it stand with the lock
 * in hand (four writers at a load of 14 a core were told "busy" after two).
 */
const SQLITE_PAUSES_MS = [...PAUSES_MS, ...Array<number>(25).fill(50)]

/**
 * @param database the host's: a database object, a pool, or an instance of Kysely (its plugins are left out here, its
 *   connections are shared with the host's queries)
 * @param silenceMs how long Postgres may say nothing
 * @throws HooshError `invalid_options` for what is no database
 */
export function connect(database: HostDatabase, silenceMs: number): Connection {
  const { dialect, source } = opened(database)
  // A synchronous driver answers before any timer could.
  const limitOf = (patienceMs = silenceMs) => (dialect.locksRows ? patienceMs : null)
  const once = <T>(work: (runner: Runner) => Promise<T>, patienceMs: number | undefined) =>
    inSession(source, limitOf(patienceMs), work)
  return {
    dialect,
    async setUp(durability) {
      source.start?.()
      await guarded(dialect, () => once((runner) => setUp(dialect, runner, durability), undefined))
    },
    read: (work, patienceMs) => guarded(dialect, () => patiently(dialect, () => once(work, patienceMs))),
    transaction: (work, patienceMs) =>
      guarded(dialect, () =>
        patiently(dialect, () => once((runner) => allOrNothing(dialect.begin, runner, work), patienceMs)),
      ),
    snapshot: (work, patienceMs) =>
      guarded(dialect, () =>
        patiently(dialect, () => once((runner) => allOrNothing(dialect.beginReading, runner, work), patienceMs)),
      ),
    isGeneral: (error) =>
      error instanceof HooshError && error.code === 'store_unavailable' && isOfDatabase(dialect, error.cause),
    isAway: (error) =>
      dialect.name === 'postgres' &&
      error instanceof HooshError &&
      error.code === 'store_unavailable' &&
      !isSqlState(error.cause),
    close: () => source.end?.(),
  }
}

async function inSession<T>(source: Source, limitMs: number | null, work: (runner: Runner) => Promise<T>): Promise<T> {
  const session = limitMs === null ? await source.open() : await patient(source, limitMs)
  try {
    return await work(session)
  } finally {
    session.close(false)
  }
}

/**
 * Kysely's own transactions begin plainly: of two that read first and write then, SQLite tells one "busy" at once,
 * whatever its timeout. So the connection is held and told how to begin.
 *
 * A synchronous driver never leaves the microtask queue between begin and end: where this starts in a turn of its own,
 * no query of the host can slip into the transaction, even on a database object that both use.
 */
async function allOrNothing<T>(begin: string, runner: Runner, work: (runner: Runner) => Promise<T>): Promise<T> {
  await run(runner, begin)
  try {
    const result = await work(runner)
    await run(runner, 'commit')
    return result
  } catch (error) {
    // Some failures have ended the transaction already; then there is nothing to roll back.
    await run(runner, 'rollback').catch(() => {})
    throw error
  }
}

async function setUp(dialect: Dialect, runner: Runner, durability: Durability): Promise<void> {
  const [told] = (await run(runner, dialect.probe).catch((cause: unknown) => {
    throw unsuitable(dialect, cause)
  })) as Record<string, unknown>[]
  if (dialect.name === 'postgres') return checkServer(told)
  const say = (text: string) => patiently(dialect, () => run(runner, text))
  const [row] = await say(lockTimeout.read)
  if (Object.values(Object(row)).every((set) => Number(set) === 0)) await say(lockTimeout.set)
  for (const text of pragmas(durability)) await say(text)
}

/** Oldest Postgres that knows all that is said here. */
const OLDEST_SERVER = 120_000

function checkServer(told: Record<string, unknown> | undefined): void {
  const { version, encoding } = Object(told) as Record<string, unknown>
  if (Number(version) < OLDEST_SERVER) {
    throw new HooshError('not_ready', { message: 'The SQL storage needs PostgreSQL 12 or newer.' })
  }
  if (encoding !== 'UTF8') {
    const message = `The SQL storage needs a database in UTF8; this one is in ${String(encoding)}.`
    throw new HooshError('not_ready', { message })
  }
}

/** A database that does not answer is away; one that answers with an error to a plain question is another one. */
function unsuitable(dialect: Dialect, cause: unknown): unknown {
  if (dialect.name === 'postgres' && !isSqlState(cause)) return cause
  const message = 'The SQL storage knows SQLite and PostgreSQL; this database is neither.'
  return new HooshError('not_ready', { message, cause })
}

/** On Postgres, whatever is not about the values of one step: data, a constraint, a value that is too long. */
function isOfDatabase(dialect: Dialect, cause: unknown): boolean {
  if (dialect.name === 'sqlite') return dialect.isBusy(cause)
  return !isSqlState(cause) || !/^(2[23]|54)/.test(cause.code)
}

function isSqlState(error: unknown): error is { code: string } {
  const { code } = Object(error) as { code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)
}

async function patiently<T>(dialect: Dialect, attempt: () => Promise<T>): Promise<T> {
  for (const pauseMs of dialect.locksRows ? PAUSES_MS : SQLITE_PAUSES_MS) {
    try {
      return await attempt()
    } catch (error) {
      if (!dialect.isBusy(error instanceof HooshError ? error.cause : error)) throw error
      await pause(pauseMs)
    }
  }
  return attempt()
}

/** The driver's own words stay in the cause: they may hold what nobody outside should read. */
async function guarded<T>(dialect: Dialect, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HooshError) throw error
    const message = dialect.refusalOf(error) ?? 'The SQL storage does not answer; try again.'
    throw new HooshError('store_unavailable', { message, cause: error })
  }
}
