import { createGateway } from '@hoosh/core'
import { memoryAudit, memoryBudgets, type UsageRecord } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { expect, it } from 'vitest'
import { deferred } from '../support/deferred.js'

const LEASE_MS = 60_000

it('a sweep that has ended a hold has told of it before the gateway is closed', async () => {
  const clock = fakeClock(1_700_000_000_000)
  const [begun, held] = [deferred(), deferred()]
  const [budgets, audit, kept] = [memoryBudgets({ clock: clock.now }), memoryAudit(), [] as UsageRecord[]]
  const gateway = createGateway({
    providers: [{ type: 'demo' }],
    pools: { 'user:*': { tokens: 1_000 } },
    budget: { sweepMs: 10 },
    clock: clock.now,
    logger: false,
    storage: {
      budgets,
      audit,
      usage: {
        async record(records) {
          begun.resolve()
          await held.promise
          kept.push(...records)
        },
        totals: () => [],
        reset: () => {},
      },
    },
  })
  await gateway.ready()
  const none = { tokens: 0, nanoUsd: 0 }
  const terms = { capacity: { tokens: 1_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' as const }
  budgets.reserve({
    id: 'lost',
    owner: 'ann',
    phase: 'sent',
    pools: [{ name: 'user:ann', terms }],
    call: {
      requestId: 'r',
      provider: 'openai',
      route: 'openai',
      local: false,
      model: 'gpt-4o',
      kind: 'chat',
      stream: true,
      price: 'none',
    },
    ask: { fixed: { tokens: 50, nanoUsd: 0 }, each: none, floor: 0, wish: 0, atMost: 0 },
    leaseMs: LEASE_MS,
    now: clock.now(),
    onExpire: 'charge',
  })
  clock.advance(LEASE_MS + 1)
  await begun.promise
  const closed = gateway.close({ timeoutMs: 0 })
  setTimeout(() => held.resolve(), 50)
  await closed
  expect(kept.map(({ requestId }) => requestId)).toEqual(['r'])
  const { entries } = await audit.query({ event: 'inference.lost', limit: 10 })
  expect(entries.map(({ record }) => record.reservation)).toEqual(['lost'])
})
