import {
  type BudgetHarness,
  budgetStoreCases,
  type CacheHarness,
  cacheStoreCases,
  type RateHarness,
  rateStoreCases,
} from '@hoosh/core/conformance'
import {
  type BudgetStore,
  type CacheStore,
  memoryBudgets,
  memoryCache,
  memoryRates,
  type RateStore,
} from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe } from 'vitest'
import { budgetEquivalents, budgetMutants } from './mutants/budgets.js'
import { cacheEquivalents, cacheMutants } from './mutants/caches.js'
import { caught } from './mutants/caught.js'
import { rateEquivalents, rateMutants } from './mutants/rates.js'

describe('budgets', () => {
  caught<BudgetStore, BudgetHarness>({
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

describe('limits', () => {
  caught<RateStore, RateHarness>({
    cases: rateStoreCases,
    mutants: rateMutants,
    harness(faulty) {
      const store = faulty(memoryRates())
      return { open: () => store }
    },
    equivalent: rateEquivalents,
  })
})

describe('the cache', () => {
  caught<CacheStore, CacheHarness>({
    cases: cacheStoreCases,
    mutants: cacheMutants,
    harness(faulty) {
      const clock = fakeClock(1_700_000_000_000)
      const store = faulty(memoryCache({ clock: clock.now }))
      return { open: () => store, advance: (ms) => void clock.advance(ms) }
    },
    equivalent: cacheEquivalents,
  })
})
