import assert from 'node:assert/strict'
import type { BudgetStore, NewRefund } from '../budget/store.js'
import { windowAt } from '../budget/window.js'
import {
  allEntries,
  assertRefused,
  assertTokens,
  type BudgetCase,
  exactly,
  LEASE_MS,
  none,
  pool,
  race,
  reserve,
  stateOf,
  termsOf,
  tokens,
} from './budget-harness.js'

const team = pool('team', { tokens: 100 })

/** Gives back so many tokens of the reservation `r`. */
async function refund(store: BudgetStore, count: number, more: Partial<NewRefund> = {}) {
  return await store.refund({ id: 'f', reservation: 'r', amount: tokens(count), note: null, ...more })
}

/** What is given back of a reservation that was charged. */
export const budgetRefundCases: readonly BudgetCase[] = [
  {
    name: 'a refund goes to all pools of the reservation and the windows that were charged, as an entry in each',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const hourly = pool('hourly', { tokens: 100 }, { everyMs: 3_600_000 })
      const { start, end } = windowAt(hourly.terms!, harness.now())
      await reserve(harness, store, 'r', [hourly, team], 50)
      await store.settle('r', tokens(40))
      await reserve(harness, store, 's', [hourly], 5, { now: end! })
      const { repeated, pools } = await refund(other, 15, { note: 'a bad answer' })
      const states = pools.map(({ name, windowStart, used }) => [name, windowStart, used.tokens])
      assert.deepEqual(
        [repeated, states],
        [
          false,
          [
            ['hourly', start, 25],
            ['team', 0, 25],
          ],
        ],
      )
      const entry = (await allEntries(store, 'team')).at(-1)!
      const { kind, reservation, windowStart, amount, overrun, reference, note } = entry
      assert.deepEqual([kind, reservation, windowStart, reference, note], ['refund', 'r', 0, 'f', 'a bad answer'])
      assert.deepEqual([amount, overrun], [tokens(-15), none])
      await reserve(harness, store, 't', [team], 75)
    },
  },
  {
    name: 'a refund answers how the pools stand after it, as a read says it, frozen ones as well',
    async run(harness) {
      const store = await harness.open()
      const capacity = { tokens: 100, nanoUsd: 1_000 }
      const day = { name: 'day', terms: { ...termsOf(capacity, 'day'), limits: { concurrent: 2 } } }
      const expiresAt = harness.now() + 10 * 86_400_000
      const credit = { id: 'c', amount: { tokens: 50, nanoUsd: 500 }, expiresAt, note: 'thanks' }
      await store.credit(day, credit, harness.now())
      const spent = { tokens: 120, nanoUsd: 1_200 }
      await reserve(harness, store, 'r', [team, day], 0, { ask: exactly({ tokens: 90, nanoUsd: 900 }) })
      await store.settle('r', spent)
      await reserve(harness, store, 's', [day], 0, { ask: exactly({ tokens: 20, nanoUsd: 200 }) })
      for (const [id, terms] of Object.entries({ f: day.terms, g: { ...day.terms, frozen: true } })) {
        await store.define('day', terms)
        const given = { id, reservation: 'r', amount: { tokens: 2, nanoUsd: 20 }, note: null }
        const { pools } = await store.refund(given)
        assert.deepEqual(pools, await store.read([team, day], harness.now()))
      }
    },
  },
  {
    name: 'a refund that comes twice by one id is one; with other values it is a conflict',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await reserve(harness, store, 'r', [team], 50)
      await store.settle('r', tokens(40))
      const twice = await Promise.all([refund(store, 30), refund(other, 30)])
      assert.deepEqual(twice.map(({ repeated }) => repeated).sort(), [false, true])
      await assertRefused('entry_conflict', () => refund(store, 31))
      await assertRefused('entry_conflict', () => refund(other, 30, { note: 'other' }))
      await assertTokens(harness, other, team, { used: 10, held: 0 })
    },
  },
  {
    name: 'refunds from many processes never give back more than was charged',
    async run(harness) {
      const handles = [await harness.open(), await harness.open()]
      await reserve(harness, handles[0]!, 'r', [team], 50)
      await handles[0]!.settle('r', tokens(40))
      await assertRefused('invalid_request', () => refund(handles[0]!, 41))
      const outcomes = await race(
        Array.from({ length: 8 }, (_, count) => () => refund(handles[count % 2]!, 9, { id: `f${count}` })),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 4)
      assert.ok(outcomes.every((outcome) => outcome === 'ok' || outcome === 'invalid_request'))
      await assertTokens(harness, handles[1]!, team, { used: 4, held: 0 })
      assert.equal((await handles[0]!.settle('r', tokens(40))).repeated, true)
    },
  },
  {
    name: 'only what was charged is given back: nothing of a hold, of a release, or of what never was',
    async run(harness) {
      const store = await harness.open()
      await assertRefused('not_held', () => refund(store, 1))
      await reserve(harness, store, 'r', [team], 50)
      await assertRefused('reservation_conflict', () => refund(store, 1))
      await store.release('r')
      await assertRefused('invalid_request', () => refund(store, 1))
      await reserve(harness, store, 's', [team], 50)
      await store.settle('s', tokens(40))
      for (const amount of [0, -1, 0.5]) {
        await assertRefused('invalid_request', () => refund(store, amount, { reservation: 's' }))
      }
      await assertRefused('invalid_request', () =>
        refund(store, 1, { reservation: 's', amount: { tokens: 1, nanoUsd: 1 } }),
      )
      await assertTokens(harness, store, team, { used: 40, held: 0 })
    },
  },
  {
    name: 'what a credit paid goes back to it, after what the window paid if that lasts longer',
    async run(harness) {
      const store = await harness.open()
      const credit = { amount: tokens(30), note: null }
      await store.credit(team, { ...credit, id: 'never', expiresAt: null }, harness.now())
      await store.credit(team, { ...credit, id: 'soon', expiresAt: harness.now() + 10_000 }, harness.now())
      await reserve(harness, store, 'r', [team], 150)
      await store.settle('r', tokens(150))
      const seen = async () => {
        const { used, drawn, credits } = await stateOf(harness, store, team)
        return [used.tokens, drawn.tokens, credits.map(({ id, left }) => [id, left.tokens])]
      }
      assert.deepEqual(await seen(), [150, 50, [['never', 10]]])
      await refund(store, 120)
      assert.deepEqual(await seen(), [30, 30, [['never', 30]]])
      await harness.advance(10_000)
      await refund(store, 30, { id: 'g' })
      assert.deepEqual(await seen(), [0, 0, [['never', 30]]])
    },
  },
  {
    name: 'a call that expired may be refunded; a settle after that corrects what is still charged, and not below nothing',
    async run(harness) {
      const store = await harness.open()
      for (const id of ['r', 's']) await reserve(harness, store, id, [team], 50)
      await harness.advance(LEASE_MS)
      await store.expire({ limit: 10, onExpire: 'charge' })
      await refund(store, 30)
      await refund(store, 30, { reservation: 's' })
      await assertTokens(harness, store, team, { used: 40, held: 0 })
      for (let times = 0; times < 2; times += 1) {
        assert.equal((await store.settle('r', tokens(45))).outcome, 'corrected')
        assert.equal((await store.settle('s', tokens(10))).repeated, times === 1)
      }
      await assertTokens(harness, store, team, { used: 15, held: 0 })
      await refund(store, 15, { id: 'g' })
      await assertRefused('invalid_request', () => refund(store, 1, { id: 'g', reservation: 's' }))
      await assertTokens(harness, store, team, { used: 0, held: 0 })
      const sum = (await allEntries(store, 'team')).reduce((all, { amount }) => all + amount.tokens, 0)
      assert.equal(sum, 0)
    },
  },
]
