import assert from 'node:assert/strict'
import type { HostTransaction, JoinedBudgets } from '../budget/joining.js'
import type { BudgetStore } from '../budget/store.js'
import type { Awaitable } from '../time.js'
import {
  assertRefused,
  assertTokens,
  type BudgetHarness,
  LEASE_MS,
  pool,
  race,
  refusal,
  reserve,
  tokens,
} from './budget-harness.js'

/** A transaction of the host's that is open. */
export interface OpenTransaction {
  /** What the host hands over. */
  readonly transaction: HostTransaction
  commit(): Awaitable<unknown>
  rollback(): Awaitable<unknown>
}

/** What a store under test provides that joins transactions, anew for each case. */
export interface JoinHarness extends BudgetHarness {
  /** Begins a transaction as the host does it; where only one may be open at a time, it waits for the one before. */
  begin(): Awaitable<OpenTransaction>
}

/** A promise of `JoinsTransactions`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface JoinCase {
  readonly name: string
  run(harness: JoinHarness): Promise<void>
}

const ann = pool('user:ann', { tokens: 100 })

function joined(store: BudgetStore, { transaction }: OpenTransaction): JoinedBudgets {
  assert.ok(store.join !== undefined, 'the store joins transactions')
  return store.join(transaction)
}

/** Holds tokens of Ann's, as the host's own code does. */
function hold(harness: BudgetHarness, steps: JoinedBudgets, id: string, count: number) {
  return reserve(harness, steps, id, [ann], count, { phase: 'reserved' })
}

/** Does what is given in a transaction, and commits it unless that fails. */
async function committed(
  harness: JoinHarness,
  store: BudgetStore,
  work: (steps: JoinedBudgets) => Promise<unknown>,
): Promise<void> {
  const open = await harness.begin()
  try {
    await work(joined(store, open))
  } catch (error) {
    await open.rollback()
    throw error
  }
  await open.commit()
}

/** Every promise of `JoinsTransactions`, for stores that have `join`. Each case wants a harness of its own, with an empty ledger. */
export const joinedBudgetCases: readonly JoinCase[] = [
  {
    name: 'what is held and settled in a transaction stands once that is committed, for every handle',
    async run(harness) {
      const [left, right] = [await harness.open(), await harness.open()]
      await committed(harness, left, async (steps) => {
        assert.deepEqual((await hold(harness, steps, 'r', 30)).held, tokens(30))
        assert.equal((await steps.settle('r', tokens(20))).outcome, 'settled')
        await hold(harness, steps, 's', 50)
      })
      await assertTokens(harness, right, ann, { used: 20, held: 50 })
      assert.equal((await right.find({ id: 's' }))?.state, 'held')
      assert.equal((await right.settle('r', tokens(20))).repeated, true)
    },
  },
  {
    name: 'what was held in a transaction that is rolled back was never there: nothing is held, and its id is not known',
    async run(harness) {
      const store = await harness.open()
      const open = await harness.begin()
      await hold(harness, joined(store, open), 'r', 100)
      await open.rollback()
      await assertTokens(harness, store, ann, { used: 0, held: 0 })
      assert.equal(await store.find({ id: 'r' }), null)
      assert.deepEqual(await store.renew([{ id: 'r', counted: tokens(0) }], LEASE_MS), ['r'])
      await assertRefused('not_held', () => store.settle('r', tokens(1)))
      await hold(harness, store, 'r', 100)
    },
  },
  {
    name: 'a settle or a release that is rolled back leaves the hold as it was, to be ended later',
    async run(harness) {
      const store = await harness.open()
      await hold(harness, store, 'r', 30)
      await hold(harness, store, 's', 40)
      const open = await harness.begin()
      await joined(store, open).settle('r', tokens(30))
      await joined(store, open).release('s')
      await open.rollback()
      await assertTokens(harness, store, ann, { used: 0, held: 70 })
      assert.equal((await store.settle('r', tokens(10))).repeated, false)
      await committed(harness, store, (steps) => Promise.resolve(steps.release('s')))
      await assertTokens(harness, store, ann, { used: 10, held: 0 })
    },
  },
  {
    name: 'a refusal changes nothing and leaves the transaction as it was: the rest of it is committed',
    async run(harness) {
      const store = await harness.open()
      await committed(harness, store, async (steps) => {
        await hold(harness, steps, 'r', 60)
        await assertRefused('budget_exceeded', () => hold(harness, steps, 's', 41))
        await assertRefused('not_held', () => steps.settle('s', tokens(41)))
        await hold(harness, steps, 't', 40)
      })
      await assertTokens(harness, store, ann, { used: 0, held: 100 })
      assert.equal(await store.find({ id: 's' }), null)
    },
  },
  {
    name: 'steps of one transaction side by side are done one after the other',
    async run(harness) {
      const store = await harness.open()
      await committed(harness, store, async (steps) => {
        const asked = ['a', 'b', 'c', 'd', 'e'].map((id) => () => hold(harness, steps, id, 30))
        assert.deepEqual(await race(asked), ['budget_exceeded', 'budget_exceeded', 'ok', 'ok', 'ok'])
      })
      await assertTokens(harness, store, ann, { used: 0, held: 90 })
    },
  },
  {
    name: 'of transactions that ask for the last tokens at once as many get them as there are',
    async run(harness) {
      const handles = [await harness.open(), await harness.open()]
      const asks = Array.from({ length: 12 }, (_, index) => () => {
        return committed(harness, handles[index % 2]!, (steps) => hold(harness, steps, `r${index}`, 20))
      })
      const answers = await race(asks)
      assert.equal(answers.filter((answer) => answer === 'ok').length, 5)
      assert.equal(answers.filter((answer) => answer === 'budget_exceeded').length, 7)
      await assertTokens(harness, handles[0]!, ann, { used: 0, held: 100 })
    },
  },
  {
    name: 'nobody gets what an open transaction holds: he waits for its end, or is told to come again',
    async run(harness) {
      const [left, right] = [await harness.open(), await harness.open()]
      for (const [ends, id] of [
        ['rollback', 'r'],
        ['commit', 's'],
      ] as const) {
        const open = await harness.begin()
        await hold(harness, joined(left, open), id, 100)
        const other = race([() => hold(harness, right, `other ${id}`, 60)])
        await new Promise((resolve) => setTimeout(resolve, 20))
        await open[ends]()
        const [answer] = await other
        if (ends === 'commit') assert.notEqual(answer, 'ok')
        if (answer === 'ok') await right.release(`other ${id}`)
      }
      await assertTokens(harness, left, ann, { used: 0, held: 100 })
    },
  },
  {
    name: 'a reserve in a transaction first ends overdue holds; if it is rolled back they are there, to be told of again',
    async run(harness) {
      const store = await harness.open()
      await hold(harness, store, 'late', 70)
      await harness.advance(LEASE_MS)
      const open = await harness.begin()
      const { expired } = await reserve(harness, joined(store, open), 'r', [ann], 30)
      assert.deepEqual(
        expired.map(({ id }) => id),
        ['late'],
      )
      await open.rollback()
      assert.equal((await store.find({ id: 'late' }))?.state, 'held')
      const told = await store.expire({ limit: 10, onExpire: 'charge' })
      assert.deepEqual(
        told.map(({ id }) => id),
        ['late'],
      )
    },
  },
  {
    name: 'what is no transaction is refused, and told by the name of the field',
    async run(harness) {
      const store = await harness.open()
      assert.ok(store.join !== undefined, 'the store joins transactions')
      const { code, details } = await refusal(() => store.join!({}).release('r'))
      assert.deepEqual({ code, param: details.param }, { code: 'invalid_options', param: 'transaction' })
    },
  },
]
