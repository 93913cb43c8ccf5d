import assert from 'node:assert/strict'
import type { Ask } from '../budget/store.js'
import {
  assertRefused,
  assertTokens,
  type BudgetCase,
  exactly,
  LEASE_MS,
  none,
  pool,
  refusal,
  reserve,
  stateOf,
  termsOf,
  tokens,
} from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })
const red = pool('team:red', { tokens: 500 })

/** What a reserve grants, refuses and leaves behind. */
export const budgetHoldCases: readonly BudgetCase[] = [
  {
    name: 'a reserve holds the same amount in every pool and says what it holds, until when, and how the pools stand',
    async run(harness) {
      const store = await harness.open()
      const grant = await reserve(harness, store, 'r', [ann, red], 300)
      assert.deepEqual(grant.held, tokens(300))
      assert.equal(grant.leaseUntil, harness.now() + LEASE_MS)
      assert.deepEqual(grant.expired, [])
      assert.deepEqual(
        grant.pools.map(({ name, used, held }) => ({ name, used, held })),
        [ann, red].map(({ name }) => ({ name, used: none, held: tokens(300) })),
      )
      for (const asked of [ann, red]) await assertTokens(harness, await harness.open(), asked, { used: 0, held: 300 })
    },
  },
  {
    name: 'a reserve that one pool cannot pay holds in none and names the pool with the least left',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'first', [red], 450)
      const { code, details } = await refusal(() => reserve(harness, store, 'r', [ann, red], 1_001))
      assert.equal(code, 'budget_exceeded')
      assert.deepEqual(details, { pool: 'team:red', available: 50, resetsAt: null, retryable: false })
      await assertTokens(harness, store, ann, { used: 0, held: 0 })
      await assertTokens(harness, store, red, { used: 0, held: 450 })
      assert.equal(await store.find({ id: 'r' }), null)
      const known = await store.list({ limit: 10, now: harness.now() })
      assert.deepEqual(
        known.map(({ name }) => name),
        ['team:red'],
      )
    },
  },
  {
    name: 'the last token is granted, one more is not',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'a', [ann], 999)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 'b', [ann], 2))
      await reserve(harness, store, 'c', [ann], 1)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 'd', [ann], 1))
    },
  },
  {
    name: 'output is granted as a range: the wish, an eighth of the rest, what is left, or nothing below the floor',
    async run(harness) {
      const store = await harness.open()
      const range = (fixed: number, floor: number, wish: number, atMost: number): Ask => {
        return { fixed: tokens(fixed), each: tokens(1), floor, wish, atMost }
      }
      const granted = async (id: string, capacity: number, ask: Ask) => {
        return (await reserve(harness, store, id, [pool(id, { tokens: capacity })], 0, { ask })).outputTokens
      }
      assert.equal(await granted('wish', 5_000, range(1_000, 16, 1_024, 4_096)), 1_024)
      assert.equal(await granted('eighth', 20_007, range(0, 16, 1_024, 4_096)), 2_500)
      assert.equal(await granted('most', 80_000, range(0, 16, 1_024, 4_096)), 4_096)
      assert.equal(await granted('rest', 1_100, range(1_000, 16, 1_024, 4_096)), 100)
      assert.equal(await granted('floor', 1_016, range(1_000, 16, 1_024, 4_096)), 16)
      const ask = range(1_000, 16, 1_024, 4_096)
      await assertRefused('budget_exceeded', () => granted('below', 1_015, ask))
      await assertTokens(harness, store, pool('rest', { tokens: 1_100 }), { used: 0, held: 1_100 })
    },
  },
  {
    name: 'the tightest pool and unit decides: money is held by the price of each token',
    async run(harness) {
      const store = await harness.open()
      const rich = pool('rich', { tokens: 1_000_000 })
      const poor = pool('poor', { tokens: 1_000_000, nanoUsd: 10_000 })
      const fixed = { tokens: 50, nanoUsd: 1_000 }
      const ask = { fixed, each: { tokens: 1, nanoUsd: 30 }, floor: 16, wish: 1_024, atMost: 4_096 }
      const grant = await reserve(harness, store, 'r', [rich, poor], 0, { ask })
      assert.equal(grant.outputTokens, 300)
      assert.deepEqual(grant.held, { tokens: 350, nanoUsd: 10_000 })
      const { details } = await refusal(() => reserve(harness, store, 's', [rich, poor], 0, { ask }))
      const left = { pool: 'poor', available: 999_650, availableUsd: '0' }
      assert.deepEqual(details, { ...left, resetsAt: null, retryable: false })
    },
  },
  {
    name: 'only units that a call uses can refuse it, but a cap of 0 tokens blocks everything',
    async run(harness) {
      const store = await harness.open()
      const spent = pool('spent', { nanoUsd: 100 })
      await reserve(harness, store, 'money', [spent], 0, { ask: exactly({ tokens: 1, nanoUsd: 100 }) })
      await reserve(harness, store, 'free', [spent], 5_000)
      await assertRefused('budget_exceeded', () => {
        return reserve(harness, store, 'costly', [spent], 0, { ask: exactly({ tokens: 1, nanoUsd: 1 }) })
      })
      const blocked = pool('blocked', { tokens: 0 })
      await assertRefused('budget_exceeded', () => reserve(harness, store, 'zero', [blocked], 0))
      await reserve(harness, store, 'no-money', [pool('unpaid', { nanoUsd: 0 })], 5)
    },
  },
  {
    name: 'a pool without a cap is never full, and counts in both units',
    async run(harness) {
      const store = await harness.open()
      const open = pool('open', {})
      const amount = { tokens: 2 ** 40, nanoUsd: 2 ** 41 }
      await reserve(harness, store, 'r', [open], 0, { ask: exactly(amount) })
      assert.deepEqual((await stateOf(harness, store, open)).held, amount)
    },
  },
  {
    name: 'where every pool has eight times as much left, `plenty` is held in place of `fixed`',
    async run(harness) {
      const store = await harness.open()
      const ask = { ...exactly(tokens(90)), plenty: tokens(100) }
      const held = async (id: string, capacity: number) => {
        return (await reserve(harness, store, id, [pool(id, { tokens: capacity }), pool('open', {})], 0, { ask })).held
      }
      assert.deepEqual(await held('enough', 800), tokens(100))
      assert.deepEqual(await held('scarce', 799), tokens(90))
    },
  },
  {
    name: 'that is so in each unit, and of an extension',
    async run(harness) {
      const store = await harness.open()
      const [fixed, plenty] = [tokens(90), tokens(100)].map((amount) => ({ ...amount, nanoUsd: amount.tokens }))
      const ask = { ...exactly(fixed!), plenty: plenty! }
      for (const [name, nanoUsd, held] of [
        ['enough', 800, plenty],
        ['scarce', 799, fixed],
      ] as const) {
        const both = pool(name, { tokens: 10_000, nanoUsd })
        assert.deepEqual((await reserve(harness, store, name, [both], 0, { ask })).held, held)
        const extended = pool(`${name}, extended`, { tokens: 10_000, nanoUsd })
        await reserve(harness, store, extended.name, [extended], 0)
        assert.deepEqual((await store.extend(extended.name, ask)).held, held)
      }
    },
  },
  {
    name: 'a pool named twice is held in once',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red, ann], 100)
      await assertTokens(harness, store, ann, { used: 0, held: 100 })
      await store.settle('r', tokens(70))
      await assertTokens(harness, store, ann, { used: 70, held: 0 })
    },
  },
  {
    name: 'the same reserve again holds nothing more and has the first answer with the figures of now',
    async run(harness) {
      const store = await harness.open()
      const ask = { fixed: tokens(100), each: tokens(1), floor: 0, wish: 50, atMost: 50 }
      const first = await reserve(harness, store, 'r', [ann, red], 0, { ask })
      await reserve(harness, store, 'other', [ann], 20)
      const again = await reserve(harness, await harness.open(), 'r', [red, ann], 0, { ask })
      assert.deepEqual(again.held, first.held)
      assert.equal(again.outputTokens, 50)
      assert.equal(again.leaseUntil, first.leaseUntil)
      assert.equal(again.pools.find(({ name }) => name === 'user:ann')?.held.tokens, 170)
      await assertTokens(harness, store, red, { used: 0, held: 150 })
    },
  },
  {
    name: 'an id that was used by another owner, in another phase, for other pools, or that has ended is a conflict',
    async run(harness) {
      const store = await harness.open()
      const again = (more: object, pools = [ann]) => reserve(harness, store, 'r', pools, 10, more)
      await again({})
      await assertRefused('reservation_conflict', () => again({ owner: 'bob' }))
      await assertRefused('reservation_conflict', () => again({ phase: 'reserved' }))
      await assertRefused('reservation_conflict', () => again({}, [red]))
      await assertRefused('reservation_conflict', () => again({}, [ann, red]))
      await store.settle('r', tokens(10))
      await assertRefused('reservation_conflict', () => again({}))
      await assertTokens(harness, store, ann, { used: 10, held: 0 })
    },
  },
  {
    name: 'of several refusals the first in order is given: conflict, too many, unknown pool, frozen, exceeded',
    async run(harness) {
      const store = await harness.open()
      const unknown = { name: 'unknown', terms: null }
      await reserve(harness, store, 'r', [ann], 1, { phase: 'reserved' })
      const over = { phase: 'reserved', maxOpen: 1 } as const
      await assertRefused('reservation_conflict', () => reserve(harness, store, 'r', [unknown], 5_000, over))
      await assertRefused('too_many_reservations', () => reserve(harness, store, 's', [unknown], 5_000, over))
      const stopped = { name: 'stopped', terms: { ...termsOf({}), frozen: true } }
      for (const pools of [
        [ann, stopped, unknown],
        [unknown, stopped],
      ]) {
        const { code, details } = await refusal(() => reserve(harness, store, 's', pools, 5_000))
        assert.deepEqual([code, details.pool], ['unknown_pool', 'unknown'])
      }
      await assertRefused('pool_frozen', () => reserve(harness, store, 's', [ann, stopped], 5_000))
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [ann], 5_000))
    },
  },
  {
    name: 'an owner has at most `maxOpen` open reservations in phase `reserved`, over all pools',
    async run(harness) {
      const store = await harness.open()
      const wire = { phase: 'reserved', maxOpen: 2 } as const
      await reserve(harness, store, 'call', [ann], 1)
      await reserve(harness, store, 'a', [ann], 1, wire)
      await reserve(harness, store, 'b', [red], 1, wire)
      await assertRefused('too_many_reservations', () => reserve(harness, store, 'c', [ann], 1, wire))
      await reserve(harness, store, 'bob', [red], 1, { ...wire, owner: 'bob' })
      await store.release('a')
      await reserve(harness, store, 'c', [ann], 1, wire)
    },
  },
  {
    name: 'an override counts at once, wins over the template until it is removed, and never touches accounts',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await reserve(harness, store, 'r', [ann], 800)
      await other.define('user:ann', termsOf({ tokens: 500 }))
      assert.deepEqual(await store.overrides(), [{ name: 'user:ann', terms: termsOf({ tokens: 500 }) }])
      await assertTokens(harness, store, ann, { used: 0, held: 800 })
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [ann], 1))
      await assertRefused('budget_exceeded', () => store.extend('r', exactly(tokens(1))))
      await store.settle('r', tokens(800))
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [ann], 1))
      await other.define('user:ann', null)
      assert.deepEqual(await store.overrides(), [])
      await reserve(harness, store, 's', [ann], 200)
      await assertTokens(harness, store, ann, { used: 800, held: 200 })
    },
  },
  {
    name: 'an override makes a pool that no template knows',
    async run(harness) {
      const store = await harness.open()
      const unknown = { name: 'made', terms: null }
      await store.define('made', termsOf({ tokens: 10 }))
      await reserve(harness, store, 'r', [unknown], 10)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [unknown], 1))
    },
  },
]
