import { usageStoreCases } from '@hoosh/core/conformance'
import { noUsage, type UsageRecord } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'
import { hasPostgres, postgresSchema } from '../../support/postgres.js'
import { sqliteFile } from '../../support/sqlite.js'

const STORES = [
  {
    name: 'memory',
    isThere: true,
    make() {
      const usage = memoryUsage()
      return { open: async () => ({ usage }), remove: async () => {} }
    },
  },
  { name: 'SQLite', isThere: true, make: () => sqliteFile() },
  { name: 'PostgreSQL', isThere: hasPostgres, make: () => postgresSchema() },
]

describe.each(STORES)('usage on $name', ({ isThere, make }) => {
  it.skipIf(!isThere).each(usageStoreCases)('$name', async ({ run }) => {
    const store = make()
    onTestFinished(() => store.remove())
    await run({ open: async () => (await store.open()).usage })
  })
})

const RECORD: UsageRecord = {
  ...{ id: 'r', requestId: 'q', at: 0, user: 'ada', pool: 'user:ada', pools: ['user:ada'] },
  ...{ provider: 'openai', route: 'openai', local: false, model: 'gpt-4o', kind: 'chat', stream: false },
  ...{ usage: noUsage, source: 'reported', nanoUsd: 70, price: 'test', outcome: 'ok', latencyMs: 5 },
}

describe('usage in memory', () => {
  it('drops its oldest rows rather than grow without end', async () => {
    const store = memoryUsage({ maxTotals: 3 })
    for (const user of ['a', 'b', 'c', 'd']) await store.record([{ ...RECORD, id: user, user }])
    expect((await store.totals({})).map(({ user }) => user)).toEqual(['b', 'c', 'd'])
  })
})
