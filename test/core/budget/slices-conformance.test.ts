import { randomUUID } from 'node:crypto'
import { budgetStoreCases } from '@hoosh/core/conformance'
import { memoryBudgets, type Slices, slicedBudgets } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, it } from 'vitest'

const LEASE_MS = 60_000
const BEAT_MS = 20_000

const harness = (processes: number) => {
  const clock = fakeClock(1_700_000_000_000)
  const store = memoryBudgets({ clock: clock.now })
  const options = {
    store,
    pools: ['*'],
    clock: clock.now,
    leaseMs: LEASE_MS,
    onExpire: 'charge',
    ids: randomUUID,
  } as const
  const running: Slices[] = Array.from({ length: processes }, () => slicedBudgets(options))
  let opened = 0
  return {
    open: () => running[opened++ % processes]!.budgets,
    now: clock.now,
    async advance(ms: number) {
      for (let left = ms; left > 0; left -= BEAT_MS) {
        clock.advance(Math.min(left, BEAT_MS))
        for (const slices of running) await slices.beat()
      }
    },
  }
}

describe('slices of one process', () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => run(harness(1)))
})

describe('slices of two', () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => run(harness(2)))
})
