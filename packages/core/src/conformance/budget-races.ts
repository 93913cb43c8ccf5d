import assert from 'node:assert/strict'
import type { BudgetStore } from '../budget/store.js'
import {
  allEntries,
  assertTokens,
  type BudgetCase,
  type BudgetHarness,
  exactly,
  LEASE_MS,
  none,
  pool,
  race,
  refusal,
  reserve,
  termsOf,
  tokens,
} from './budget-harness.js'

const red = pool('team:red', { tokens: 100 })
const blue = pool('team:blue', { tokens: 100 })

async function twoHandles(harness: BudgetHarness): Promise<[BudgetStore, BudgetStore]> {
  return [await harness.open(), await harness.open()]
}

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** Callers in two processes at the same time. */
export const budgetRaceCases: readonly BudgetCase[] = [
  {
    name: 'two processes ask for the last 100 tokens: one holds them, the other is told which pool is empty',
    async run(harness) {
      const [left, right] = await twoHandles(harness)
      const outcomes = await race([
        () => reserve(harness, left, 'a', [red], 100),
        () => reserve(harness, right, 'b', [red], 100),
      ])
      assert.deepEqual(outcomes, ['budget_exceeded', 'ok'])
      const { details } = await refusal(() => reserve(harness, left, 'c', [red], 1))
      assert.deepEqual([details.pool, details.available], ['team:red', 0])
      await assertTokens(harness, left, red, { used: 0, held: 100 })
    },
  },
  {
    name: 'of forty calls side by side exactly as many are granted as the pool can pay',
    async run(harness) {
      const handles = await twoHandles(harness)
      const outcomes = await race(many(40, (i) => () => reserve(harness, handles[i % 2]!, `r${i}`, [red], 5)))
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 20)
      assert.equal(outcomes.filter((outcome) => outcome === 'budget_exceeded').length, 20)
      await assertTokens(harness, handles[0], red, { used: 0, held: 100 })
    },
  },
  {
    name: 'holds over several pools, named in any order, neither lock each other out nor hold in half of them',
    async run(harness) {
      const handles = await twoHandles(harness)
      const calls = many(40, (i) => () => {
        return reserve(harness, handles[i % 2]!, `r${i}`, i % 2 === 0 ? [red, blue] : [blue, red], 5)
      })
      const outcomes = await race(calls)
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 20)
      for (const asked of [red, blue]) await assertTokens(harness, handles[0], asked, { used: 0, held: 100 })
    },
  },
  {
    name: 'the same reserve from two processes holds once, and both are granted',
    async run(harness) {
      const handles = await twoHandles(harness)
      const outcomes = await race(many(10, (i) => () => reserve(harness, handles[i % 2]!, 'r', [red, blue], 60)))
      assert.deepEqual(
        outcomes,
        many(10, () => 'ok'),
      )
      await assertTokens(harness, handles[0], red, { used: 0, held: 60 })
    },
  },
  {
    name: 'the same id for two owners at once is given to one of them',
    async run(harness) {
      const [left, right] = await twoHandles(harness)
      const outcomes = await race([
        () => reserve(harness, left, 'r', [red], 10, { owner: 'ann' }),
        () => reserve(harness, right, 'r', [red], 10, { owner: 'bob' }),
      ])
      assert.deepEqual(outcomes, ['ok', 'reservation_conflict'])
      await assertTokens(harness, left, red, { used: 0, held: 10 })
    },
  },
  {
    name: 'an owner never gets past `maxOpen`, in however many processes he asks at once',
    async run(harness) {
      const handles = await twoHandles(harness)
      const wire = { phase: 'reserved', maxOpen: 3 } as const
      const pools = many(10, (i) => pool(`p${i}`, { tokens: 100 }))
      const outcomes = await race(
        many(10, (i) => () => reserve(harness, handles[i % 2]!, `r${i}`, [pools[i]!], 1, wire)),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 3)
      assert.equal(outcomes.filter((outcome) => outcome === 'too_many_reservations').length, 7)
    },
  },
  {
    name: 'extensions side by side share what is left and nothing more',
    async run(harness) {
      const handles = await twoHandles(harness)
      for (const id of ['a', 'b']) await reserve(harness, handles[0], id, [red], 10)
      const outcomes = await race(many(20, (i) => () => handles[i % 2]!.extend(i % 2 ? 'a' : 'b', exactly(tokens(8)))))
      assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 10)
      await assertTokens(harness, handles[0], red, { used: 0, held: 100 })
    },
  },
  {
    name: 'the same settle from two processes charges once, two different ones never both',
    async run(harness) {
      const handles = await twoHandles(harness)
      await reserve(harness, handles[0], 'same', [red], 10)
      assert.deepEqual(
        await race(many(6, (i) => () => handles[i % 2]!.settle('same', tokens(7)))),
        many(6, () => 'ok'),
      )
      await reserve(harness, handles[0], 'other', [blue], 10)
      const outcomes = await race(many(2, (i) => () => handles[i]!.settle('other', tokens(7 + i))))
      assert.deepEqual(outcomes, ['ok', 'reservation_conflict'])
      await assertTokens(harness, handles[0], red, { used: 7, held: 0 })
      assert.equal((await allEntries(handles[0], 'team:blue')).length, 1)
    },
  },
  {
    name: 'a settle and a release at once: one of them ends the hold',
    async run(harness) {
      const [left, right] = await twoHandles(harness)
      await reserve(harness, left, 'r', [red], 10)
      assert.deepEqual(await race([() => left.settle('r', tokens(7)), () => right.release('r')]), [
        'ok',
        'reservation_conflict',
      ])
      assert.equal((await allEntries(left, 'team:red')).length, 1)
    },
  },
  {
    name: 'a settle that meets the expiry of its hold charges the truth, whichever comes first',
    async run(harness) {
      const handles = await twoHandles(harness)
      const ids = many(10, (i) => `r${i}`)
      for (const id of ids) await reserve(harness, handles[0], id, [red], 10)
      await harness.advance(LEASE_MS)
      const settles = ids.map((id, i) => () => handles[i % 2]!.settle(id, tokens(3)))
      const expiries = many(4, (i) => () => handles[i % 2]!.expire({ onExpire: 'charge', limit: 3 }))
      await race([...settles.slice(0, 5), ...expiries, ...settles.slice(5)])
      await assertTokens(harness, handles[0], red, { used: 30, held: 0 })
      const entries = await allEntries(handles[0], 'team:red')
      const terminal = entries.filter(({ kind }) => kind !== 'correction')
      assert.deepEqual(terminal.map(({ reservation }) => reservation).sort(), ids)
    },
  },
  {
    name: 'two sweeps at once end each overdue hold once, and one of them tells of it',
    async run(harness) {
      const handles = await twoHandles(harness)
      const ids = many(10, (i) => `r${i}`)
      for (const id of ids) await reserve(harness, handles[0], id, [red], 10)
      await harness.advance(LEASE_MS)
      const told = await Promise.all(
        many(4, async (i) => await handles[i % 2]!.expire({ onExpire: 'charge', limit: 10 })),
      )
      assert.deepEqual(
        told
          .flat()
          .map(({ id }) => id)
          .sort(),
        ids,
      )
      await assertTokens(harness, handles[0], red, { used: 100, held: 0 })
    },
  },
  {
    name: 'a heartbeat that meets a sweep either keeps the hold or is told that it is gone',
    async run(harness) {
      const [left, right] = await twoHandles(harness)
      await reserve(harness, left, 'r', [red], 10)
      await harness.advance(LEASE_MS)
      const [lost, told] = await Promise.all([
        (async () => await left.renew([{ id: 'r', counted: none }], LEASE_MS))(),
        (async () => await right.expire({ onExpire: 'charge', limit: 10 }))(),
      ])
      assert.deepEqual(
        lost,
        told.map(({ id }) => id),
      )
    },
  },
  {
    name: 'an override that goes at the moment of a reserve takes nothing from the window that counts again',
    async run(harness) {
      const store = await harness.open()
      const hourly = pool('hourly', { tokens: 100 }, 'hour')
      await reserve(harness, store, 'a', [hourly], 40)
      await store.settle('a', tokens(40))
      await store.define('hourly', termsOf({ tokens: 100 }, 'day'))
      const outcomes = await race([
        () => store.define('hourly', null),
        () => reserve(harness, store, 'b', [hourly], 30),
        () => reserve(harness, store, 'c', [hourly], 31),
      ])
      assert.deepEqual(outcomes, ['budget_exceeded', 'ok', 'ok'])
      await assertTokens(harness, store, hourly, { used: 40, held: 30 })
    },
  },
]
