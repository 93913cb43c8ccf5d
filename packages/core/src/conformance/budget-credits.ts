import assert from 'node:assert/strict'
import type { BudgetStore, NewCredit, PoolAsk } from '../budget/store.js'
import { windowAt } from '../budget/window.js'
import {
  allEntries,
  assertRefused,
  type BudgetCase,
  type BudgetHarness,
  exactly,
  LEASE_MS,
  none,
  pool,
  race,
  refusal,
  reserve,
  stateOf,
  tokens,
} from './budget-harness.js'

const team = pool('team', { tokens: 100 })

/** Gives so many tokens to a pool, for good unless `more` says otherwise. */
async function give(
  harness: BudgetHarness,
  store: BudgetStore,
  asked: PoolAsk,
  count: number,
  more: Partial<NewCredit> = {},
) {
  const credit = { id: 'c', amount: tokens(count), expiresAt: null, note: null, ...more }
  return await store.credit(asked, credit, harness.now())
}

/** What a pool still has, in tokens: of its credits by id, and of its window. */
async function left(harness: BudgetHarness, store: BudgetStore, asked: PoolAsk): Promise<Record<string, number>> {
  const { credits, terms, used, held, drawn } = await stateOf(harness, store, asked)
  const window = (terms.capacity.tokens ?? 0) - used.tokens - held.tokens + drawn.tokens
  return { ...Object.fromEntries(credits.map(({ id, left: rest }) => [id, rest.tokens])), window }
}

/** What a pool may spend beside the cap of its window. */
export const budgetCreditCases: readonly BudgetCase[] = [
  {
    name: 'a pool may spend its cap and its credit, to the last token, whichever process asks',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const { pool: state, repeated } = await give(harness, store, team, 50, { note: 'thanks' })
      const expected = { id: 'c', amount: tokens(50), left: tokens(50), expiresAt: null, note: 'thanks' }
      assert.deepEqual([repeated, state.credits, state.drawn], [false, [expected], none])
      const { code, details } = await refusal(() => reserve(harness, other, 'r', [team], 151))
      assert.deepEqual([code, details.available], ['budget_exceeded', 150])
      const grant = await reserve(harness, other, 'r', [team], 150)
      assert.deepEqual(
        [grant.pools[0]?.held, grant.pools[0]?.drawn, grant.pools[0]?.credits],
        [tokens(150), tokens(50), []],
      )
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [team], 1))
      const { overrun, pools } = await other.settle('r', tokens(150))
      assert.deepEqual([overrun, pools[0]?.used, pools[0]?.drawn], [none, tokens(150), tokens(50)])
    },
  },
  {
    name: 'two processes spend one credit: together they get what cap and credit have, and no more',
    async run(harness) {
      const handles = [await harness.open(), await harness.open()]
      await give(harness, handles[0]!, team, 50)
      const calls = Array.from({ length: 24 }, (_, count) => {
        return () => reserve(harness, handles[count % 2]!, `r${count}`, [team], 10)
      })
      const outcomes = await race(calls)
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 15)
      const { held, drawn } = await stateOf(harness, handles[1]!, team)
      assert.deepEqual([held, drawn], [tokens(150), tokens(50)])
    },
  },
  {
    name: 'a credit that comes twice by one id, from two processes at once, is one; with other values it is a conflict',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      const expiresAt = harness.now() + 10_000
      const twice = await Promise.all([
        give(harness, store, team, 50, { expiresAt }),
        give(harness, other, team, 50, { expiresAt }),
      ])
      assert.deepEqual(twice.map(({ repeated }) => repeated).sort(), [false, true])
      await assertRefused('entry_conflict', () => give(harness, other, team, 51, { expiresAt }))
      await assertRefused('entry_conflict', () => give(harness, other, team, 50))
      await assertRefused('entry_conflict', () => give(harness, other, team, 50, { expiresAt, note: 'other' }))
      await harness.advance(10_000)
      assert.equal((await give(harness, other, team, 50, { expiresAt })).repeated, true)
      assert.equal((await give(harness, store, pool('other', { tokens: 1 }), 9)).repeated, false)
      assert.deepEqual(await left(harness, store, team), { window: 100 })
    },
  },
  {
    name: 'of credits what expires soonest pays first, the allowance by the end of its window',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100 }, { everyMs: 10 ** 12 })
      const end = windowAt(hourly.terms!, harness.now()).end!
      await give(harness, store, hourly, 10, { id: 'later', expiresAt: end + 5_000 })
      await give(harness, store, hourly, 10, { id: 'never' })
      await give(harness, store, hourly, 10, { id: 'sooner', expiresAt: end - 1 })
      await reserve(harness, store, 'r', [hourly], 15)
      assert.deepEqual(await left(harness, store, hourly), { window: 95, later: 10, never: 10 })
      await store.extend('r', exactly(tokens(100)))
      assert.deepEqual(await left(harness, store, hourly), { window: 0, later: 5, never: 10 })
      await store.settle('r', tokens(7))
      assert.deepEqual(await left(harness, store, hourly), { sooner: 3, window: 100, later: 10, never: 10 })
    },
  },
  {
    name: 'a credit outlives the windows that draw on it',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100 }, 'hour')
      await give(harness, store, hourly, 50)
      await reserve(harness, store, 'r', [hourly], 120)
      const now = windowAt(hourly.terms!, harness.now()).end!
      const grant = await reserve(harness, store, 's', [hourly], 130, { now })
      assert.deepEqual([grant.pools[0]?.drawn, grant.pools[0]?.credits], [tokens(30), []])
      await store.settle('r', tokens(110))
      const [state] = await store.read([hourly], now)
      assert.deepEqual([state?.held, state?.drawn, state?.credits[0]?.left], [tokens(130), tokens(30), tokens(10)])
    },
  },
  {
    name: 'a credit that expires between hold and settle leaves the hold what it got, and takes what nobody held',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await give(harness, store, team, 50, { expiresAt: harness.now() + 10_000 })
      await reserve(harness, store, 'r', [team], 30)
      await harness.advance(10_000)
      assert.deepEqual(await left(harness, other, team), { window: 100 })
      await assertRefused('budget_exceeded', () => reserve(harness, other, 's', [team], 101))
      await reserve(harness, other, 's', [team], 100)
      const { overrun, pools } = await store.settle('r', tokens(20))
      assert.deepEqual([overrun, pools[0]?.used, pools[0]?.drawn], [none, tokens(20), tokens(20)])
      assert.deepEqual(await left(harness, other, team), { window: 0 })
      await assertRefused('budget_exceeded', () => reserve(harness, other, 't', [team], 1))
    },
  },
  {
    name: 'what was left of a credit when it expired is entered once, and so is what comes back to it later',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await give(harness, store, team, 50, { expiresAt: harness.now() + 10_000, note: 'trial' })
      await reserve(harness, store, 'r', [team], 30)
      await harness.advance(10_000)
      const sweep = async (handle: BudgetStore) => handle.expire({ limit: 10, onExpire: 'charge' })
      await Promise.all([sweep(store), sweep(other)])
      await store.settle('r', tokens(5))
      await Promise.all([sweep(store), sweep(other)])
      const entries = (await allEntries(store, 'team')).map((entry) => {
        const { kind, amount, reservation, windowStart, reference, note } = entry
        return [kind, amount.tokens, reservation, windowStart, reference, note]
      })
      assert.deepEqual(entries, [
        ['credit', 50, null, null, 'c', 'trial'],
        ['credit_expired', 20, null, null, 'c', 'trial'],
        ['settled', 5, 'r', 0, null, null],
        ['credit_expired', 25, null, null, 'c', 'trial'],
      ])
    },
  },
  {
    name: 'entries of credits and of calls stand in the order they were made, by whichever process',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await give(harness, store, team, 50, { expiresAt: harness.now() + 10_000 })
      for (const id of ['r', 's', 't']) await reserve(harness, store, id, [team], 1)
      await harness.advance(10_000)
      for (const id of ['r', 's', 't']) await store.settle(id, tokens(1))
      await other.expire({ limit: 10, onExpire: 'charge' })
      const kinds = (await allEntries(store, 'team')).map(({ kind }) => kind)
      assert.deepEqual(kinds, ['credit', 'settled', 'settled', 'settled', 'credit_expired'])
    },
  },
  {
    name: 'a hold that is overdue gives back to its credits before a reserve decides',
    async run(harness) {
      const store = await harness.open()
      await give(harness, store, team, 50)
      const ask = { fixed: tokens(10), each: tokens(1), floor: 0, wish: 140, atMost: 140 }
      assert.deepEqual((await reserve(harness, store, 'r', [team], 0, { ask })).held, tokens(150))
      await harness.advance(LEASE_MS)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [team], 140))
      const { pools } = await reserve(harness, store, 's', [team], 140, { onExpire: 'counted' })
      assert.deepEqual([pools[0]?.used, pools[0]?.held, pools[0]?.drawn], [tokens(10), tokens(140), tokens(50)])
    },
  },
  {
    name: 'a hold that is overdue in another window gives back to the credits of its pool as well',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100 }, { everyMs: 3_600_000 })
      await give(harness, store, hourly, 50)
      const ask = { fixed: tokens(10), each: tokens(1), floor: 0, wish: 140, atMost: 140 }
      await reserve(harness, store, 'r', [hourly], 0, { ask })
      const now = windowAt(hourly.terms!, harness.now()).end!
      await harness.advance(LEASE_MS)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [hourly], 150, { now }))
      const { pools } = await reserve(harness, store, 's', [hourly], 150, { now, onExpire: 'counted' })
      assert.deepEqual([pools[0]?.used, pools[0]?.held, pools[0]?.drawn], [none, tokens(150), tokens(50)])
    },
  },
  {
    name: 'a cap of 0 tokens blocks unless a credit pays, and a frozen pool spends none',
    async run(harness) {
      const store = await harness.open()
      const prepaid = pool('prepaid', { tokens: 0 })
      await assertRefused('budget_exceeded', () => reserve(harness, store, 'r', [prepaid], 1))
      await give(harness, store, prepaid, 50)
      await reserve(harness, store, 'r', [prepaid], 50)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [prepaid], 0, { ask: exactly(none) }))
      await store.settle('r', tokens(40))
      await store.define('prepaid', { ...prepaid.terms!, frozen: true })
      await assertRefused('pool_frozen', () => reserve(harness, store, 's', [prepaid], 1))
      await store.define('prepaid', null)
      await reserve(harness, store, 's', [prepaid], 10)
    },
  },
  {
    name: 'each unit of a credit is drawn on its own, and none that the pool does not cap',
    async run(harness) {
      const store = await harness.open()
      const money = pool('money', { nanoUsd: 100 })
      const amount = { tokens: 50, nanoUsd: 50 }
      await give(harness, store, money, 0, { amount })
      const ask = exactly({ tokens: 500, nanoUsd: 120 })
      const grant = await reserve(harness, store, 'r', [money], 0, { ask })
      assert.deepEqual(grant.pools[0]?.drawn, { tokens: 0, nanoUsd: 20 })
      assert.deepEqual(grant.pools[0]?.credits[0]?.left, { tokens: 50, nanoUsd: 30 })
      await store.release('r')
      assert.deepEqual((await stateOf(harness, store, money)).credits[0]?.left, amount)
    },
  },
  {
    name: 'what a window is short of is no debt of its credits, and no overrun is theirs',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [team], 100)
      await store.settle('r', tokens(140))
      await give(harness, store, team, 50)
      const grant = await reserve(harness, store, 's', [team], 50)
      assert.deepEqual(grant.pools[0]?.drawn, tokens(50))
      const { overrun, pools } = await store.settle('s', tokens(60))
      assert.deepEqual([overrun, pools[0]?.drawn, pools[0]?.used], [tokens(10), tokens(50), tokens(200)])
    },
  },
  {
    name: 'a credit of nothing, of the past or of no whole amount is refused, and so is one of a pool that nobody knows',
    async run(harness) {
      const store = await harness.open()
      const past = { expiresAt: harness.now() }
      await assertRefused('invalid_request', () => give(harness, store, team, 0))
      await assertRefused('invalid_request', () => give(harness, store, team, 1, past))
      await assertRefused('invalid_request', () => give(harness, store, team, 1.5))
      await assertRefused('invalid_request', () => give(harness, store, team, 2 ** 52 + 1))
      const { code, details } = await refusal(() => give(harness, store, { name: 'nobody', terms: null }, 1))
      assert.deepEqual([code, details.pool], ['unknown_pool', 'nobody'])
      assert.deepEqual(await allEntries(store, 'team'), [])
      await give(harness, store, team, 1)
      const listed = await store.list({ limit: 10, now: harness.now() })
      assert.deepEqual(
        listed.map(({ name, credits }) => [name, credits.length]),
        [['team', 1]],
      )
    },
  },
]
