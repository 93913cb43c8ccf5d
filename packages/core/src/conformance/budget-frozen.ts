import assert from 'node:assert/strict'
import type { PoolTerms } from '../budget/terms.js'
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

const frozen = { ...termsOf({ tokens: 100 }), frozen: true }

/** A pool that is frozen. */
export const budgetFrozenCases: readonly BudgetCase[] = [
  {
    name: 'a frozen pool takes no hold, not even of nothing, and is told of before one that is empty',
    async run(harness) {
      const store = await harness.open()
      const [team, spent] = [pool('team', { tokens: 100 }), pool('spent', { tokens: 0 })]
      await store.define('team', frozen)
      await store.define('also', frozen)
      const also = pool('also', { tokens: 100 })
      const { code, details } = await refusal(() => reserve(harness, store, 'r', [spent, team, also], 1))
      assert.deepEqual([code, details.pool], ['pool_frozen', 'team'])
      await assertRefused('pool_frozen', () => reserve(harness, store, 'r', [team], 0, { ask: exactly(none) }))
      const template = { name: 'by-template', terms: frozen }
      await assertRefused('pool_frozen', () => reserve(harness, store, 'r', [template], 1))
      assert.equal(await store.find({ id: 'r' }), null)
    },
  },
  {
    name: 'what a pool holds when it is frozen is settled and released as ever, but holds no more; unfrozen it goes on where it was',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const team = pool('team', { tokens: 100 })
      await reserve(harness, store, 'r', [team], 30)
      await reserve(harness, store, 'free', [team], 5)
      await other.define('team', frozen)
      const { code, details } = await refusal(() => store.extend('r', exactly(tokens(1))))
      assert.deepEqual([code, details.pool], ['pool_frozen', 'team'])
      await assertRefused('pool_frozen', () => reserve(harness, store, 's', [team], 1))
      const again = await reserve(harness, store, 'r', [team], 30)
      assert.deepEqual([again.held, again.pools[0]?.terms.frozen], [tokens(30), true])
      const { outcome, pools } = await store.settle('r', tokens(20))
      assert.deepEqual([outcome, pools[0]?.used, pools[0]?.terms.frozen], ['settled', tokens(20), true])
      const released = await store.release('free')
      assert.deepEqual([released.outcome, released.pools[0]?.terms.frozen], ['released', true])
      await other.define('team', null)
      await reserve(harness, store, 's', [team], 80)
      await assertTokens(harness, store, team, { used: 20, held: 80 })
    },
  },
  {
    name: 'a freeze leaves the other terms as they are, and its end as well: where the template says the same, it counts again',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const terms: PoolTerms = {
        ...{ capacity: { tokens: 100, nanoUsd: 5 }, window: 'day', timeZone: 'Europe/Berlin' },
        ...{ limits: { concurrent: 3 }, unpriced: 'allow' },
      }
      const team = { name: 'team', terms }
      assert.deepEqual(await store.freeze(team, true), { ...terms, frozen: true })
      await assertRefused('pool_frozen', () => reserve(harness, other, 'r', [team], 1))
      assert.equal(await other.freeze(team, false), null)
      assert.deepEqual(await store.overrides(), [])
      const own = termsOf({ tokens: 50 }, 'day')
      await other.define('team', own)
      assert.deepEqual(await store.freeze({ name: 'team', terms: null }, true), { ...own, frozen: true })
      assert.deepEqual(await store.freeze(team, true), { ...own, frozen: true })
      assert.deepEqual(await other.freeze(team, false), own)
      assert.deepEqual(await store.overrides(), [{ name: 'team', terms: own }])
      const template = { name: 'by-template', terms: frozen }
      assert.deepEqual(await store.freeze(template, false), termsOf({ tokens: 100 }))
      await reserve(harness, other, 'r', [template], 1)
    },
  },
  {
    name: 'a pool that nobody knows is neither frozen nor made by it',
    async run(harness) {
      const store = await harness.open()
      const { code, details } = await refusal(() => store.freeze({ name: 'nobody', terms: null }, true))
      assert.deepEqual([code, details.pool], ['unknown_pool', 'nobody'])
      assert.deepEqual(await store.overrides(), [])
      assert.deepEqual(await store.list({ limit: 10, now: harness.now() }), [])
    },
  },
  {
    name: 'of a freeze and an override at the same moment neither is lost: the pool is left with the new terms',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const team = pool('team', { tokens: 100 })
      for (let round = 1; round <= 10; round += 1) {
        const terms = termsOf({ tokens: round })
        const freeze = async () => store.freeze(team, round % 2 === 1)
        const define = async () => other.define('team', terms)
        await Promise.all(round % 3 === 0 ? [define(), freeze()] : [freeze(), define()])
        const [override] = await store.overrides()
        assert.deepEqual(override?.terms.capacity, terms.capacity)
      }
    },
  },
]
