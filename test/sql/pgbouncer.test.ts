import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { auditCases, budgetStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { killed } from '../support/children.js'
import { hasPostgres, PATIENT_MS, postgresPool, postgresSchema } from '../support/postgres.js'

const BOUNCER = '/usr/sbin/pgbouncer'
const runs = process.env.HOOSH_LONG === '1' && hasPostgres && existsSync(BOUNCER)

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Two connections for everybody, each given to another client after every transaction. */
async function bouncer() {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-bouncer-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const settings = [
    '[databases]',
    '* = host=127.0.0.1 port=5432 user=postgres',
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 2',
  ]
  writeFileSync(join(folder, 'bouncer.ini'), settings.join('\n'))
  const of = (flag: string) => Number(execFileSync('id', [flag, 'postgres']).toString())
  const as = userInfo().uid === 0 ? { uid: of('-u'), gid: of('-g') } : {}
  const running = spawn(BOUNCER, [join(folder, 'bouncer.ini')], { ...as, stdio: 'ignore' })
  const pool = () => postgresPool({ port, max: 4 })
  const asked = pool()
  for (let tries = 0; tries < 100; tries += 1) {
    if (await asked.query('select 1').catch(() => null)) break
    await pause(50)
  }
  await asked.end()
  return {
    pool,
    async close() {
      await killed(running, 'SIGTERM')
      if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

describe.skipIf(!runs)('through PgBouncer in transaction mode', () => {
  let way: Awaited<ReturnType<typeof bouncer>>
  beforeAll(async () => {
    way = await bouncer()
  })
  afterAll(() => way.close())

  const opener = (clock?: () => number) => {
    const postgres = postgresSchema()
    const pools: pg.Pool[] = []
    onTestFinished(async () => {
      await Promise.all(pools.map((pool) => pool.end()))
      await postgres.remove()
    })
    return async () => {
      const pool = way.pool()
      pools.push(pool)
      const { schema } = postgres
      const storage = sqlStorage(pool, { schema, silenceMs: PATIENT_MS, ...(clock !== undefined && { clock }) })
      await storage.migrate()
      return storage
    }
  }

  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const open = opener(clock.now)
    const advance = (ms: number) => void clock.advance(ms)
    await run({ open: async () => (await open()).budgets, now: clock.now, advance })
  })

  it.each(auditCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).audit })
  })

  it.each(rateStoreCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).rates })
  })

  it('leaves nothing behind in a session', async () => {
    const open = opener()
    const { rates } = await open()
    await rates.take([{ key: 'k', limit: 5, windowMs: 60_000, cost: 1 }], 0)
    const pool = way.pool()
    const { rows } = await pool.query(
      "select current_setting('synchronous_commit') as sync, current_setting('lock_timeout') as wait",
    )
    await pool.end()
    expect(rows).toEqual([{ sync: 'on', wait: '0' }])
  })
})
