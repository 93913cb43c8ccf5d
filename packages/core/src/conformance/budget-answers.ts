import assert from 'node:assert/strict'
import type { PoolState } from '../budget/store.js'
import type { PoolTerms } from '../budget/terms.js'
import { windowAt } from '../budget/window.js'
import {
  allEntries,
  type BudgetCase,
  exactly,
  LEASE_MS,
  none,
  pool,
  refusal,
  reserve,
  termsOf,
  tokens,
} from './budget-harness.js'

const DAY = 86_400_000
const HOUR = 3_600_000

/** Terms in which nothing is as it is where nobody says anything. */
const rich: PoolTerms = {
  capacity: { tokens: 100, nanoUsd: 1_000 },
  window: 'day',
  timeZone: 'Asia/Kathmandu',
  limits: { requestsPerMinute: 60, tokensPerMinute: 5_000, concurrent: 3, weight: 2 },
  unpriced: 'allow',
}
const frozen: PoolTerms = {
  capacity: { nanoUsd: 7 },
  window: { everyMs: HOUR },
  timeZone: 'America/Lima',
  limits: { concurrent: 1 },
  unpriced: 'allow',
  frozen: true,
}
const asked = { name: 'rich', terms: rich }
const plain = pool('plain', { tokens: 500 })
const both = (count: number) => ({ tokens: count, nanoUsd: 10 * count })

/** What a store says, field by field. */
export const budgetAnswerCases: readonly BudgetCase[] = [
  {
    name: 'the terms of a pool come back whole, limits and what to do with unknown prices too, from template and override',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const now = harness.now()
      const listed = async () => (await other.list({ limit: 10, now })).map(({ terms }) => terms)
      const read = async () => (await other.read([asked], now)).map(({ terms }) => terms)
      const { pools } = await reserve(harness, store, 'r', [asked], 1)
      assert.deepEqual([pools.map(({ terms }) => terms), await read(), await listed()], [[rich], [rich], [rich]])
      for (const terms of [frozen, { ...rich, limits: { weight: 3 } }, termsOf({}, 'month')]) {
        await store.define('rich', terms)
        assert.deepEqual([await read(), await listed()], [[terms], [terms]])
        assert.deepEqual(await other.overrides(), [{ name: 'rich', terms }])
      }
      await store.define('rich', null)
      assert.deepEqual([await read(), await listed()], [[rich], [rich]])
      const [state] = await store.read([{ name: 'stopped', terms: frozen }], now)
      assert.deepEqual(state?.terms, frozen)
    },
  },
  {
    name: 'all overrides are told, each with its own terms',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const given = Object.entries({ a: rich, b: frozen, c: termsOf({ tokens: 1 }) })
      for (const [name, terms] of given) await store.define(name, terms)
      const told = [...(await other.overrides())].sort((a, b) => (a.name < b.name ? -1 : 1))
      assert.deepEqual(
        told,
        given.map(([name, terms]) => ({ name, terms })),
      )
    },
  },
  {
    name: 'every step answers how its pools stand after it, in the order they were asked for, as a read says it',
    async run(harness) {
      const store = await harness.open()
      const now = harness.now()
      const { start, end } = windowAt(rich, now)
      const expiresAt = end! + DAY
      const stand = async (told: readonly PoolState[], pools = [asked, plain]) => {
        assert.deepEqual(told, await store.read(pools, now))
      }
      await reserve(harness, store, 'q', [asked, plain], 0, { ask: exactly(both(90)) })
      await stand((await store.settle('q', both(80))).pools)
      const credit = { id: 'c', amount: both(50), expiresAt, note: 'thanks' }
      await stand([(await store.credit(asked, credit, now)).pool], [asked])
      await stand((await reserve(harness, store, 'r', [asked, plain], 0, { ask: exactly(both(30)) })).pools)
      await reserve(harness, store, 's', [asked, plain], 0, { ask: exactly(both(8)) })
      await stand((await store.extend('r', exactly(both(10)))).pools)
      const more = { ...credit, id: 'd', expiresAt: null, note: null }
      await stand([(await store.credit(asked, more, now)).pool], [asked])
      await reserve(harness, store, 't', [plain, asked], 0, { ask: exactly(both(5)) })
      await stand((await store.release('t')).pools, [plain, asked])
      await stand((await store.settle('r', both(39))).pools)
      const standing = { used: both(119), held: both(8) }
      const spent = { id: 'c', amount: both(50), left: both(23), expiresAt, note: 'thanks' }
      const whole = { id: 'd', amount: both(50), left: both(50), expiresAt: null, note: null }
      const states = [
        { ...asked, windowStart: start, windowEnd: end, ...standing, drawn: both(27), credits: [spent, whole] },
        { ...plain, windowStart: 0, windowEnd: null, ...standing, drawn: none, credits: [] },
      ]
      await stand(states as PoolState[])
      assert.deepEqual(await store.list({ limit: 10, now }), states.reverse())
    },
  },
  {
    name: 'what a credit answers is of the pool as its template says, in the window of that moment',
    async run(harness) {
      const store = await harness.open()
      const credit = { id: 'c', amount: tokens(5), expiresAt: null, note: null }
      for (const terms of [rich, frozen]) {
        const now = windowAt(terms, harness.now()).end!
        const ask = { name: `with ${terms.timeZone}`, terms }
        const { pool: state } = await store.credit(ask, credit, now)
        assert.deepEqual([state.name, state.terms, state.windowStart], [ask.name, terms, now])
      }
    },
  },
  {
    name: 'a list shows the window of the moment it is asked for',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100 }, 'hour')
      await reserve(harness, store, 'r', [hourly], 40)
      const { start, end } = windowAt(hourly.terms!, harness.now())
      const held = async (now: number) => {
        return (await store.list({ limit: 10, now })).map(({ windowStart, held: { tokens: sum } }) => [
          windowStart,
          sum,
        ])
      }
      assert.deepEqual(await held(harness.now()), [[start, 40]])
      assert.deepEqual(await held(end!), [[end, 0]])
    },
  },
  {
    name: 'a lease lasts as long as it was asked for, of a hold and of a heartbeat, and an extension leaves it as it is',
    async run(harness) {
      const store = await harness.open()
      const began = harness.now()
      const charge = { onExpire: 'charge', limit: 10 } as const
      const until = async (id: string) => ((await store.find({ id }))?.leaseUntil ?? 0) - began
      for (const [id, leaseMs] of Object.entries({ short: 5_000, long: 10 * LEASE_MS })) {
        const { leaseUntil } = await reserve(harness, store, id, [plain], 10, { leaseMs })
        assert.deepEqual([leaseUntil - began, await until(id)], [leaseMs, leaseMs])
      }
      await harness.advance(5_000)
      const extended = await store.extend('long', exactly(tokens(1)))
      assert.equal(extended.leaseUntil - began, 10 * LEASE_MS)
      const gone = async () => (await store.expire(charge)).map(({ id }) => id)
      assert.deepEqual(await gone(), ['short'])
      await store.renew([{ id: 'long', counted: none }], 2_000)
      assert.equal(await until('long'), 7_000)
      assert.equal((await store.extend('long', exactly(tokens(1)))).leaseUntil - began, 7_000)
      await harness.advance(1_999)
      assert.deepEqual(await gone(), [])
      await harness.advance(1)
      assert.deepEqual(await gone(), ['long'])
    },
  },
  {
    name: 'a refused extension says as much as a refused reserve: what is left in both units, and when to come again',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100, nanoUsd: 1_000 }, { everyMs: HOUR })
      const { end } = windowAt(hourly.terms!, harness.now())
      await harness.advance(end! - harness.now() - 20_000)
      await reserve(harness, store, 'r', [hourly], 0, { ask: exactly(both(60)) })
      const expected = {
        ...{ pool: 'hourly', available: 40, availableUsd: '0.0000004', resetsAt: new Date(end!).toISOString() },
        ...{ retryable: false, retryAfterMs: 20_000 },
      }
      const refusals = [
        await refusal(() => reserve(harness, store, 's', [hourly], 0, { ask: exactly(both(41)) })),
        await refusal(() => store.extend('r', exactly(both(41)))),
      ]
      for (const { code, details } of refusals) {
        assert.deepEqual([code, details], ['budget_exceeded', expected])
      }
    },
  },
  {
    name: 'a reservation is told with its amounts in both units, and the window it is held in',
    async run(harness) {
      const store = await harness.open()
      const { start } = windowAt(rich, harness.now())
      const ask = { ...exactly(both(20)), each: both(1), wish: 10, atMost: 10 }
      await reserve(harness, store, 'r', [asked], 0, { ask })
      const found = await store.find({ id: 'r' })
      assert.deepEqual(found?.holds, [{ pool: 'rich', windowStart: start, amount: both(30) }])
      assert.deepEqual(found?.counted, both(20))
      await store.renew([{ id: 'r', counted: both(25) }], LEASE_MS)
      assert.deepEqual((await store.find({ id: 'r' }))?.counted, both(25))
    },
  },
  {
    name: 'an entry says what it is about, in both units, in the window that was charged, and when',
    async run(harness) {
      const store = await harness.open()
      const { start } = windowAt(rich, harness.now())
      await reserve(harness, store, 'r', [asked], 0, { ask: exactly(both(20)) })
      await harness.advance(1_000)
      await store.settle('r', both(30))
      const entries = await allEntries(store, 'rich')
      const about = { reservation: 'r', pool: 'rich', windowStart: start, reference: null, note: null }
      const amounts = { kind: 'settled', amount: both(30), overrun: both(10), at: harness.now() } as const
      assert.deepEqual(entries, [{ id: entries[0]?.id, ...about, ...amounts }])
    },
  },
]
