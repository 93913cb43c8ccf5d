import assert from 'node:assert/strict'
import type { AuditRecord } from '../audit/store.js'
import type { BudgetStore } from '../budget/store.js'
import type { CallFacts, UsageRecord } from '../cost/store.js'
import { noUsage } from '../cost/usage.js'
import { type BudgetCase, type BudgetHarness, LEASE_MS, pool, reserve, tokens } from './budget-harness.js'

const ann = pool('user:ann', { tokens: 1_000 })

const call: CallFacts = {
  requestId: 'q-1',
  provider: 'openai',
  route: 'openai',
  local: false,
  model: 'gpt-4o',
  kind: 'chat',
  stream: false,
  price: 'table',
}

function usageOf(harness: BudgetHarness, id: string): UsageRecord {
  const figures = { usage: { ...noUsage, output: 7 }, source: 'reported', nanoUsd: 0, outcome: 'ok' } as const
  return { ...call, ...figures, id, at: harness.now(), user: 'ann', pool: ann.name, pools: [ann.name], latencyMs: 1 }
}

function recordOf(harness: BudgetHarness, id: string): AuditRecord {
  return { id, timestamp: harness.now(), event: 'test', level: 'info', message: 'A test.' }
}

/** How often the store of usage that it names has been told of a call: undefined where it names none. */
async function requestsIn({ persists }: BudgetStore): Promise<number | undefined> {
  if (persists?.usage === undefined) return undefined
  return (await persists.usage.totals({})).reduce((sum, { requests }) => sum + requests, 0)
}

/** What a store keeps beside the ledger: nothing to ask of one that names no `persists`. */
export const budgetPersistsCases: readonly BudgetCase[] = [
  {
    name: 'records that come with a step are in the stores that `persists` names once it is done, and are so once',
    async run(harness) {
      const store = await harness.open()
      await reserve(harness, store, 'r', [ann], 10, { call, intent: recordOf(harness, 'intent') })
      const records = { usage: usageOf(harness, 'r'), audit: [recordOf(harness, 'outcome')] }
      for (const repeated of [false, true]) {
        assert.equal((await store.settle('r', tokens(7), records)).repeated, repeated)
        assert.ok([1, undefined].includes(await requestsIn(store)))
        const staged = await store.persists?.audit?.staged({ before: harness.now() + 1, limit: 10 })
        assert.deepEqual(staged?.map(({ id }) => id) ?? ['intent', 'outcome'], ['intent', 'outcome'])
      }
    },
  },
  {
    name: 'of a lost call whose usage is kept elsewhere it only tells, also of what takes that back, and keeps neither',
    async run(harness) {
      const store = await harness.open()
      for (const [id, usageElsewhere] of [
        ['here', false],
        ['there', true],
      ] as const)
        await reserve(harness, store, id, [ann], 10, { call, usageElsewhere })
      await harness.advance(LEASE_MS)
      const told = await store.expire({ onExpire: 'charge', limit: 10 })
      assert.deepEqual(told.map(({ usage }) => usage?.id).sort(), ['here.lost', 'there.lost'])
      assert.ok([1, undefined].includes(await requestsIn(store)))
      assert.equal((await store.settle('there', tokens(7))).reversal?.id, 'there.reversal')
      assert.ok([1, undefined].includes(await requestsIn(store)))
      assert.equal((await store.settle('here', tokens(7))).reversal?.id, 'here.reversal')
      assert.ok([0, undefined].includes(await requestsIn(store)))
    },
  },
]
