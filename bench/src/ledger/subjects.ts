import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import Database from 'libsql'
import { Pool } from 'pg'
import { memoryBudgets } from '../../../packages/core/dist/budget/memory-store.js'
import { slicedBudgets } from '../../../packages/core/dist/budget/slices/sliced-store.js'
import type { BudgetStore } from '../../../packages/core/dist/budget/store.js'
import { redisStorage } from '../../../packages/redis/dist/index.js'
import { sqlStorage } from '../../../packages/sql/dist/index.js'
import { barePostgres, bareSqlite } from './bare.js'
import type { One } from './work.js'

/** A ledger to be measured, and what any ledger there would have to do. */
export interface Subject {
  readonly name: string
  readonly store: BudgetStore
  bare?(pools: number): One | Promise<One>
  close(): Promise<void>
}

export const SUBJECTS: readonly (() => Promise<Subject>)[] = [memory, sqlite, postgres, redis]

/** The same store with everything sliced, and how to give it all back. */
export function withSlices(store: BudgetStore): { store: BudgetStore; close(): Promise<void> } {
  const slices = slicedBudgets({
    store,
    pools: ['*'],
    clock: Date.now,
    leaseMs: 60_000,
    onExpire: 'charge',
    ids: randomUUID,
  })
  return { store: slices.budgets, close: slices.close }
}

async function memory(): Promise<Subject> {
  return { name: 'memory', store: memoryBudgets({ clock: Date.now }), close: async () => {} }
}

async function sqlite(): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-ledger-'))
  const storage = sqlStorage(new Database(join(folder, 'ours.db')))
  await storage.open!({ migrate: true })
  const database = new Database(join(folder, 'bare.db'))
  return {
    name: 'SQLite',
    store: storage.budgets,
    bare: (pools) => bareSqlite(database, pools),
    async close() {
      await storage.close!()
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

async function postgres(): Promise<Subject> {
  const pool = new Pool({
    connectionString: process.env.HOOSH_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
  })
  const schema = `hoosh_bench_${process.pid}`
  const storage = sqlStorage(pool, { schema, silenceMs: 20_000 })
  await storage.open!({ migrate: true })
  return {
    name: 'PostgreSQL',
    store: storage.budgets,
    bare: (pools) => barePostgres(pool, schema, pools),
    async close() {
      await storage.close!()
      await pool.query(`drop schema ${schema} cascade`)
      await pool.end()
    },
  }
}

async function redis(): Promise<Subject> {
  const client = new Redis(process.env.HOOSH_REDIS_URL ?? 'redis://127.0.0.1:6379')
  const prefix = `hoosh-bench-${process.pid}`
  const storage = redisStorage(client, { prefix, allowVolatile: true })
  await storage.open!({ migrate: true })
  return {
    name: 'Redis',
    store: storage.budgets,
    async close() {
      for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 1_000 }))
        if (keys.length > 0) await client.unlink(keys)
      client.disconnect()
    },
  }
}
