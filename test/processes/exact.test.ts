import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { diagnose } from '@hoosh/core/storage'
import type { SqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES, type TestDatabase } from '../support/databases.js'
import { balancedBooks } from '../support/sql-balance.js'

const script = new URL('ledger-child.mjs', import.meta.url)

const isLong = process.env.HOOSH_LONG === '1'
const SEEDS = Array.from({ length: isLong ? 20 : 2 }, (_, index) => index + 1)
const RESERVATIONS = isLong ? 10_000 : 2_000
const PROCESSES = 4
const TOKENS = 7

interface Told {
  granted: number
  budget_exceeded: number
  settled: number
  ms: number
}

/** Nothing that the doctor would call a fault, and that it looked at something. */
async function sound(storage: SqlStorage, accounts: number): Promise<void> {
  const { findings, looked } = await diagnose(storage)
  expect(findings).toEqual([])
  expect(looked.accounts).toBeLessThanOrEqual(accounts)
}

async function race(
  database: TestDatabase,
  storage: SqlStorage,
  seed: number,
  pools: readonly string[],
): Promise<string> {
  const capacity = (RESERVATIONS / 2) * TOKENS
  const share = RESERVATIONS / PROCESSES
  const started = await Promise.all(
    Array.from({ length: PROCESSES }, (_, index) => {
      const orders = { seed: seed * 100 + index, from: index * share, count: share, tokens: TOKENS, pools, capacity }
      return child(script, [database.place, database.file, JSON.stringify(orders)])
    }),
  )
  onTestFinished(async () => void (await Promise.all(started.map((one) => killed(one.process)))))
  let running = PROCESSES
  const exits = started.map(async (one) => {
    await once(one.process, 'exit')
    running -= 1
  })
  const began = performance.now()
  writeFileSync(`${database.file}.go`, '')
  let samples = 0
  while (running > 0) {
    samples += (await balancedBooks(database, capacity)).length > 0 ? 1 : 0
    if (samples % 8 === 1) await sound(storage, pools.length)
    // SQLite answers at once, and the end of a process is heard of in another turn.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await Promise.all(exits)
  await sound(storage, pools.length)
  const told = started.map((one) => JSON.parse(one.output().split('\n')[1]!) as Told)
  const sum = (of: keyof Told) => told.reduce((all, one) => all + (one[of] ?? 0), 0)
  // No other word reached a caller.
  for (const { granted: _g, settled: _s, budget_exceeded: _b, ms: _m, ...others } of told) expect(others).toEqual({})
  expect([sum('granted'), sum('budget_exceeded')]).toEqual([RESERVATIONS / 2, RESERVATIONS / 2])
  const rows = await balancedBooks(database, capacity)
  for (const { used, held } of rows) expect(used + held).toBe(capacity)
  expect(rows).toHaveLength(pools.length)
  return `seed ${seed}: ${samples} samples, ${Math.round(performance.now() - began)} ms`
}

describe.each(DATABASES)('four processes on $name', ({ missing, make }) => {
  it.skipIf(missing !== null).each([
    ['one pool', ['user:ann']],
    ['three pools, named in any order', ['user:ann', 'team:red', 'tenant:acme']],
  ])(
    'are granted exactly what fits, and the books are right at every moment: %s',
    { timeout: 3_600_000 },
    async (name, pools) => {
      for (const seed of SEEDS) {
        const database = make()
        onTestFinished(() => database.remove())
        const told = await race(database, await database.open(), seed, pools)
        if (isLong) console.log(`${name}, ${RESERVATIONS} reservations, ${told}`)
      }
    },
  )
})
