import { HooshError } from '@hoosh/core/storage'
import { type Connection, type Runner, run } from './connection.js'
import { type Dialect, sqlite } from './dialect.js'
import { steps, type Tables, tablesOf, versionTable } from './schema.js'

/** The version this package reads and writes. */
const CURRENT = steps.length

/**
 * The schema as SQL, one statement each, for hosts that migrate with their own tool: from nothing, or from the version
 * a database has now. Run them in one transaction; afterwards the storage opens without `migrate`.
 *
 * @throws HooshError `invalid_options` for a prefix that no table can have
 */
export function migrationSql({ prefix = 'hoosh_', from = 0 }: { prefix?: string; from?: number } = {}): string[] {
  const tables = tablesOf(prefix)
  return [versionTable(tables), ...statementsFrom(from, sqlite, tables), versionRow(tables)]
}

function statementsFrom(version: number, dialect: Dialect, tables: Tables): string[] {
  return steps.slice(version).flatMap((step) => step(dialect, tables))
}

function versionRow({ schema }: Tables): string {
  return `insert into ${schema} (id, version) values (1, ${CURRENT})
    on conflict (id) do update set version = excluded.version`
}

/**
 * Brings the schema up to date, or only looks whether it is.
 *
 * The steps run in one transaction that no other writer can step into, so of two processes that start together one
 * migrates and the other finds it done.
 *
 * @throws HooshError `not_ready` where the schema is missing, older (unless `migrate`) or newer
 */
export async function openSchema(connection: Connection, tables: Tables, migrate: boolean): Promise<void> {
  if (!migrate) return check(await versionOf(connection, tables))
  await connection.transaction(async (runner) => {
    await run(runner, versionTable(tables))
    const version = await readVersion(runner, tables)
    if (version === CURRENT) return
    if (version > CURRENT) check(version)
    for (const text of statementsFrom(version, connection.dialect, tables)) await run(runner, text)
    await run(runner, versionRow(tables))
  })
}

async function readVersion(runner: Runner, { schema }: Tables): Promise<number> {
  const [row] = (await run(runner, `select version from ${schema}`)) as { version: unknown }[]
  return row === undefined ? 0 : Number(row.version)
}

/** A database that cannot be read at all says so itself; one that can, but has no such table, was never migrated. */
async function versionOf(connection: Connection, tables: Tables): Promise<number> {
  await connection.read((runner) => run(runner, connection.dialect.probe))
  return connection.read((runner) => readVersion(runner, tables)).catch(() => 0)
}

function check(version: number): void {
  if (version === CURRENT) return
  const found = version === 0 ? 'has no tables of hoosh yet' : `is at version ${version}, this package at ${CURRENT}`
  const help =
    version > CURRENT
      ? 'Update @hoosh/sql.'
      : 'Start once with `migrate: true`, or run what `migrationSql()` of @hoosh/sql returns.'
  throw new HooshError('not_ready', { message: `The database ${found}. ${help}` })
}
