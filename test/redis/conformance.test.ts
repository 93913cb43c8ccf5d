import { budgetStoreCases, cacheStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { describe, it, onTestFinished } from 'vitest'
import { ALL_CLIENT_KINDS, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()

describe.skipIf(missing !== null)(`on Redis ${missing ?? ''}`, () => {
  describe.each(ALL_CLIENT_KINDS)('the ledger, through %s', (kind) => {
    it.each(budgetStoreCases)('$name', async ({ run }) => {
      const clock = fakeClock(1_700_000_000_000)
      const ledger = redisLedger({ clock: clock.now })
      onTestFinished(() => ledger.remove())
      await run({
        open: async () => (await ledger.open(kind)).budgets,
        now: clock.now,
        advance: (ms) => void clock.advance(ms),
      })
    })
  })

  describe.each(ALL_CLIENT_KINDS)('rates, through %s', (kind) => {
    it.each(rateStoreCases)('$name', async ({ run }) => {
      const ledger = redisLedger()
      onTestFinished(() => ledger.remove())
      await run({ open: async () => (await ledger.open(kind)).rates })
    })
  })

  describe.each(ALL_CLIENT_KINDS)('the cache, through %s', (kind) => {
    it.each(cacheStoreCases)('$name', async ({ run }) => {
      const ledger = redisLedger()
      onTestFinished(() => ledger.remove())
      await run({
        open: async () => (await ledger.open(kind)).cache,
        advance: ledger.advanceCache,
      })
    })
  })
})
