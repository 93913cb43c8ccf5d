import { type Finding, HooshError } from '@hoosh/core/storage'
import type { Connection } from './connection.js'
import type { Dialect } from './dialect.js'
import { unhurried } from './moment.js'
import { postgres } from './postgres.js'
import { steps, versionTable } from './schema.js'
import { sqlite } from './sqlite.js'
import { type Runner, run } from './statement.js'
import { DEFAULT_PREFIX, schemaOf, type Tables, tablesOf } from './tables.js'

/** The version this package reads and writes. */
const CURRENT = steps.length

/** A schema waits for another process that is at it, and a step takes as long as it takes. */
const PATIENCE_MS = 600_000

/**
 * A table is not waited for longer at a time, ms: while a change of it waits, all calls wait behind that. It is tried a few
 * times, and they get their turn in between.
 */
const LOCK_WAIT_MS = 500

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
  const { database = 'sqlite', prefix = DEFAULT_PREFIX, schema, from = 0, to = CURRENT } = options
  const tables = tablesOf(prefix, schema)
  return statementsBetween(database === 'postgres' ? postgres : sqlite, tables, from, to)
}

function statementsBetween(dialect: Dialect, tables: Tables, from: number, to: number): string[] {
  const row = `insert into ${tables.schema} (id, version) values (1, ${to})
    on conflict (id) do update set version = excluded.version`
  return [versionTable(tables), ...steps.slice(from, to).flatMap((step) => step(dialect, tables)), row]
}

/** What brought the tables up to date, or would. */
export interface Migration {
  /** The version they had; 0 where there were none. */
  readonly from: number
  readonly to: number
  /** In order, run in one transaction; none where they were up to date. */
  readonly statements: readonly string[]
}

/** @throws HooshError `not_ready` where the schema is missing, older or newer */
export async function checkSchema(connection: Connection, tables: Tables): Promise<void> {
  const found = await versionOf(connection, tables)
  if (found !== CURRENT) throw misfit(found, tables)
}

/** The same as something to report; null where the version is ours. */
export async function schemaFinding(connection: Connection, tables: Tables): Promise<Finding | null> {
  const found = await versionOf(connection, tables)
  return found === CURRENT ? null : { code: 'schema', found, expected: CURRENT }
}

/**
 * Brings the schema up to date; with `dryRun` it only says how.
 *
 * The steps run in one transaction that no other migration can step into, so of two processes that start together one
 * migrates and the other finds it done.
 *
 * @throws HooshError `not_ready` where the schema is newer
 */
export async function migrateSchema(connection: Connection, tables: Tables, dryRun: boolean): Promise<Migration> {
  const found = await versionOf(connection, tables)
  if (found === CURRENT) return { from: CURRENT, to: CURRENT, statements: [] }
  if (found > CURRENT) throw misfit(found, tables)
  if (dryRun) return connection.read((runner) => migrationFrom(connection.dialect, runner, tables, found))
  const migrated = connection.transaction(async (runner) => {
    await alone(connection.dialect, runner, tables)
    const version = await readVersion(connection.dialect, runner, tables)
    if (version > CURRENT) throw misfit(version, tables)
    const migration = await migrationFrom(connection.dialect, runner, tables, version)
    for (const text of migration.statements) await run(runner, text)
    return migration
  }, PATIENCE_MS)
  return migrated.catch((error) => {
    throw isInUse(error) ? inUse(error) : error
  })
}

async function migrationFrom(dialect: Dialect, runner: Runner, tables: Tables, from: number): Promise<Migration> {
  if (from === CURRENT) return { from, to: CURRENT, statements: [] }
  const statements = statementsBetween(dialect, tables, from, CURRENT)
  const schema = schemaOf(tables)
  if (schema === null) return { from, to: CURRENT, statements }
  // Whoever may not make schemas may still use one, so this is not left to `if not exists`.
  const [there] = await run(runner, `select 1 from pg_namespace where nspname = '${schema}'`)
  return {
    from,
    to: CURRENT,
    statements: there === undefined ? [`create schema "${schema}"`, ...statements] : statements,
  }
}

/** One migration at a time, to the end of its transaction: SQLite's own begin with that, Postgres has a lock for it. */
async function alone(dialect: Dialect, runner: Runner, tables: Tables): Promise<void> {
  if (dialect.name === 'sqlite') return
  await run(runner, `select ${unhurried(PATIENCE_MS)}`)
  await run(runner, `select pg_advisory_xact_lock(hashtextextended('migration of ${tables.schema}', 0))`)
  await run(runner, `select set_config('lock_timeout', '${LOCK_WAIT_MS}', true)`)
}

/** What PostgreSQL says where a lock was not to be had in time. */
function isInUse(error: unknown): boolean {
  return error instanceof HooshError && (Object(error.cause) as { code?: unknown }).code === '55P03'
}

function inUse(cause: unknown): HooshError {
  const message =
    'The tables are in use by somebody who has not let go of them for seconds: a backup, a long query, a transaction left open. Nothing was changed; migrate when that is over.'
  return new HooshError('not_ready', { message, cause })
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

function misfit(version: number, tables: Tables): HooshError {
  const found = version === 0 ? 'has no tables of hoosh yet' : `is at version ${version}, this package at ${CURRENT}`
  const help =
    version > CURRENT
      ? 'Update @hoosh/sql.'
      : `Run \`npx hoosh migrate --database URL${flagsOf(tables)}\`, start once with \`migrate: true\`, or run what \`migrationSql()\` of @hoosh/sql returns.`
  return new HooshError('not_ready', { message: `The database ${found}. ${help}` })
}

/** What the command has to be told of tables that are not where they are by default. */
function flagsOf(tables: Tables): string {
  const schema = schemaOf(tables)
  const prefix = tables.schema.slice(tables.schema.indexOf('.') + 1, -'schema'.length)
  return `${schema === null ? '' : ` --schema ${schema}`}${prefix === DEFAULT_PREFIX ? '' : ` --prefix ${prefix}`}`
}
