import { existsSync } from 'node:fs'
import { HooshError, type Storage } from '@hoosh/core/storage'
import type { RedisClient } from '@hoosh/redis'
import type { HostDatabase, PostgresPool, SqlStorage } from '@hoosh/sql'
import { saidBy } from './failure.js'
import { installed, missing, needed } from './installed.js'
import type { RedisPlace, SqlPlace } from './place.js'

/** What a command works on, and how it lets go of it. */
export interface Opened<Kept> {
  readonly storage: Kept
  close(): Promise<void>
}

export interface OpenOptions {
  readonly prefix: string | undefined
  readonly schema: string | undefined
  /** Nothing is written, and a file that is not there is not made. */
  readonly readOnly: boolean
}

/** Tables in a database, by the driver and the `@hoosh/sql` of the app. */
export async function openSql(place: SqlPlace, options: OpenOptions): Promise<Opened<SqlStorage>> {
  const { sqlStorage } = await needed<typeof import('@hoosh/sql')>('@hoosh/sql')
  const { prefix, schema } = options
  const database = place.kind === 'postgres' ? await postgres(place.url, place.name) : await sqlite(place.file, options)
  const storage = sqlStorage(database.handle, {
    ...(prefix !== undefined && { prefix }),
    ...(schema !== undefined && { schema }),
    ...(place.kind === 'postgres' && { silenceMs: 60_000 }),
  })
  return { storage, close: database.close }
}

/** A ledger in Redis, by the client and the `@hoosh/redis` of the app. */
export async function openRedis(
  { url, name }: RedisPlace,
  prefix: string | undefined,
): Promise<Opened<Pick<Storage, 'budgets'>>> {
  const { redisStorage } = await needed<typeof import('@hoosh/redis')>('@hoosh/redis')
  const { handle, close } = await redis(url, name)
  return { storage: redisStorage(handle, { ...(prefix !== undefined && { prefix }), timeoutMs: 30_000 }), close }
}

interface Handle<Kind> {
  readonly handle: Kind
  close(): Promise<void>
}

interface PgPool extends PostgresPool {
  query(text: string): Promise<unknown>
  end(): Promise<void>
}

async function postgres(connectionString: string, name: string): Promise<Handle<HostDatabase>> {
  type Pg = { Pool: new (options: object) => PgPool }
  const pg = await needed<Pg & { default?: Pg }>('pg')
  const { Pool } = pg.default ?? pg
  const pool = new Pool({ connectionString, max: 2, connectionTimeoutMillis: 10_000 })
  pool.on('error', () => {}) // a query that fails says so itself
  try {
    await pool.query('select 1')
  } catch (error) {
    await pool.end()
    throw unreachable(name, error)
  }
  return { handle: pool, close: () => pool.end() }
}

type SqliteHandle = Extract<HostDatabase, { prepare: unknown }> & { close(): void }
type SqliteClass = new (file: string, options: object) => SqliteHandle

/** A driver, and its own name for a connection that only reads: better-sqlite3 refuses a file with any other. */
interface SqliteDriver {
  readonly Database: SqliteClass
  readonly readOnly: 'readonly' | 'readOnly'
}

async function sqlite(file: string, { readOnly }: OpenOptions): Promise<Handle<HostDatabase>> {
  if (readOnly && !existsSync(file))
    throw new HooshError('store_unavailable', { message: `There is no file ${file} in ${process.cwd()}.` })
  const driver = await sqliteDriver()
  try {
    const handle = new driver.Database(file, readOnly ? { [driver.readOnly]: true } : {})
    return { handle, close: async () => handle.close() }
  } catch (error) {
    throw unreachable(file, error)
  }
}

/** The app's own driver; of those that it has, any reads the file. */
async function sqliteDriver(): Promise<SqliteDriver> {
  for (const name of ['better-sqlite3', 'libsql']) {
    const found = await installed<{ default: SqliteClass }>(name)
    if (found !== null) return { Database: found.default, readOnly: 'readonly' }
  }
  const builtIn = process.getBuiltinModule?.('node:sqlite') as { DatabaseSync: SqliteClass } | undefined
  if (builtIn !== undefined) return { Database: builtIn.DatabaseSync, readOnly: 'readOnly' }
  throw missing('A driver for SQLite (better-sqlite3 or libsql)', 'npm install better-sqlite3')
}

/** What is called of either client beside its scripts. */
interface Connecting {
  on(event: 'error', listener: (error: unknown) => void): unknown
  connect(): Promise<unknown>
}

async function redis(url: string, name: string): Promise<Handle<RedisClient>> {
  const { client, close } = await redisClient(url)
  // ioredis tells why it cannot connect to its listeners only.
  let heard: unknown
  client.on('error', (error) => {
    heard = error
  })
  try {
    await client.connect()
  } catch (error) {
    throw unreachable(name, heard ?? error)
  }
  return { handle: client, close: async () => close() }
}

async function redisClient(url: string): Promise<{ client: RedisClient & Connecting; close(): void }> {
  type Ioredis = RedisClient & Connecting & { disconnect(): void }
  const ioredis = await installed<{ Redis: new (url: string, options: object) => Ioredis }>('ioredis')
  if (ioredis !== null) {
    const client = new ioredis.Redis(url, { lazyConnect: true, retryStrategy: () => null })
    return { client, close: () => client.disconnect() }
  }
  type NodeRedis = RedisClient & Connecting & { destroy(): void }
  const redis = await installed<{ createClient(options: object): NodeRedis }>('redis')
  if (redis === null) throw missing('A client for Redis (ioredis or redis)', 'npm install ioredis')
  const client = redis.createClient({ url, socket: { reconnectStrategy: false } })
  return { client, close: () => client.destroy() }
}

/** What drivers say when they cannot connect, and what helps. */
const HELP: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Is it running, and is that its port?',
  ENOTFOUND: 'Is that the name of the host?',
  '28P01': 'Is that its user and password?',
  '3D000': 'Make the database first, with `createdb` or as your provider does it.',
}

function unreachable(name: string, error: unknown): HooshError {
  const { code } = Object(error) as { code?: unknown }
  const help = HELP[String(code)] ?? ''
  const message = `${name} cannot be reached: ${saidBy(error)}. ${help}`.trim()
  return new HooshError('store_unavailable', { message })
}
