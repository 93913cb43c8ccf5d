import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES, type TestDatabase } from '../support/databases.js'

const script = new URL('slices-child.mjs', import.meta.url)

const isLong = process.env.HOOSH_LONG === '1'
const SEEDS = Array.from({ length: isLong ? 20 : 1 }, (_, index) => index + 1)
const HELD = 100

interface Orders {
  readonly seed: number
  readonly capacity: number
  readonly calls: number
  readonly leaseMs: number
}

async function start(database: TestDatabase, orders: Orders) {
  const asked = JSON.stringify({ ...orders, held: HELD })
  const started = await child(script, [database.place, database.file, asked])
  onTestFinished(() => killed(started.process))
  const exit = once(started.process, 'exit')
  const lines = () => started.output().split('\n').slice(1, -1)
  return {
    process: started.process,
    exit,
    /** What its calls have cost, as their provider would bill them. */
    billed: () => lines().reduce((sum, line) => sum + (line.startsWith('{') ? 0 : Number(line)), 0),
    told: () => JSON.parse(lines().at(-1)!) as { granted: number; refused: number; failed: string[] },
  }
}

async function account(database: TestDatabase): Promise<{ used: number; held: number }> {
  const [row] = await database.read<{ used: unknown; held: unknown }>(
    'select used_tokens as used, held_tokens as held from $.hoosh_accounts',
  )
  return { used: Number(row?.used ?? 0), held: Number(row?.held ?? 0) }
}

async function made(make: () => TestDatabase): Promise<{ database: TestDatabase; budgets: Store }> {
  const database = make()
  onTestFinished(() => database.remove())
  return { database, budgets: (await database.open()).budgets }
}

type Store = Awaited<ReturnType<TestDatabase['open']>>['budgets']

describe.each(DATABASES)('slices on $name', ({ missing, make }) => {
  it.skipIf(missing !== null).each(SEEDS)(
    'four processes never spend more than the pool has, and what was billed is charged to the token (seed %i)',
    { timeout: 120_000 },
    async (seed) => {
      const { database } = await made(make)
      const orders = { capacity: isLong ? 1_000_000 : 30_000, calls: 1_000_000, leaseMs: 60_000 }
      const { capacity } = orders
      const running = await Promise.all(
        [1, 2, 3, 4].map((one) => start(database, { ...orders, seed: 10 * seed + one })),
      )
      writeFileSync(`${database.file}.go`, '')
      let ended = 0
      for (const { exit } of running) exit.then(() => (ended += 1))
      while (ended < running.length) {
        const { used, held } = await account(database)
        expect(used + held).toBeLessThanOrEqual(capacity)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      const billed = running.reduce((sum, one) => sum + one.billed(), 0)
      expect(await account(database)).toEqual({ used: billed, held: 0 })
      expect(billed).toBeLessThanOrEqual(capacity)
      // Slices of others keep little from whoever asks last.
      expect(billed).toBeGreaterThan(0.95 * capacity)
      for (const one of running) expect(one.told()).toMatchObject({ failed: [] })
    },
  )

  it.skipIf(missing !== null)(
    'kill -9: after the lease nothing is held, and all that was billed is charged',
    { timeout: 120_000 },
    async () => {
      const { database, budgets } = await made(make)
      const orders = { capacity: 100_000_000, calls: 500, leaseMs: 3_000 }
      const [victim, other] = await Promise.all([
        start(database, { ...orders, seed: 1, calls: 1_000_000 }),
        start(database, { ...orders, seed: 2 }),
      ])
      writeFileSync(`${database.file}.go`, '')
      await other.exit
      await killed(victim.process)
      const before = await account(database)
      expect(before.held).toBeGreaterThan(0)
      while ((await account(database)).held > 0) {
        await budgets.expire({ onExpire: 'counted', limit: 100 })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const { used } = await account(database)
      const billed = victim.billed() + other.billed()
      expect(used).toBeGreaterThanOrEqual(billed)
      expect(used).toBeLessThanOrEqual(before.used + before.held)
    },
  )
})
