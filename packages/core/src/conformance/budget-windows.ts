import assert from 'node:assert/strict'
import { windowAt } from '../budget/window.js'
import { assertTokens, type BudgetCase, pool, refusal, reserve, stateOf, termsOf, tokens } from './budget-harness.js'

const everyHour = pool('hourly', { tokens: 100 }, { everyMs: 3_600_000 })

/** Which window a hold belongs to. */
export const budgetWindowCases: readonly BudgetCase[] = [
  {
    name: "a window is chosen by the gateway's clock, and a new one begins empty",
    async run(harness) {
      const store = await harness.open()
      const now = harness.now()
      const next = windowAt(everyHour.terms!, now).end!
      await reserve(harness, store, 'r', [everyHour], 100)
      await store.settle('r', tokens(100))
      const { details } = await refusal(() => reserve(harness, store, 's', [everyHour], 1))
      assert.equal(details.resetsAt, new Date(next).toISOString())
      const grant = await reserve(harness, store, 's', [everyHour], 60, { now: next })
      assert.equal(grant.pools[0]?.windowStart, next)
      assert.equal(grant.pools[0]?.windowEnd, next + 3_600_000)
      const states = [await store.read([everyHour], now), await store.read([everyHour], next)]
      assert.deepEqual(
        states.map(([state]) => [state?.used.tokens, state?.held.tokens]),
        [
          [100, 0],
          [0, 60],
        ],
      )
    },
  },
  {
    name: 'a hold belongs to the window it was taken in, whenever it ends',
    async run(harness) {
      const store = await harness.open()
      const { start, end } = windowAt(everyHour.terms!, harness.now())
      await reserve(harness, store, 'r', [everyHour], 50)
      await reserve(harness, store, 'later', [everyHour], 20, { now: end! })
      const { pools } = await store.settle('r', tokens(40))
      assert.deepEqual(
        pools.map(({ windowStart, used }) => [windowStart, used.tokens]),
        [[start, 40]],
      )
      const [later] = await store.read([everyHour], end!)
      assert.deepEqual([later?.used.tokens, later?.held.tokens], [0, 20])
    },
  },
  {
    name: 'an extension is held in the window of its hold, and judged by what is left there',
    async run(harness) {
      const store = await harness.open()
      const { end } = windowAt(everyHour.terms!, harness.now())
      await reserve(harness, store, 'r', [everyHour], 50)
      await reserve(harness, store, 'later', [everyHour], 100, { now: end! })
      const more = { fixed: tokens(50), each: tokens(0), floor: 0, wish: 0, atMost: 0 }
      assert.deepEqual((await store.extend('r', more)).held, tokens(100))
      assert.equal((await refusal(() => store.extend('r', more))).code, 'budget_exceeded')
    },
  },
  {
    name: 'a refusal says when to try again only where the window opens within a minute',
    async run(harness) {
      const store = await harness.open()
      const { end } = windowAt(everyHour.terms!, harness.now())
      const early = await refusal(() => reserve(harness, store, 'r', [everyHour], 101, { now: end! - 60_001 }))
      assert.equal(early.details.retryAfterMs, undefined)
      const late = await refusal(() => reserve(harness, store, 'r', [everyHour], 101, { now: end! - 20_000 }))
      assert.equal(late.details.retryAfterMs, 20_000)
    },
  },
  {
    name: 'a lifetime has no end, and its account is the same for ever',
    async run(harness) {
      const store = await harness.open()
      const ann = pool('user:ann', { tokens: 100 })
      await reserve(harness, store, 'r', [ann], 10)
      const years = harness.now() + 10 * 365 * 86_400_000
      await reserve(harness, store, 's', [ann], 10, { now: years })
      await assertTokens(harness, store, ann, { used: 0, held: 20 })
      assert.equal((await stateOf(harness, store, ann)).windowEnd, null)
    },
  },
  {
    name: 'what a lifetime has used is not forgotten while an override divides it into hours',
    async run(harness) {
      const store = await harness.open()
      const ann = pool('user:ann', { tokens: 100 })
      await reserve(harness, store, 'r', [ann], 60)
      await store.settle('r', tokens(60))
      await store.define('user:ann', termsOf({ tokens: 10 }, 'hour'))
      for (let hour = 0; hour < 10; hour += 1) {
        await reserve(harness, store, `r${hour}`, [ann], 10)
        await store.settle(`r${hour}`, tokens(10))
        await harness.advance(3_600_000)
      }
      await store.define('user:ann', null)
      await assertTokens(harness, store, ann, { used: 60, held: 0 })
    },
  },
]
