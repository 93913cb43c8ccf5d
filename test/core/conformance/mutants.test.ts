import { budgetStoreCases } from '@hoosh/core/conformance'
import { type BudgetStore, memoryBudgets } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe } from 'vitest'
import { budgetEquivalents, budgetMutants } from './mutants/budgets.js'
import { caught } from './mutants/caught.js'

describe('budgets', () => {
  caught<BudgetStore, Parameters<(typeof budgetStoreCases)[number]['run']>[0]>({
    cases: budgetStoreCases,
    mutants: budgetMutants,
    harness(faulty) {
      const clock = fakeClock(1_700_000_000_000)
      const store = faulty(memoryBudgets({ clock: clock.now }))
      return { open: () => store, now: clock.now, advance: (ms) => void clock.advance(ms) }
    },
    equivalent: budgetEquivalents,
  })
})
