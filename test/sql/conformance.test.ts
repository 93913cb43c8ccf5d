import {
  auditCases,
  budgetStoreCases,
  cacheStoreCases,
  keyStoreCases,
  payloadStoreCases,
  rateStoreCases,
} from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { describe, it, onTestFinished } from 'vitest'
import { sqliteFile } from '../support/sqlite.js'

describe('the ledger on SQLite', () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const sqlite = sqliteFile({ clock: clock.now })
    onTestFinished(() => sqlite.remove())
    await run({
      open: async () => (await sqlite.open()).budgets,
      now: clock.now,
      advance: (ms) => void clock.advance(ms),
    })
  })
})

describe('the audit log on SQLite', () => {
  it.each(auditCases)('$name', async ({ run }) => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    await run({ open: async () => (await sqlite.open()).audit })
  })
})

describe('limits on SQLite', () => {
  it.each(rateStoreCases)('$name', async ({ run }) => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    await run({ open: async () => (await sqlite.open()).rates })
  })
})

describe('payloads on SQLite', () => {
  it.each(payloadStoreCases)('$name', async ({ run }) => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    await run({ open: async () => (await sqlite.open()).payloads })
  })
})

describe('keys on SQLite', () => {
  it.each(keyStoreCases)('$name', async ({ run }) => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    await run({ open: async () => (await sqlite.open()).keys })
  })
})

describe('cached answers on SQLite', () => {
  it.each(cacheStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const sqlite = sqliteFile({ clock: clock.now })
    onTestFinished(() => sqlite.remove())
    await run({
      open: async () => (await sqlite.open()).cache,
      advance: (ms) => void clock.advance(ms),
    })
  })
})
