import { setTimeout as pause } from 'node:timers/promises'
import { HooshError } from '@hoosh/core/storage'
import { CompiledQuery, Kysely, SqliteDialect, type SqliteStatement } from 'kysely'
import { type Columns, type Dialect, type Durability, sqlite } from './dialect.js'

/** A database with better-sqlite3's interface, of which one method is called: better-sqlite3 itself, libsql. */
export interface SqlDatabase {
  prepare(source: string): SqlStatement
}

/** A prepared statement of better-sqlite3's interface. */
export interface SqlStatement {
  readonly reader: boolean
  all(parameters: readonly unknown[]): unknown[]
  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
}

/** Where a query runs: on a held connection inside its transaction, or on any. */
export interface Runner {
  executeQuery(query: CompiledQuery): Promise<{ rows: unknown[] }>
}

/** A database, and the way to say all or nothing to it. */
export interface Connection {
  readonly dialect: Dialect
  /** Tells the connection what it needs to know; refuses a database of another kind. */
  setUp(durability: Durability): Promise<void>
  /** Reads, outside of any transaction. */
  read<T>(work: (runner: Runner) => Promise<T>): Promise<T>
  /** All of the work, or nothing. Where others hold the lock it is begun again, from its start. */
  transaction<T>(work: (runner: Runner) => Promise<T>): Promise<T>
}

/** Pauses between attempts for a lock that others hold; with the driver's own waits about three seconds in all. */
const PAUSES_MS = [1, 2, 5, 10, 20, 50, 50, 50, 50, 50]

/**
 * @param database the host's: a database object, or an instance of Kysely (its plugins are left out here, its
 *   connections are shared with the host's queries)
 */
export function connect(database: SqlDatabase | { readonly kysely: object }): Connection {
  const dialect = sqlite
  const kysely =
    'kysely' in database
      ? (database.kysely as Kysely<unknown>).withoutPlugins()
      : new Kysely<unknown>({ dialect: new SqliteDialect({ database: keepingStatements(database) }) })
  return {
    dialect,
    setUp: (durability) => guarded(() => setUp(kysely, dialect, durability)),
    read: (work) => guarded(() => patiently(dialect, () => work(kysely))),
    transaction: (work) => guarded(() => patiently(dialect, () => once(kysely, dialect, work))),
  }
}

async function setUp(kysely: Kysely<unknown>, dialect: Dialect, durability: Durability): Promise<void> {
  const say = (text: string) => patiently(dialect, () => kysely.executeQuery(CompiledQuery.raw(text)))
  await say(dialect.probe).catch((cause: unknown) => {
    throw new HooshError('not_ready', { message: 'The SQL storage knows SQLite; this database is none.', cause })
  })
  const { rows } = await say(dialect.lockTimeout.read)
  if (Object.values(Object(rows[0])).every((set) => Number(set) === 0)) await say(dialect.lockTimeout.set)
  for (const text of dialect.setUp(durability)) await say(text)
}

/**
 * Kysely's own transactions begin plainly: of two that read first and write then, SQLite tells one "busy" at once,
 * whatever its timeout. So the connection is held and told how to begin.
 *
 * A synchronous driver never leaves the microtask queue between begin and end: where this starts in a turn of its own,
 * no query of the host can slip into the transaction, even on a database object that both use.
 */
function once<T>(kysely: Kysely<unknown>, dialect: Dialect, work: (runner: Runner) => Promise<T>): Promise<T> {
  return kysely.connection().execute(async (connection) => {
    await connection.executeQuery(CompiledQuery.raw(dialect.begin))
    try {
      const result = await work(connection)
      await connection.executeQuery(CompiledQuery.raw('commit'))
      return result
    } catch (error) {
      // Some failures have ended the transaction already; then there is nothing to roll back.
      await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => {})
      throw error
    }
  })
}

async function patiently<T>(dialect: Dialect, attempt: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await attempt()
    } catch (error) {
      if (!dialect.isBusy(error)) throw error
      await pause(pauseMs)
    }
  }
  return attempt()
}

/** The driver's own words stay in the cause: they may hold what nobody outside should read. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HooshError) throw error
    throw new HooshError('store_unavailable', { message: 'The SQL storage does not answer; try again.', cause: error })
  }
}

/** Statements kept ready: preparing one takes longer than running it, and Kysely's driver prepares each time. */
const MAX_STATEMENTS = 100

function keepingStatements(database: SqlDatabase) {
  const kept = new Map<string, SqlStatement>()
  return {
    prepare(source: string) {
      const known = kept.get(source)
      const statement = known ?? asked(database.prepare(source))
      if (known === undefined && kept.size < MAX_STATEMENTS) kept.set(source, statement)
      // Rows are never streamed here, so `iterate` is not asked of the host's statements.
      return statement as SqlStatement & Pick<SqliteStatement, 'iterate'>
    },
    // The host's to close.
    close() {},
  }
}

/** Whether a statement returns rows is asked once: with each execution, drivers asked their library anew. */
function asked(statement: SqlStatement): SqlStatement {
  return {
    reader: statement.reader,
    all: (parameters) => statement.all(parameters),
    run: (parameters) => statement.run(parameters),
  }
}

/** A statement that is written once: each execution brings its own parameters, in the order they stand in it. */
export type Statement<Row> = (runner: Runner, ...parameters: readonly unknown[]) => Promise<Row[]>

export function statement<Row>(text: string): Statement<Row> {
  const query = CompiledQuery.raw(text)
  return async (runner, ...parameters) => (await runner.executeQuery({ ...query, parameters })).rows as Row[]
}

/** A statement for any number of rows, run as often as it takes; what it returns, all together. */
export type RowsStatement<Row> = (runner: Runner, rows: readonly (readonly unknown[])[]) => Promise<Row[]>

/** Most rows of one statement: beyond, to bind them costs as much as to run it again. */
const MOST_ROWS = 16

/**
 * A statement for rows with many columns. It is made for 1, 2, 4, 8 and 16 of them, so that few statements do for any
 * number: 22 us a row of holds on SQLite, where rows in one JSON parameter took 42.
 *
 * @param text the statement around its rows, as `Dialect.boundRows` makes them
 */
export function rowsStatement<Row = never>(
  dialect: Dialect,
  columns: Columns,
  text: (rows: string) => string,
): RowsStatement<Row> {
  const made = new Map<number, CompiledQuery>()
  const queryFor = (count: number) => {
    const query = made.get(count) ?? CompiledQuery.raw(text(dialect.boundRows(columns, count)))
    made.set(count, query)
    return query
  }
  return async (runner, rows) => {
    const returned: Row[] = []
    for (let at = 0; at < rows.length; ) {
      const count = Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(rows.length - at)))
      const parameters = rows.slice(at, at + count).flat()
      const answer = await runner.executeQuery({ ...queryFor(count), parameters })
      returned.push(...(answer.rows as Row[]))
      at += count
    }
    return returned
  }
}

/** For a statement that is run once. */
export async function run(runner: Runner, text: string, parameters: unknown[] = []): Promise<unknown[]> {
  return (await runner.executeQuery(CompiledQuery.raw(text, parameters))).rows
}
