import assert from 'node:assert/strict'
import { assertRefused, assertTokens, type BudgetCase, exactly, pool, reserve, tokens } from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })

/** Amounts are whole, and so are their sums. */
export const budgetAmountCases: readonly BudgetCase[] = [
  {
    name: 'an ask that comes to no whole amount is refused and held nowhere',
    async run(harness) {
      const store = await harness.open()
      for (const wrong of [Number.NaN, 0.5, -1, 2 ** 53]) {
        await assertRefused('invalid_request', () => reserve(harness, store, 'r', [pool('open', {})], wrong))
      }
      await reserve(harness, store, 'r', [ann], 10)
      await assertRefused('invalid_request', () => store.settle('r', tokens(-1)))
      await assertTokens(harness, store, ann, { used: 0, held: 10 })
    },
  },
  {
    name: 'sums are exact up to 2^53 - 1; what would take an account beyond is refused and changes nothing',
    async run(harness) {
      const store = await harness.open()
      const open = pool('open', {})
      const most = Number.MAX_SAFE_INTEGER
      await reserve(harness, store, 'used', [open], 2 ** 52 - 1)
      await store.settle('used', tokens(2 ** 52 - 1))
      await reserve(harness, store, 'held', [open], 2 ** 52 - 1)
      await reserve(harness, store, 'last', [open], 1)
      await assertTokens(harness, store, open, { used: 2 ** 52 - 1, held: 2 ** 52 })
      await assertRefused('invalid_request', () => reserve(harness, store, 'r', [open], 1))
      await assertRefused('invalid_request', () => store.extend('last', exactly(tokens(1))))
      await assertRefused('invalid_request', () => store.settle('last', tokens(2)))
      await assertTokens(harness, store, open, { used: 2 ** 52 - 1, held: 2 ** 52 })
      await store.settle('last', tokens(1))
      const { pools } = await store.settle('held', tokens(2 ** 52 - 1))
      assert.deepEqual([pools[0]?.used.tokens, pools[0]?.held.tokens], [most, 0])
      await assertRefused('invalid_request', () => reserve(harness, store, 'r', [open], 1))
      await reserve(harness, store, 'money', [open], 0, { ask: exactly({ tokens: 0, nanoUsd: most }) })
    },
  },
]
