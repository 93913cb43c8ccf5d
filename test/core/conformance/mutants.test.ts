import {
  type AuditHarness,
  auditCases,
  type BudgetHarness,
  budgetStoreCases,
  type CacheHarness,
  cacheStoreCases,
  type KeyHarness,
  keyStoreCases,
  type PayloadHarness,
  payloadStoreCases,
  type RateHarness,
  rateStoreCases,
  type UsageHarness,
  usageStoreCases,
} from '@hoosh/core/conformance'
import {
  type AuditStore,
  type BudgetStore,
  type CacheStore,
  type KeyStore,
  memoryAudit,
  memoryBudgets,
  memoryCache,
  memoryKeys,
  memoryPayloads,
  memoryRates,
  type PayloadStore,
  type RateStore,
  type UsageStore,
} from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'
import { auditEquivalents, auditMutants } from './mutants/audits.js'
import { budgetEquivalents, budgetMutants } from './mutants/budgets.js'
import { cacheEquivalents, cacheMutants } from './mutants/caches.js'
import { caught } from './mutants/caught.js'
import { keyEquivalents, keyMutants } from './mutants/keys.js'
import { payloadEquivalents, payloadMutants } from './mutants/payloads.js'
import { rateEquivalents, rateMutants } from './mutants/rates.js'
import { usageEquivalents, usageMutants } from './mutants/usages.js'

const BEGAN = 1_700_000_000_000

describe('budgets', () => {
  caught<BudgetStore, BudgetHarness>({
    cases: budgetStoreCases,
    mutants: budgetMutants,
    harness(faulty) {
      const clock = fakeClock(BEGAN)
      const store = faulty(memoryBudgets({ clock: clock.now }))
      return { open: () => store, now: clock.now, advance: (ms) => void clock.advance(ms) }
    },
    equivalent: budgetEquivalents,
  })
})

describe('the cache', () => {
  caught<CacheStore, CacheHarness>({
    cases: cacheStoreCases,
    mutants: cacheMutants,
    harness(faulty) {
      const clock = fakeClock(BEGAN)
      const store = faulty(memoryCache({ clock: clock.now }))
      return { open: () => store, advance: (ms) => void clock.advance(ms) }
    },
    equivalent: cacheEquivalents,
  })
})

/** A harness of which only handles are wanted. */
function opening<Store>(make: () => Store) {
  return (faulty: (store: Store) => Store) => {
    const store = faulty(make())
    return { open: () => store }
  }
}

describe('limits', () => {
  const harness = opening<RateStore>(memoryRates)
  const equivalent = rateEquivalents
  caught<RateStore, RateHarness>({ cases: rateStoreCases, mutants: rateMutants, harness, equivalent })
})

describe('usage', () => {
  const harness = opening<UsageStore>(memoryUsage)
  const equivalent = usageEquivalents
  caught<UsageStore, UsageHarness>({ cases: usageStoreCases, mutants: usageMutants, harness, equivalent })
})

describe('the audit log', () => {
  const harness = opening<AuditStore>(memoryAudit)
  const equivalent = auditEquivalents
  caught<AuditStore, AuditHarness>({ cases: auditCases, mutants: auditMutants, harness, equivalent })
})

describe('payloads', () => {
  const harness = opening<PayloadStore>(memoryPayloads)
  const equivalent = payloadEquivalents
  caught<PayloadStore, PayloadHarness>({ cases: payloadStoreCases, mutants: payloadMutants, harness, equivalent })
})

describe('keys', () => {
  const harness = opening<KeyStore>(memoryKeys)
  const equivalent = keyEquivalents
  caught<KeyStore, KeyHarness>({ cases: keyStoreCases, mutants: keyMutants, harness, equivalent })
})
