import { Kysely, SqliteDialect, type SqliteStatement } from 'kysely'

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

/** A database of `node:sqlite`. */
export interface NodeSqlDatabase {
  prepare(source: string): NodeSqlStatement
}

/** A prepared statement of `node:sqlite`, which takes its parameters one by one. */
export interface NodeSqlStatement {
  columns(): readonly unknown[]
  all(...parameters: unknown[]): unknown[]
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
}

/** Kysely on a database object of the host's. */
export function kyselyOn(database: SqlDatabase | NodeSqlDatabase): Kysely<unknown> {
  return new Kysely<unknown>({ dialect: new SqliteDialect({ database: keepingStatements(database) }) })
}

/** Statements kept ready: preparing one takes longer than running it, and Kysely's driver prepares each time. */
const MAX_STATEMENTS = 100

function keepingStatements(database: SqlDatabase | NodeSqlDatabase) {
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
function asked(statement: SqlStatement | NodeSqlStatement): SqlStatement {
  if ('columns' in statement && !('reader' in statement)) {
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...parameters),
      run: (parameters) => statement.run(...parameters),
    }
  }
  const given = statement as SqlStatement
  return {
    reader: given.reader,
    all: (parameters) => given.all(parameters),
    run: (parameters) => given.run(parameters),
  }
}
