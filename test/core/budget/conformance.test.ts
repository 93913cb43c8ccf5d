import { budgetStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import { memoryBudgets, memoryRates } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, it } from 'vitest'

describe('the ledger in memory', () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const store = memoryBudgets({ clock: clock.now })
    await run({ open: () => store, now: clock.now, advance: (ms) => void clock.advance(ms) })
  })
})

describe('rates in memory', () => {
  it.each(rateStoreCases)('$name', async ({ run }) => {
    const store = memoryRates()
    await run({ open: () => store })
  })
})
