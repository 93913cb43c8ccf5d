import assert from 'node:assert/strict'
import type { ExpiredReservation } from '../budget/store.js'
import type { CallFacts, UsageRecord } from '../cost/store.js'
import { noUsage } from '../cost/usage.js'
import { assertRefused, type BudgetCase, exactly, LEASE_MS, pool, reserve, tokens } from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })
const red = pool('team:red', { tokens: 500 })

const call: CallFacts = {
  requestId: 'q-1',
  provider: 'openai',
  route: 'azure-eu',
  local: false,
  model: 'gpt-4o',
  kind: 'chat',
  stream: true,
  price: 'table',
}

/** 40 tokens of prompt and 100 of output, at 2 nano-USD each. */
const ask = { fixed: { tokens: 40, nanoUsd: 80 }, each: { tokens: 1, nanoUsd: 2 }, floor: 0, wish: 100, atMost: 100 }

function recordOf(at: number, figures: { input: number; output: number }): UsageRecord {
  return {
    ...call,
    id: 'r.lost',
    at,
    user: 'ann',
    pool: 'user:ann',
    pools: ['user:ann', 'team:red'],
    usage: { ...noUsage, ...figures },
    source: 'unknown',
    nanoUsd: 2 * (figures.input + figures.output),
    outcome: 'lost',
    latencyMs: 0,
  }
}

/** What a store says of a call whose lease ran out, so that its charge is found in the costs as well. */
export const budgetLostCases: readonly BudgetCase[] = [
  {
    name: 'an expired call comes with a usage record that costs what it was charged; a hold of the host has none',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 0, { ask, call })
      await reserve(harness, store, 'own', [ann], 5, { phase: 'reserved' })
      await harness.advance(LEASE_MS)
      const told = await (await harness.open()).expire({ onExpire: 'charge', limit: 10 })
      const usage = new Map(told.map((late) => [late.id, late.usage]))
      assert.deepEqual(usage.get('r'), recordOf(harness.now(), { input: 40, output: 100 }))
      assert.equal(usage.get('own'), undefined)
    },
  },
  {
    name: 'so it does where another reserve ends it, and where the last heartbeat is charged',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 0, { ask, call })
      await store.renew([{ id: 'r', counted: { tokens: 47, nanoUsd: 94 } }], LEASE_MS)
      await harness.advance(LEASE_MS)
      const grant = await reserve(harness, store, 's', [red], 1, { onExpire: 'counted' })
      const charged = { tokens: 47, nanoUsd: 94 }
      const usage = recordOf(harness.now(), { input: 40, output: 7 })
      assert.deepEqual(
        grant.expired.map(({ booked: _booked, ...late }) => ({ ...late, pools: [...late.pools].sort() })),
        [{ id: 'r', owner: 'ann', phase: 'sent', pools: ['team:red', 'user:ann'], charged, usage }],
      )
    },
  },
  {
    name: 'that record says of the call what was said when it was held',
    async run(harness) {
      const store = await harness.open()
      const own: CallFacts = {
        ...{ requestId: 'q-2', provider: 'ollama', route: 'own', local: true, model: 'llama', price: 'free' },
        ...{ kind: 'embeddings', stream: false },
      }
      const facts = { r: call, s: own, t: call, u: own } as const
      const ids = ['r', 's', 't', 'u'] as const
      for (const id of ids) await reserve(harness, store, id, [pool(id, {})], 0, { ask, call: facts[id] })
      await harness.advance(LEASE_MS)
      const told = new Map<string, ExpiredReservation>()
      const { expired } = await reserve(harness, store, 'v', [pool('r', {}), pool('s', {})], 0)
      for (const late of [...expired, ...(await store.expire({ onExpire: 'charge', limit: 10 }))])
        told.set(late.id, late)
      for (const id of ids) {
        const { usage, charged } = told.get(id)!
        assert.deepEqual(charged, { tokens: 140, nanoUsd: 280 })
        assert.deepEqual({ ...usage, ...facts[id] }, usage)
        const { reversal } = await (id < 't' ? store.settle(id, tokens(7)) : store.release(id))
        assert.deepEqual(reversal, { ...usage, id: `${id}.reversal`, reverses: true })
      }
    },
  },
  {
    name: 'what was extended counts as prompt',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann, red], 0, { ask, call })
      await store.extend('r', exactly({ tokens: 10, nanoUsd: 20 }))
      await harness.advance(LEASE_MS)
      const [lost] = await store.expire({ onExpire: 'charge', limit: 10 })
      assert.deepEqual(lost?.usage, recordOf(harness.now(), { input: 50, output: 100 }))
    },
  },
  {
    name: 'a settle or a release after the expiry says what takes that record back, and says it again',
    async run(harness) {
      const store = await harness.open()
      const settles = { r: () => store.settle('r', tokens(7)), s: () => store.release('s') }
      for (const id of ['r', 's']) await reserve(harness, store, id, [ann], 0, { ask, call })
      await harness.advance(LEASE_MS)
      const told = await store.expire({ onExpire: 'charge', limit: 10 })
      await harness.advance(1)
      for (const [id, settle] of Object.entries(settles)) {
        const lost = told.find((late) => late.id === id)?.usage
        const expected = { ...lost, id: `${id}.reversal`, reverses: true }
        assert.deepEqual([(await settle()).reversal, (await settle()).reversal], [expected, expected])
      }
      await assertRefused('reservation_conflict', () => store.settle('s', tokens(1)))
    },
  },
  {
    name: 'a settle in time takes nothing back',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann], 0, { ask, call })
      assert.equal((await store.settle('r', tokens(7))).reversal, undefined)
    },
  },
]
