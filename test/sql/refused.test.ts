import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it } from 'vitest'

const refusal = (name: string) => ({
  code: 'store_unavailable',
  message: expect.stringMatching(new RegExp(`\\(SQLITE_${name}\\).*file.*disk`)),
})

const TERMS = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const

describe('a file of SQLite that takes nothing', () => {
  it.each([
    ['for want of room', 'FULL', 'pragma max_page_count = 1'],
    ['since it is only read', 'READONLY', 'pragma query_only = on'],
  ])('%s is told by what SQLite calls it, not as one to try again', async (_why, name, pragma) => {
    const database = new Database(':memory:')
    const storage = sqlStorage(database)
    await storage.migrate()
    database.exec(pragma)
    const fill = async () => {
      for (let at = 0; at < 200; at += 1) await storage.budgets.define(`${at} ${'x'.repeat(200)}`, TERMS)
    }
    await expect(fill()).rejects.toMatchObject(refusal(name))
    expect(await storage.usage.totals({})).toEqual([])
  })

  it('since it is none is told so as well', async () => {
    const storage = sqlStorage({
      prepare() {
        throw Object.assign(new Error('file is not a database'), { code: 'ERR_SQLITE_ERROR', errcode: 26 })
      },
    })
    await expect(storage.usage.totals({})).rejects.toMatchObject(refusal('NOTADB'))
  })
})
