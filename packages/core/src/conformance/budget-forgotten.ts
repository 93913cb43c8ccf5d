import assert from 'node:assert/strict'
import type { BudgetStore } from '../budget/store.js'
import {
  allEntries,
  assertRefused,
  assertTokens,
  type BudgetCase,
  type BudgetHarness,
  exactly,
  LEASE_MS,
  pool,
  race,
  reserve,
  termsOf,
  tokens,
} from './budget-harness.js'

/** Terms come from its override alone. */
const run = { name: 'run:1', terms: null }
const ann = pool('user:ann', { tokens: 1_000 })

/** How pools end whose names are not used again. */
export const budgetForgottenCases: readonly BudgetCase[] = [
  {
    name: 'a forgotten pool is refused and listed nowhere, and its entries stay',
    async run(harness) {
      const store = await withRun(harness)
      await reserve(harness, store, 'r', [ann, run], 60)
      await store.settle('r', tokens(50))
      assert.equal(await store.forget(run.name), true)
      await assertRefused('unknown_pool', () => reserve(harness, store, 's', [ann, run], 1))
      await assertRefused('unknown_pool', async () => store.read([run], harness.now()))
      assert.deepEqual(await namesOf(harness, store), [ann.name])
      assert.deepEqual(await store.overrides(), [])
      assert.deepEqual(
        (await allEntries(store, run.name)).map(({ kind, amount }) => [kind, amount.tokens]),
        [['settled', 50]],
      )
      await assertTokens(harness, store, ann, { used: 50, held: 0 })
    },
  },
  {
    name: 'a pool in which something is held takes nothing new, and is forgotten once that has ended',
    async run(harness) {
      const store = await withRun(harness)
      await reserve(harness, store, 'r', [run, ann], 60)
      assert.equal(await store.forget(run.name), false)
      await assertRefused('unknown_pool', () => reserve(harness, store, 's', [run], 1))
      // What runs is bound by the cap as before.
      await store.extend('r', exactly(tokens(40)))
      await assertRefused('budget_exceeded', () => store.extend('r', exactly(tokens(1))))
      assert.equal(await store.forget(run.name), false)
      await store.settle('r', tokens(70))
      assert.equal(await store.forget(run.name), true)
      assert.deepEqual(await namesOf(harness, store), [ann.name])
      await assertTokens(harness, store, ann, { used: 70, held: 0 })
    },
  },
  {
    name: 'a settle that comes after an expiry corrects the other pools of its hold, and the entries of a forgotten one',
    async run(harness) {
      const store = await withRun(harness)
      await reserve(harness, store, 'r', [run, ann], 60)
      await harness.advance(LEASE_MS)
      await store.expire({ limit: 10, onExpire: 'charge' })
      assert.equal(await store.forget(run.name), true)
      const { outcome, pools } = await store.settle('r', tokens(20))
      assert.equal(outcome, 'corrected')
      assert.equal(pools.find(({ name }) => name === ann.name)?.used.tokens, 20)
      await assertTokens(harness, store, ann, { used: 20, held: 0 })
      assert.deepEqual(
        (await allEntries(store, run.name)).map(({ amount }) => amount.tokens),
        [60, -40],
      )
      assert.deepEqual(await namesOf(harness, store), [ann.name])
    },
  },
  {
    name: 'what is not there is gone, and forgetting twice does no harm',
    async run(harness) {
      const store = await withRun(harness)
      assert.equal(await store.forget('never:made'), true)
      assert.equal(await store.forget(run.name), true)
      assert.equal(await store.forget(run.name), true)
      assert.deepEqual(await namesOf(harness, store), [])
    },
  },
  {
    name: 'a forgotten name that is used again is a pool like any other',
    async run(harness) {
      const store = await harness.open()
      const bob = pool('user:bob', { tokens: 100 })
      await reserve(harness, store, 'r', [bob], 60)
      await store.settle('r', tokens(60))
      assert.equal(await store.forget(bob.name), true)
      await reserve(harness, store, 's', [bob], 30)
      await store.settle('s', tokens(30))
      assert.deepEqual(await namesOf(harness, store), [bob.name])
      const [state] = await store.read([bob], harness.now())
      assert.equal(state!.held.tokens, 0)
      assert.ok(state!.used.tokens >= 30, 'what it has used since must count')
    },
  },
  {
    name: 'of a reserve and a forget at the same time, either the pool is gone or the hold is there',
    async run(harness) {
      const [left, right] = [await withRun(harness), await harness.open()]
      for (let round = 0; round < 10; round += 1) {
        const [id, name] = [`r${round}`, `run:race${round}`]
        await left.define(name, termsOf({ tokens: 100 }))
        let isGone = false
        const outcomes = await race([
          () => reserve(harness, left, id, [{ name, terms: null }, ann], 10),
          async () => {
            isGone = await right.forget(name)
          },
        ])
        assert.deepEqual(outcomes, isGone ? ['ok', 'unknown_pool'] : ['ok', 'ok'])
        if (!isGone) await left.settle(id, tokens(10))
        assert.equal(await right.forget(name), true)
      }
    },
  },
]

async function withRun(harness: BudgetHarness): Promise<BudgetStore> {
  const store = await harness.open()
  await store.define(run.name, termsOf({ tokens: 100 }))
  return store
}

async function namesOf(harness: BudgetHarness, store: BudgetStore): Promise<string[]> {
  return (await store.list({ limit: 10, now: harness.now() })).map(({ name }) => name)
}
