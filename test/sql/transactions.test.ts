import { joinedBudgetCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import type { SqlStorage } from '@hoosh/sql'
import { afterAll, describe, it } from 'vitest'
import { HOSTS } from '../support/transactions.js'

/** What the ledger keeps; rows of pools stay, since processes remember that they are there. */
const KEPT = ['accounts', 'holds', 'corrections']

describe.each(HOSTS)("steps in the host's transaction: $name", ({ isThere, make }) => {
  const clock = fakeClock(1_700_000_000_000)
  const database = make({ clock: clock.now })
  const handles: SqlStorage[] = []
  afterAll(() => database.remove())

  it.skipIf(!isThere).each(joinedBudgetCases)('$name', async ({ run }) => {
    if (handles.length === 0) handles.push(await database.open(), await database.open())
    const empty = await database.begin()
    for (const table of KEPT) await empty.run(`delete from $.hoosh_${table}`)
    await empty.commit()
    let opened = 0
    await run({
      open: () => handles[opened++ % 2]!.budgets,
      now: clock.now,
      advance: (ms) => void clock.advance(ms),
      begin: () => database.begin(),
    })
  })
})
