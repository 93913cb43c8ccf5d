import { CompiledQuery } from 'kysely'
import type { Columns, Dialect, Rows } from './dialect.js'

/** Where a query runs: on a held connection inside its transaction, or on any. */
export interface Runner {
  executeQuery(query: CompiledQuery): Promise<{ rows: unknown[] }>
}

/** A statement that is written once: each execution brings its own parameters, in the order they stand in it. */
export type Statement<Row> = (runner: Runner, ...parameters: readonly unknown[]) => Promise<Row[]>

export function statement<Row>(dialect: Dialect, text: string): Statement<Row> {
  const query = CompiledQuery.raw(dialect.numbered(text))
  return async (runner, ...parameters) => (await runner.executeQuery({ ...query, parameters })).rows as Row[]
}

/** A statement for any number of rows, run as often as it takes; what it returns, all together. */
export type RowsStatement<Row> = (runner: Runner, rows: Rows) => Promise<Row[]>

/**
 * A statement for rows with many columns: 22 us a row of holds on SQLite, where rows in one JSON parameter took 42.
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
    const key = dialect.countsRows ? count : 0
    const query = made.get(key) ?? CompiledQuery.raw(dialect.numbered(text(dialect.boundRows(columns, count))))
    made.set(key, query)
    return query
  }
  return async (runner, rows) => {
    const returned: Row[] = []
    for (let at = 0; at < rows.length; ) {
      const count = dialect.atOnce(rows.length - at)
      const parameters = dialect.boundParameters(columns, rows.slice(at, at + count))
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
