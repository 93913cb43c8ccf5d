import type { BudgetStore } from '@hoosh/core/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { onOneLedger, SEQUENCES, SEQUENCES_MS } from '../core/budget/model-runs.js'
import { HASTY, hasPostgres, postgresSchema } from '../support/postgres.js'

describe.skipIf(!hasPostgres)('the ledger on PostgreSQL', () => {
  const clock = { now: 0 }
  const postgres = postgresSchema({ clock: () => clock.now }, HASTY)
  const handles: BudgetStore[] = []
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) handles.push((await postgres.open()).budgets)
  })
  afterAll(() => postgres.remove())

  it(
    'any interleaving of operations leaves what the definition of a ledger says, through two handles',
    {
      timeout: SEQUENCES_MS,
    },
    () => fc.assert(onOneLedger(handles, clock), SEQUENCES),
  )
})
