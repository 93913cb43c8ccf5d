import { budgetStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import { memoryBudgets, memoryRates } from '@hoosh/core/storage'
import { describe, it } from 'vitest'

describe('budgets in memory', () => {
  for (const { name, run } of budgetStoreCases) {
    it(name, async () => {
      let now = Date.parse('2026-11-24T10:30:00Z')
      const store = memoryBudgets({ clock: () => now })
      await run({
        open: () => store,
        now: () => now,
        advance: (ms) => {
          now += ms
        },
      })
    })
  }
})

describe('rates in memory', () => {
  for (const { name, run } of rateStoreCases) {
    it(name, async () => {
      const rates = memoryRates()
      await run({ open: () => rates })
    })
  }
})
