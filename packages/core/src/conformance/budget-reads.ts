import assert from 'node:assert/strict'
import {
  allEntries,
  type BudgetCase,
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

/** What can be read of the ledger. */
export const budgetReadCases: readonly BudgetCase[] = [
  {
    name: 'pools are read in the order asked, and one without account reads as unused',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [red], 5)
      const states = await store.read([ann, red], harness.now())
      const unused = { windowStart: 0, windowEnd: null, used: none, held: none, drawn: none, credits: [] }
      assert.deepEqual(states, [
        { ...unused, name: 'user:ann', terms: ann.terms },
        { ...unused, name: 'team:red', terms: red.terms, held: tokens(5) },
      ])
      assert.equal((await store.list({ limit: 10, now: harness.now() })).length, 1)
      const { code, details } = await refusal(() => store.read([{ name: 'unknown', terms: null }], harness.now()))
      assert.deepEqual([code, details.pool], ['unknown_pool', 'unknown'])
    },
  },
  {
    name: 'an answer keeps its figures, whatever happens next',
    async run(harness) {
      const store = await harness.open()
      const grant = await reserve(harness, store, 'r', [ann], 5)
      const [state, found] = [await stateOf(harness, store, ann), await store.find({ id: 'r' })]
      await store.settle('r', tokens(3))
      assert.deepEqual([grant.pools[0]?.held, state.held, found?.state], [tokens(5), tokens(5), 'held'])
    },
  },
  {
    name: 'pools that were used or are overridden are listed by name, in pages',
    async run(harness) {
      const store = await harness.open()
      for (const name of ['d', 'b', 'a', 'e']) await reserve(harness, store, name, [pool(name, { tokens: 10 })], 1)
      await store.define('c', termsOf({ tokens: 7 }))
      await store.define('b', termsOf({ tokens: 8 }))
      const page = async (after?: string) => {
        const found = await store.list({ limit: 2, now: harness.now(), ...(after !== undefined && { after }) })
        return found.map(({ name, terms, held }) => `${name} ${terms.capacity.tokens} ${held.tokens}`)
      }
      assert.deepEqual(
        [await page(), await page('b'), await page('d'), await page('e')],
        [['a 10 1', 'b 8 1'], ['c 7 0', 'd 10 1'], ['e 10 1'], []],
      )
    },
  },
  {
    name: 'a reservation is found by id with all that is known of it, and nothing by an id that is not known',
    async run(harness) {
      const store = await harness.open()
      assert.equal(await store.find({ id: 'r' }), null)
      await reserve(harness, store, 'r', [ann], 25, { owner: 'bob', phase: 'reserved' })
      assert.deepEqual(await store.find({ id: 'r' }), {
        id: 'r',
        owner: 'bob',
        phase: 'reserved',
        state: 'held',
        holds: [{ pool: 'user:ann', windowStart: 0, amount: tokens(25) }],
        counted: tokens(25),
        leaseUntil: harness.now() + LEASE_MS,
      })
      assert.equal(await store.find({ id: 's' }), null)
    },
  },
  {
    name: 'the oldest open reservation of an owner is found by its pool and exact amount in both units',
    async run(harness) {
      const store = await harness.open()
      const wire = { phase: 'reserved' } as const
      await reserve(harness, store, 'call', [ann], 10)
      await reserve(harness, store, 'two', [ann, red], 10, wire)
      await reserve(harness, store, 'bob', [ann], 10, { ...wire, owner: 'bob' })
      await reserve(harness, store, 'more', [ann], 11, wire)
      const sought = { owner: 'ann', pool: 'user:ann', amount: { tokens: 10 } }
      const inBoth = { fixed: { tokens: 10, nanoUsd: 5 }, each: none, floor: 0, wish: 0, atMost: 0 }
      await reserve(harness, store, 'both', [ann], 0, { ...wire, ask: inBoth })
      assert.equal(await store.find(sought), null)
      assert.equal((await store.find({ ...sought, amount: { tokens: 10, nanoUsd: 5 } }))?.id, 'both')
      assert.equal(await store.find({ ...sought, amount: { tokens: 10, nanoUsd: 6 } }), null)
      assert.equal(await store.find({ ...sought, pool: 'team:red', amount: { tokens: 10, nanoUsd: 5 } }), null)
      await reserve(harness, store, 'z-first', [ann], 10, wire)
      await harness.advance(1)
      await reserve(harness, store, 'a-second', [ann], 10, wire)
      assert.equal((await store.find(sought))?.id, 'z-first')
      await store.settle('z-first', tokens(1))
      assert.equal((await store.find(sought))?.id, 'a-second')
      await store.release('a-second')
      assert.equal(await store.find(sought), null)
    },
  },
  {
    name: 'the entries of a pool come newest first, in pages, and add up to what it has used',
    async run(harness) {
      const store = await harness.open()
      for (const id of ['a', 'b', 'late', 'free', 'other']) {
        await reserve(harness, store, id, id === 'other' ? [red] : [ann, red], 20)
      }
      await store.settle('a', tokens(10))
      await store.settle('b', tokens(25))
      await store.release('free')
      await store.settle('other', tokens(1))
      await harness.advance(LEASE_MS)
      await store.expire({ onExpire: 'charge', limit: 10 })
      await store.settle('late', tokens(4))
      const entries = await allEntries(store, 'user:ann')
      assert.deepEqual(
        entries.map(({ reservation, kind, amount, overrun }) => [reservation, kind, amount.tokens, overrun.tokens]),
        [
          ['a', 'settled', 10, 0],
          ['b', 'settled', 25, 5],
          ['free', 'released', 0, 0],
          ['late', 'expired', 20, 0],
          ['late', 'correction', -16, 0],
        ],
      )
      assert.equal(new Set(entries.map(({ id }) => id)).size, 5)
      assert.equal(entries.at(-1)?.at, harness.now())
      assert.ok(entries.every(({ pool: name, windowStart }) => name === 'user:ann' && windowStart === 0))
      assert.equal((await stateOf(harness, store, ann)).used.tokens, 39)
      assert.equal((await stateOf(harness, store, red)).used.tokens, 40)
    },
  },
]
