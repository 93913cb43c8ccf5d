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
  none,
  pool,
  reserve,
  tokens,
} from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })
const red = pool('team:red', { tokens: 500 })
const charge = { onExpire: 'charge', limit: 100 } as const
const counted = { onExpire: 'counted', limit: 100 } as const

async function expired(harness: BudgetHarness, store: BudgetStore, held: number): Promise<void> {
  await reserve(harness, store, 'r', [ann], held)
  await harness.advance(LEASE_MS)
  await store.expire(charge)
}

/** How a reservation ends, once, and what a late word about it does. */
export const budgetEndingCases: readonly BudgetCase[] = [
  {
    name: 'a settle charges what was really used and frees the whole hold, in every pool',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 300)
      const { outcome, overrun, pools } = await store.settle('r', { tokens: 120, nanoUsd: 7 })
      assert.deepEqual([outcome, overrun], ['settled', { tokens: 0, nanoUsd: 7 }])
      assert.deepEqual(
        pools.map(({ name, used, held }) => ({ name, used, held })),
        [ann, red].map(({ name }) => ({ name, used: { tokens: 120, nanoUsd: 7 }, held: none })),
      )
      assert.equal((await store.find({ id: 'r' }))?.state, 'settled')
    },
  },
  {
    name: 'a settle above the hold charges the truth and says by how much, even past the cap',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [red], 400)
      const { overrun } = await store.settle('r', { tokens: 600, nanoUsd: 3 })
      assert.deepEqual(overrun, { tokens: 200, nanoUsd: 3 })
      await assertTokens(harness, store, red, { used: 600, held: 0 })
      assert.deepEqual(
        (await allEntries(store, 'team:red')).map((entry) => entry.overrun),
        [{ tokens: 200, nanoUsd: 3 }],
      )
      await assertRefused('budget_exceeded', () => reserve(harness, store, 's', [red], 1))
    },
  },
  {
    name: 'the same settle again has the same outcome and charges nothing; with another amount it is a conflict',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await reserve(harness, store, 'r', [ann], 100)
      assert.equal((await store.settle('r', tokens(130))).repeated, false)
      const again = await other.settle('r', tokens(130))
      assert.deepEqual([again.outcome, again.overrun, again.pools[0]?.used], ['settled', tokens(30), tokens(130)])
      assert.equal(again.repeated, true)
      await assertRefused('reservation_conflict', () => store.settle('r', tokens(131)))
      await assertRefused('reservation_conflict', () => store.release('r'))
      await assertTokens(harness, store, ann, { used: 130, held: 0 })
    },
  },
  {
    name: 'a release ends the hold at zero; again it changes nothing, and a settle after it is a conflict',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 100)
      for (const repeated of [false, true]) {
        const { pools, ...told } = await store.release('r')
        assert.deepEqual([told.outcome, told.overrun, told.repeated], ['released', none, repeated])
        assert.deepEqual(
          pools.map(({ name, used, held }) => ({ name, used, held })),
          [ann, red].map(({ name }) => ({ name, used: none, held: none })),
        )
      }
      await assertRefused('reservation_conflict', () => store.settle('r', tokens(1)))
      for (const asked of [ann, red]) await assertTokens(harness, store, asked, { used: 0, held: 0 })
      assert.equal((await store.find({ id: 'r' }))?.state, 'released')
    },
  },
  {
    name: 'what was never reserved cannot be settled or released',
    async run(harness) {
      const store = await harness.open()
      await assertRefused('not_held', () => store.settle('r', tokens(1)))
      await assertRefused('not_held', () => store.release('r'))
    },
  },
  {
    name: 'a hold ends when its lease is over and not before, is charged in full, and is told of once',
    async run(harness) {
      const [store, other] = [await harness.open(), await harness.open()]
      await reserve(harness, store, 'r', [ann, red], 300)
      await harness.advance(LEASE_MS - 1)
      assert.deepEqual(await store.expire(charge), [])
      await harness.advance(1)
      const pools = ['user:ann', 'team:red']
      const told = await other.expire(charge)
      assert.deepEqual(
        told.map(({ booked: _booked, ...gone }) => ({ ...gone, pools: [...gone.pools].sort() })),
        [{ id: 'r', owner: 'ann', phase: 'sent', pools: pools.sort(), charged: tokens(300) }],
      )
      for (const { used, held } of told[0]?.booked ?? []) assert.deepEqual([used, held], [tokens(300), tokens(0)])
      assert.deepEqual(await store.expire(charge), [])
      for (const asked of [ann, red]) await assertTokens(harness, store, asked, { used: 300, held: 0 })
      assert.equal((await store.find({ id: 'r' }))?.state, 'expired')
    },
  },
  {
    name: 'an expiry ends no more than it is asked to',
    async run(harness) {
      const store = await harness.open()
      for (const id of ['a', 'b', 'c']) await reserve(harness, store, id, [ann], 10)
      await harness.advance(LEASE_MS)
      assert.equal((await store.expire({ ...charge, limit: 2 })).length, 2)
      assert.equal((await store.expire({ ...charge, limit: 2 })).length, 1)
    },
  },
  {
    name: 'an expiry by what was counted charges the prompts and the last heartbeat, never above the hold',
    async run(harness) {
      const store = await harness.open()
      const ask = { fixed: tokens(40), each: tokens(1), floor: 0, wish: 100, atMost: 100 }
      for (const id of ['silent', 'beating', 'falling', 'beyond', 'longer']) {
        await reserve(harness, store, id, [pool(id, { tokens: 1_000 })], 0, { ask })
      }
      await store.extend('longer', exactly(tokens(25)))
      const beat = (id: string, count: number) => store.renew([{ id, counted: tokens(count) }], LEASE_MS)
      await beat('beating', 70)
      await beat('falling', 90)
      await beat('falling', 50)
      await beat('beyond', 999)
      await harness.advance(LEASE_MS)
      const told = await store.expire(counted)
      assert.deepEqual(Object.fromEntries(told.map(({ id, charged }) => [id, charged.tokens])), {
        silent: 40,
        beating: 70,
        falling: 90,
        beyond: 140,
        longer: 65,
      })
    },
  },
  {
    name: 'a heartbeat lets all the leases run on in one step, and names the ids that are no longer held',
    async run(harness) {
      const store = await harness.open()
      for (const id of ['a', 'b', 'gone']) await reserve(harness, store, id, [ann], 10)
      await store.settle('gone', tokens(1))
      await harness.advance(LEASE_MS - 1)
      const running = ['a', 'gone', 'b', 'never'].map((id) => ({ id, counted: none }))
      assert.deepEqual([...(await store.renew(running, LEASE_MS))].sort(), ['gone', 'never'])
      await harness.advance(LEASE_MS - 1)
      assert.deepEqual(await store.expire(charge), [])
      await harness.advance(1)
      assert.equal((await store.expire(charge)).length, 2)
    },
  },
  {
    name: 'a reserve first ends overdue holds of its pools and tells of them; those of other pools stay',
    async run(harness) {
      const store = await harness.open()
      const call = { fixed: tokens(40), each: tokens(1), floor: 0, wish: 960, atMost: 960 }
      await reserve(harness, store, 'dead', [ann], 0, { ask: call })
      await reserve(harness, store, 'elsewhere', [red], 10)
      await harness.advance(LEASE_MS)
      const grant = await reserve(harness, store, 'r', [ann], 960, { onExpire: 'counted' })
      assert.deepEqual(
        grant.expired.map(({ id, charged }) => ({ id, charged })),
        [{ id: 'dead', charged: tokens(40) }],
      )
      await assertTokens(harness, store, ann, { used: 40, held: 960 })
      await assertTokens(harness, store, red, { used: 0, held: 10 })
    },
  },
  {
    name: 'a refused reserve leaves overdue holds to the next step, so that somebody tells of them',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'dead', [ann], 100)
      await harness.advance(LEASE_MS)
      await assertRefused('budget_exceeded', () => reserve(harness, store, 'r', [ann], 901))
      await assertTokens(harness, store, ann, { used: 0, held: 100 })
      assert.deepEqual(
        (await store.expire(charge)).map(({ id }) => id),
        ['dead'],
      )
    },
  },
  {
    name: 'overdue reservations of the pools asked for do not count as open ones',
    async run(harness) {
      const store = await harness.open()
      const wire = { phase: 'reserved', maxOpen: 1 } as const
      await reserve(harness, store, 'dead', [ann], 10, wire)
      await harness.advance(LEASE_MS)
      await reserve(harness, store, 'r', [ann], 10, wire)
    },
  },
  {
    name: 'a settle after the expiry is a correction of what that charged, up or down, once',
    async run(harness) {
      const store = await harness.open()
      await expired(harness, store, 100)
      const { outcome, overrun } = await store.settle('r', tokens(30))
      assert.deepEqual([outcome, overrun], ['corrected', none])
      await assertTokens(harness, store, ann, { used: 30, held: 0 })
      assert.equal((await store.settle('r', tokens(30))).outcome, 'corrected')
      await assertRefused('reservation_conflict', () => store.settle('r', tokens(31)))
      await assertRefused('reservation_conflict', () => store.release('r'))
      const entries = await allEntries(store, 'user:ann')
      assert.deepEqual(
        entries.map(({ kind, amount }) => [kind, amount.tokens]),
        [
          ['expired', 100],
          ['correction', -70],
        ],
      )
    },
  },
  {
    name: 'a correction above what the expiry charged is an overrun by that much',
    async run(harness) {
      const store = await harness.open()
      const ask = { fixed: tokens(40), each: tokens(1), floor: 0, wish: 100, atMost: 100 }
      await reserve(harness, store, 'r', [ann], 0, { ask })
      await harness.advance(LEASE_MS)
      await store.expire(counted)
      assert.deepEqual((await store.settle('r', tokens(120))).overrun, tokens(80))
      assert.deepEqual((await store.settle('r', tokens(120))).overrun, tokens(80))
      await assertTokens(harness, store, ann, { used: 120, held: 0 })
    },
  },
  {
    name: 'a release after the expiry corrects the charge to zero',
    async run(harness) {
      const store = await harness.open()
      await expired(harness, store, 100)
      assert.equal((await store.release('r')).outcome, 'corrected')
      assert.equal((await store.release('r')).outcome, 'corrected')
      await assertTokens(harness, store, ann, { used: 0, held: 0 })
      await assertRefused('reservation_conflict', () => store.settle('r', tokens(1)))
    },
  },
  {
    name: 'a settle past the lease of a hold that nobody has ended is a plain settle',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann], 100)
      await harness.advance(10 * LEASE_MS)
      assert.equal((await store.settle('r', tokens(60))).outcome, 'settled')
      assert.deepEqual(await store.expire(charge), [])
    },
  },
]
