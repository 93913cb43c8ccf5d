import { HooshError } from '@hoosh/core/storage'
import type { Kysely } from 'kysely'
import type { Dialect } from './dialect.js'
import { postgres } from './postgres.js'
import { type PostgresPool, poolSource } from './postgres-pool.js'
import { kyselySource, type Source } from './source.js'
import { sqlite } from './sqlite.js'
import { kyselyOn, type NodeSqlDatabase, type SqlDatabase } from './sqlite-database.js'

/** What tables can be kept in: the host's own connection to its own database. */
export type HostDatabase = SqlDatabase | NodeSqlDatabase | PostgresPool | { readonly kysely: object }

/**
 * The dialect and the sessions of what the host has given.
 *
 * @throws HooshError `invalid_options` for what is no database: an address, say, which is not repeated
 */
export function opened(database: HostDatabase): { dialect: Dialect; source: Source } {
  if (isObject(database) && 'kysely' in database) {
    if (!isKysely(database.kysely)) throw invalid('`kysely` has to be an instance of Kysely.')
    const kysely = database.kysely.withoutPlugins()
    const { supportsReturning, supportsTransactionalDdl } = kysely.getExecutor().adapter
    const dialect = supportsReturning && supportsTransactionalDdl ? postgres : sqlite
    return { dialect, source: kyselySource(kysely) }
  }
  if (isObject(database) && 'prepare' in database && has(database, 'prepare')) {
    return { dialect: sqlite, source: kyselySource(kyselyOn(database)) }
  }
  if (isPool(database)) return { dialect: postgres, source: poolSource(database) }
  if (isKysely(database)) throw invalid('An instance of Kysely is given by name: `sqlStorage({ kysely })`.')
  throw notTaken(database)
}

/** A client of pg has the face of a pool, and one connection. */
function isPool(database: unknown): database is PostgresPool {
  if (!isObject(database) || !has(database, 'connect', 'on', 'off')) return false
  if ('connectionParameters' in database) throw invalid('sqlStorage takes a Pool of pg, not a Client.')
  return true
}

function isKysely(value: unknown): value is Kysely<unknown> {
  return isObject(value) && has(value, 'withoutPlugins', 'getExecutor')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function has(value: object, ...methods: string[]): boolean {
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

function notTaken(given: unknown): HooshError {
  const kind = typeof given === 'string' ? 'a text' : typeof given === 'function' ? 'a function' : String(given)
  return invalid(
    `sqlStorage takes an open database: \`new Pool({ connectionString })\` of pg, \`new Database(path)\` of better-sqlite3 or libsql, a database of node:sqlite, or \`{ kysely }\`. What it was given is ${isObject(given) ? 'another object' : kind}.`,
  )
}

function invalid(message: string): HooshError {
  return new HooshError('invalid_options', { message })
}
