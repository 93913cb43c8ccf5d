import {
  auditCases,
  budgetStoreCases,
  cacheStoreCases,
  keyStoreCases,
  payloadStoreCases,
  rateStoreCases,
} from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { hasPostgres, PATIENT_MS, postgresSchema } from '../support/postgres.js'

describe.skipIf(!hasPostgres)('the ledger on PostgreSQL', () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const postgres = postgresSchema({ clock: clock.now })
    onTestFinished(() => postgres.remove())
    await run({
      open: async () => (await postgres.open()).budgets,
      now: clock.now,
      advance: (ms) => void clock.advance(ms),
    })
  })
})

describe.skipIf(!hasPostgres)('the audit log on PostgreSQL', () => {
  it.each(auditCases)('$name', async ({ run }) => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    await run({ open: async () => (await postgres.open()).audit })
  })
})

describe.skipIf(!hasPostgres)('limits on PostgreSQL', () => {
  it.each(rateStoreCases)('$name', async ({ run }) => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    await run({ open: async () => (await postgres.open()).rates })
  })
})

describe.skipIf(!hasPostgres)("the ledger on a host's own Kysely on PostgreSQL, with tables that have a prefix", () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const open = async () => {
      const kysely = new Kysely({
        dialect: new PostgresDialect({ pool: postgres.pool() }),
        plugins: [new CamelCasePlugin()],
      })
      const storage = sqlStorage(
        { kysely },
        {
          clock: clock.now,
          schema: postgres.schema,
          prefix: 'own_',
          silenceMs: PATIENT_MS,
        },
      )
      await storage.migrate()
      return storage.budgets
    }
    await run({ open, now: clock.now, advance: (ms) => void clock.advance(ms) })
  })
})

describe.skipIf(!hasPostgres)('payloads on PostgreSQL', () => {
  it.each(payloadStoreCases)('$name', async ({ run }) => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    await run({ open: async () => (await postgres.open()).payloads })
  })
})

describe.skipIf(!hasPostgres)('keys on PostgreSQL', () => {
  it.each(keyStoreCases)('$name', async ({ run }) => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    await run({ open: async () => (await postgres.open()).keys })
  })
})

describe.skipIf(!hasPostgres)('cached answers on PostgreSQL', () => {
  it.each(cacheStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const postgres = postgresSchema({ clock: clock.now })
    onTestFinished(() => postgres.remove())
    await run({
      open: async () => (await postgres.open()).cache,
      advance: (ms) => void clock.advance(ms),
    })
  })
})

describe.skipIf(!hasPostgres)('leases on PostgreSQL', () => {
  it("run on the database's clock, whatever a process takes for the time", async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const { budgets } = await postgres.open()
    const [before] = await postgres.read<{ at: string }>('select (extract(epoch from now()) * 1000)::bigint as at')
    const none = { tokens: 0, nanoUsd: 0 }
    const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
    const request = {
      owner: 'ann',
      phase: 'sent',
      pools: [{ name: 'user:ann', terms }],
      ask: { fixed: { tokens: 5, nanoUsd: 0 }, each: none, floor: 0, wish: 0, atMost: 0 },
      leaseMs: 600_000,
      onExpire: 'charge',
    } as const
    vi.useFakeTimers({ toFake: ['Date'], now: 0 })
    onTestFinished(() => void vi.useRealTimers())
    const { leaseUntil } = await budgets.reserve({ ...request, id: 'r', now: 0 })
    expect(leaseUntil).toBeGreaterThanOrEqual(Number(before!.at) + 600_000)
    // In a year that the process thinks has come, nothing is overdue; once the database thinks so, it is.
    vi.setSystemTime(Number(before!.at) * 2)
    expect(await budgets.expire({ limit: 5, onExpire: 'charge' })).toEqual([])
    await postgres.read('update $.hoosh_holds set lease_until = lease_until - 700000')
    expect((await budgets.expire({ limit: 5, onExpire: 'charge' })).map(({ id }) => id)).toEqual(['r'])
  })
})
