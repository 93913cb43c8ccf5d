import { PGlite } from '@electric-sql/pglite'
import {
  auditCases,
  budgetStoreCases,
  cacheStoreCases,
  keyStoreCases,
  payloadStoreCases,
  rateStoreCases,
} from '@hoosh/core/conformance'
import { fakeClock } from '@hoosh/core/testing'
import { type PostgresPool, sqlStorage } from '@hoosh/sql'
import { afterAll, beforeAll, describe, it } from 'vitest'

/** A pool of the one connection that PGlite is: whoever wants it waits his turn. */
function poolOf(database: PGlite): PostgresPool {
  let last: Promise<void> = Promise.resolve()
  const nobody = () => undefined
  return {
    async connect() {
      const before = last
      let release = () => {}
      last = new Promise((resolve) => {
        release = resolve
      })
      await before
      return {
        query: (text, values) => database.query(text, values as unknown[]),
        release: () => release(),
        on: nobody,
        off: nobody,
      }
    },
    on: nobody,
    off: nobody,
  }
}

// It needs some seconds and 800 MB to start.
describe.skipIf(process.env.HOOSH_LONG !== '1')('on PGlite', () => {
  let database: PGlite
  let made = 0
  beforeAll(async () => {
    database = await PGlite.create()
  }, 120_000)
  afterAll(() => database.close())

  const opener = (clock?: () => number) => {
    const pool = poolOf(database)
    made += 1
    const schema = `case_${made}`
    return async () => {
      const storage = sqlStorage(pool, { schema, silenceMs: 60_000, ...(clock !== undefined && { clock }) })
      await storage.migrate()
      return storage
    }
  }

  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const open = opener(clock.now)
    const advance = (ms: number) => void clock.advance(ms)
    await run({ open: async () => (await open()).budgets, now: clock.now, advance })
  })

  it.each(auditCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).audit })
  })

  it.each(rateStoreCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).rates })
  })

  it.each(keyStoreCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).keys })
  })

  it.each(payloadStoreCases)('$name', async ({ run }) => {
    const open = opener()
    await run({ open: async () => (await open()).payloads })
  })

  it.each(cacheStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const open = opener(clock.now)
    await run({ open: async () => (await open()).cache, advance: (ms) => void clock.advance(ms) })
  })
})
