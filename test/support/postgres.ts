import { type SqlStorage, type SqlStorageOptions, sqlStorage } from '@hoosh/sql'
import pg from 'pg'

const CONNECTION = { host: '127.0.0.1', port: 5432, user: 'postgres', database: 'postgres' }

/** Whether PostgreSQL answers where the tests expect it. */
export const hasPostgres = await reaches()

async function reaches(): Promise<boolean> {
  const client = new pg.Client({ ...CONNECTION, connectionTimeoutMillis: 2_000 })
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

/** What is not about silence is not to fail because a busy machine paused. */
export const PATIENT_MS = 20_000

let made = 0

/** A name that no other test has, of this run or another. */
export function schemaName(): string {
  made += 1
  return `hoosh_${process.pid}_${Date.now().toString(36)}_${made}`
}

export function postgresPool(options: pg.PoolConfig = {}): pg.Pool {
  return new pg.Pool({ ...CONNECTION, max: 4, ...options })
}

/** For tests of thousands of steps that are about logic alone: no commit waits for the disk. */
export const HASTY = { options: '-c synchronous_commit=off' } satisfies pg.PoolConfig

/** A schema of its own, with any number of handles. */
export function postgresSchema(options: SqlStorageOptions = {}, connection: pg.PoolConfig = {}) {
  const schema = schemaName()
  const pools: pg.Pool[] = []
  const storages: SqlStorage[] = []
  const pool = (more: pg.PoolConfig = {}) => {
    const made = postgresPool({ ...connection, ...more })
    pools.push(made)
    return made
  }
  let own: pg.Pool | undefined
  return {
    schema,
    pool,
    /** Another handle, as another process would have it. */
    async open(more: SqlStorageOptions = {}): Promise<SqlStorage> {
      const storage = sqlStorage(pool(), { schema, silenceMs: PATIENT_MS, ...options, ...more })
      storages.push(storage)
      await storage.open!({ migrate: true })
      return storage
    },
    /** Rows as they stand, by a connection of its own; `$` in the text is the schema. */
    async read<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
      own ??= pool()
      return (await own.query<Row>(text.replaceAll('$.', `${schema}.`), values)).rows
    },
    async remove(): Promise<void> {
      for (const storage of storages) await storage.close!()
      await drop(own ?? pool(), schema)
      await Promise.all(pools.map((one) => one.end()))
    },
  }
}

/** Tables are locked one by one, in which somebody who still looks into them may come across. */
async function drop(connection: pg.Pool, schema: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return void (await connection.query(`drop schema if exists ${schema} cascade`))
    } catch (error) {
      if ((error as { code?: string }).code !== '40P01' || tries === 5) throw error
    }
  }
}
