import { describe, expect, it, onTestFinished } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'
import type { UsageRecord, UsageStore } from '../../../packages/core/src/cost/store.js'
import { noUsage } from '../../../packages/core/src/cost/usage.js'
import { sqliteFile } from '../../support/sqlite.js'

const TUESDAY = Date.UTC(2026, 10, 24, 23, 59)

let made = 0
function record(fields: Partial<UsageRecord> = {}): UsageRecord {
  made += 1
  return {
    id: `r${made}`,
    requestId: 'q',
    at: TUESDAY,
    user: 'ada',
    pool: 'user:ada',
    pools: ['user:ada'],
    provider: 'openai',
    route: 'openai',
    local: false,
    model: 'gpt-4o',
    kind: 'chat',
    stream: false,
    usage: { ...noUsage, input: 8, cachedInput: 2, output: 3, reasoning: 2 },
    source: 'reported',
    nanoUsd: 70,
    price: 'test',
    outcome: 'ok',
    latencyMs: 5,
    ...fields,
  }
}

const STORES: readonly { name: string; open(): Promise<UsageStore> }[] = [
  { name: 'memory', open: async () => memoryUsage() },
  {
    name: 'SQLite',
    async open() {
      const sqlite = sqliteFile()
      onTestFinished(() => sqlite.remove())
      return (await sqlite.open()).usage
    },
  },
]

describe.each(STORES)('usage on $name', ({ open }) => {
  it('adds calls of one provider, route, model, user and pool', async () => {
    const store = await open()
    await store.record([record(), record()])
    await store.record([record({ user: 'bob' })])
    const totals = await store.totals({})
    expect(totals).toHaveLength(2)
    expect(totals[0]).toEqual({
      provider: 'openai',
      route: 'openai',
      local: false,
      model: 'gpt-4o',
      user: 'ada',
      pool: 'user:ada',
      requests: 2,
      promptTokens: 20,
      completionTokens: 10,
      nanoUsd: 140,
    })
  })

  it('counts a record that is told twice once', async () => {
    const store = await open()
    const one = record()
    await store.record([one, one])
    await store.record([one])
    expect((await store.totals({}))[0]).toMatchObject({ requests: 1 })
  })

  it('keeps days apart and adds them over the days asked for', async () => {
    const store = await open()
    await store.record([record(), record({ at: TUESDAY + 60_000 }), record({ at: TUESDAY + 2 * 86_400_000 })])
    expect((await store.totals({}))[0]).toMatchObject({ requests: 3 })
    expect((await store.totals({ from: '2026-11-24', to: '2026-11-24' }))[0]).toMatchObject({ requests: 1 })
    expect((await store.totals({ from: '2026-11-25' }))[0]).toMatchObject({ requests: 2 })
    expect(await store.totals({ to: '2026-11-23' })).toEqual([])
  })

  it('tells a user and a pool only what is theirs', async () => {
    const store = await open()
    await store.record([record(), record({ user: 'bob', pool: 'team' }), record({ user: 'ada', pool: 'team' })])
    expect(await store.totals({ user: 'ada' })).toHaveLength(2)
    expect(await store.totals({ pool: 'team' })).toHaveLength(2)
    expect(await store.totals({ user: 'ada', pool: 'team' })).toHaveLength(1)
  })

  it('begins anew after a reset, and does not count an old record again', async () => {
    const store = await open()
    const old = record()
    await store.record([old])
    await store.reset()
    await store.record([old])
    expect(await store.totals({})).toEqual([])
  })

  it('loses what a lost call had added when that is taken back, once, on the day it was added', async () => {
    const store = await open()
    const lost = record({ id: 'r.lost', outcome: 'lost' })
    const reversal = record({ id: 'r.reversal', outcome: 'lost', reverses: true })
    const truth = record({ id: 'r', route: 'other', nanoUsd: 7, at: TUESDAY + 86_400_000 })
    await store.record([lost, record()])
    await store.record([reversal, truth])
    await store.record([reversal])
    const totals = async (filter = {}) =>
      (await store.totals(filter)).map(({ route, requests, promptTokens, nanoUsd }) => [
        route,
        requests,
        promptTokens,
        nanoUsd,
      ])
    expect((await totals()).sort()).toEqual([
      ['openai', 1, 10, 70],
      ['other', 1, 10, 7],
    ])
    expect(await totals({ to: '2026-11-24' })).toEqual([['openai', 1, 10, 70]])
  })

  it('may be told in any order: what is taken back before it was added is nothing in the end', async () => {
    const store = await open()
    await store.record([record({ id: 'r.reversal', reverses: true })])
    await store.record([record({ id: 'r.lost' })])
    expect(await store.totals({})).toMatchObject([{ requests: 0, promptTokens: 0, completionTokens: 0, nanoUsd: 0 }])
  })
})

describe('usage in memory', () => {
  it('drops its oldest rows rather than grow without end', async () => {
    const store = memoryUsage({ maxTotals: 3 })
    for (const user of ['a', 'b', 'c', 'd']) await store.record([record({ user })])
    expect((await store.totals({})).map(({ user }) => user)).toEqual(['b', 'c', 'd'])
  })
})
