import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { budgetStoreCases } from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import Database from 'libsql'
import { ownBudgets } from './budgets.js'

// Every promise of `BudgetStore` as a test: each on a file of its own, which several handles share as processes would.
for (const { name, run } of budgetStoreCases) {
  test(name, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'budgets-'))
    context.after(() => rmSync(folder, { recursive: true }))
    const clock = fakeClock(1_700_000_000_000)
    const open = () => {
      const db = new Database(join(folder, 'app.sqlite'), { timeout: 5_000 })
      db.exec('pragma journal_mode = wal; pragma synchronous = normal')
      return ownBudgets(db, clock.now)
    }
    await run({ open, now: clock.now, advance: (ms) => void clock.advance(ms) })
  })
}
