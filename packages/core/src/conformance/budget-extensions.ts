import assert from 'node:assert/strict'
import {
  assertRefused,
  assertTokens,
  type BudgetCase,
  exactly,
  none,
  pool,
  refusal,
  reserve,
  termsOf,
  tokens,
} from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })
const red = pool('team:red', { tokens: 500 })

/** What a running call may hold more. */
export const budgetExtensionCases: readonly BudgetCase[] = [
  {
    name: 'an extension is granted by the same range, in tokens and in money',
    async run(harness) {
      const store = await harness.open()
      const asked = pool('asked', { tokens: 1_000, nanoUsd: 1_000 })
      await reserve(harness, store, 'r', [asked], 500)
      const ask = {
        fixed: { tokens: 10, nanoUsd: 40 },
        each: { tokens: 1, nanoUsd: 3 },
        floor: 16,
        wish: 50,
        atMost: 90,
      }
      const first = await store.extend('r', ask)
      assert.deepEqual([first.outputTokens, first.held, first.expired], [50, { tokens: 560, nanoUsd: 190 }, []])
      const second = await store.extend('r', { ...ask, wish: 400, atMost: 400 })
      assert.deepEqual([second.outputTokens, second.held], [256, { tokens: 826, nanoUsd: 998 }])
      const cheap = { ...ask, fixed: tokens(159), each: tokens(1) }
      await assertRefused('budget_exceeded', () => store.extend('r', cheap))
      assert.equal((await store.extend('r', { ...cheap, floor: 15 })).outputTokens, 15)
    },
  },
  {
    name: 'an extension holds more in every pool of its hold, or in none',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 100)
      const grant = await store.extend('r', { ...exactly(none), each: tokens(1), floor: 1, wish: 200, atMost: 300 })
      assert.equal(grant.outputTokens, 200)
      assert.deepEqual(grant.held, tokens(300))
      assert.deepEqual(
        grant.pools.map(({ held }) => held.tokens),
        [300, 300],
      )
      const { code, details } = await refusal(() => store.extend('r', exactly(tokens(201))))
      assert.deepEqual([code, details.pool, details.available], ['budget_exceeded', 'team:red', 200])
      await assertTokens(harness, store, ann, { used: 0, held: 300 })
      await store.settle('r', tokens(300))
      for (const asked of [ann, red]) await assertTokens(harness, store, asked, { used: 300, held: 0 })
    },
  },
  {
    name: 'nothing can be extended that was never made or has ended',
    async run(harness) {
      const store = await harness.open()
      await assertRefused('not_held', () => store.extend('r', exactly(tokens(1))))
      await reserve(harness, store, 'r', [ann], 100)
      await store.release('r')
      await assertRefused('not_held', () => store.extend('r', exactly(tokens(1))))
    },
  },
  {
    name: 'where neither is left, what runs is judged by the terms it was held with',
    async run(harness) {
      const store = await harness.open()
      await store.define('made', termsOf({ tokens: 10 }))
      await reserve(harness, store, 'r', [{ name: 'made', terms: null }], 8)
      await store.define('made', termsOf({ tokens: 20 }))
      await store.define('made', null)
      await assertRefused('budget_exceeded', () => store.extend('r', exactly(tokens(3))))
      await store.extend('r', exactly(tokens(2)))
      await assertRefused('unknown_pool', () => reserve(harness, store, 's', [{ name: 'made', terms: null }], 1))
    },
  },
]
