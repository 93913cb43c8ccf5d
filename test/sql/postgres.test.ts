import { auditCases, budgetStoreCases, cacheStoreCases, keyStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import { describe, it, onTestFinished } from 'vitest'
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
