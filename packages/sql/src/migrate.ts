import { HooshError } from '@hoosh/core/storage'
import type { Connection } from './connection.js'
import type { Dialect } from './dialect.js'
import { postgres } from './postgres.js'
import { steps, versionTable } from './schema.js'
import { sqlite } from './sqlite.js'
import { type Runner, run } from './statement.js'
import { schemaOf, type Tables, tablesOf } from './tables.js'

/** The version this package reads and writes. */
const CURRENT = steps.length

/** A schema waits for another process that is at it, and a step takes as long as it takes. */
const PATIENCE_MS = 600_000

/** Which statements are wanted: from nothing, or from the version a database has now. */
export interface MigrationSqlOptions {
  /** `sqlite` by default. */
  readonly database?: 'sqlite' | 'postgres'
  readonly prefix?: string
  /** On Postgres; it has to be there. */
  readonly schema?: string
  readonly from?: number
  /** The version to get to; the newest by default. */
  readonly to?: number
}

/**
 * The schema as SQL, one statement each, for hosts that migrate with their own tool. Run them in one transaction;
 * afterwards the storage opens without `migrate`. The folder `migrations` of this package has them as files.
 *
 * @throws HooshError `invalid_options` for a prefix or schema that no table can have
 */
export function migrationSql(options: MigrationSqlOptions = {}): string[] {
  const { database = 'sqlite', prefix = 'hoosh_', schema, from = 0, to = CURRENT } = options
  const tables = tablesOf(prefix, schema)
  return statementsBetween(database === 'postgres' ? postgres : sqlite, tables, from, to)
}

function statementsBetween(dialect: Dialect, tables: Tables, from: number, to: number): string[] {
  const row = `insert into ${tables.schema} (id, version) values (1, ${to})
    on conflict (id) do update set version = excluded.version`
  return [versionTable(tables), ...steps.slice(from, to).flatMap((step) => step(dialect, tables)), row]
}

/**
 * Brings the schema up to date, or only looks whether it is.
 *
 * The steps run in one transaction that no other migration can step into, so of two processes that start together one
 * migrates and the other finds it done.
 *
 * @throws HooshError `not_ready` where the schema is missing, older (unless `migrate`) or newer
 */
export async function openSchema(connection: Connection, tables: Tables, migrate: boolean): Promise<void> {
  const found = await versionOf(connection, tables)
  if (found === CURRENT) return
  if (!migrate || found > CURRENT) throw misfit(found)
  await connection.transaction(async (runner) => {
    await alone(connection.dialect, runner, tables)
    const version = await readVersion(connection.dialect, runner, tables)
    if (version === CURRENT) return
    if (version > CURRENT) throw misfit(version)
    for (const text of statementsBetween(connection.dialect, tables, version, CURRENT)) await run(runner, text)
  }, PATIENCE_MS)
}

/** One migration at a time, to the end of its transaction: SQLite's own begin with that, Postgres has a lock for it. */
async function alone(dialect: Dialect, runner: Runner, tables: Tables): Promise<void> {
  if (dialect.name === 'sqlite') return
  await run(runner, `select pg_advisory_xact_lock(hashtextextended('migration of ${tables.schema}', 0))`)
  const schema = schemaOf(tables)
  if (schema === null) return
  // Whoever may not make schemas may still use one, so this is not left to `if not exists`.
  const [there] = await run(runner, `select 1 from pg_namespace where nspname = '${schema}'`)
  if (there === undefined) await run(runner, `create schema ${schema}`)
}

/** Inside of a transaction no read may fail, so whether there is a version is asked first. */
async function readVersion(dialect: Dialect, runner: Runner, tables: Tables): Promise<number> {
  if (dialect.name === 'postgres') {
    const [{ found }] = (await run(runner, `select to_regclass('${tables.schema}') as found`)) as [{ found: unknown }]
    if (found === null) return 0
  } else await run(runner, versionTable(tables))
  return storedVersion(runner, tables)
}

async function storedVersion(runner: Runner, { schema }: Tables): Promise<number> {
  const [row] = (await run(runner, `select version from ${schema}`)) as { version: unknown }[]
  return row === undefined ? 0 : Number(row.version)
}

/** A database that cannot be read says so itself; one that can, but has no such table, was never migrated. */
async function versionOf(connection: Connection, tables: Tables): Promise<number> {
  try {
    return await connection.read((runner) => storedVersion(runner, tables))
  } catch (error) {
    if (error instanceof HooshError && connection.dialect.isMissingTable(error.cause)) return 0
    throw error
  }
}

function misfit(version: number): HooshError {
  const found = version === 0 ? 'has no tables of hoosh yet' : `is at version ${version}, this package at ${CURRENT}`
  const help =
    version > CURRENT
      ? 'Update @hoosh/sql.'
      : 'Start once with `migrate: true`, call `migrate()` of the storage, or run what `migrationSql()` of @hoosh/sql returns.'
  return new HooshError('not_ready', { message: `The database ${found}. ${help}` })
}
