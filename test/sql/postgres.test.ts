import { auditCases, budgetStoreCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { describe, it, onTestFinished } from 'vitest'
import { hasPostgres, postgresSchema } from '../support/postgres.js'

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
