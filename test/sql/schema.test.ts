import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createGateway } from '@hoosh/core'
import { migrationSql, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { steps, versionTable } from '../../packages/sql/src/schema.js'
import { sqlite } from '../../packages/sql/src/sqlite.js'
import { tablesOf } from '../../packages/sql/src/tables.js'
import { child, killed } from '../support/children.js'
import { sqliteFile } from '../support/sqlite.js'

const VERSION = steps.length

const open = () => {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  onTestFinished(async () => {
    database.close()
    await sqlite.remove()
  })
  const rows = (text: string) => database.prepare(text).all([]) as Record<string, unknown>[]
  return {
    file: sqlite.file,
    database,
    rows,
    schema: () => rows('select type, name, sql from sqlite_schema order by name'),
    storage: (options = {}) => sqlStorage(database, options),
  }
}

const names = (rows: Record<string, unknown>[]) => rows.map(({ name }) => String(name))
const held = { tokens: 40, nanoUsd: 0 }
const request = {
  id: 'r',
  owner: 'ann',
  phase: 'sent',
  pools: [{ name: 'user:ann', terms: { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } }],
  ask: { fixed: held, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
  leaseMs: 60_000,
  now: 0,
  onExpire: 'charge',
} as const

describe('a database is brought up to date', () => {
  it('from an empty file, with tables that begin with the prefix', async () => {
    const { storage, schema, rows } = open()
    await storage({ prefix: 'ai_' }).open!({ migrate: true })
    const made = names(schema()).filter((name) => !name.startsWith('sqlite_'))
    expect(made.length).toBeGreaterThan(10)
    expect(made.filter((name) => !name.startsWith('ai_'))).toEqual([])
    expect(rows('select version from ai_schema')).toEqual([{ version: VERSION }])
    await storage({ prefix: 'ai_' }).open!({ migrate: false })
  })

  it('once: a second time changes neither schema nor data', async () => {
    const { storage, schema } = open()
    const first = storage()
    await first.open!({ migrate: true })
    await first.budgets.reserve(request)
    const before = schema()
    const second = storage()
    await second.open!({ migrate: true })
    expect(schema()).toEqual(before)
    expect(await second.budgets.find({ id: 'r' })).toMatchObject({ state: 'held' })
  })

  it('by the statements that a host runs with its own tool', async () => {
    const { storage, database } = open()
    database.exec('begin')
    for (const text of migrationSql({ prefix: 'own_' })) database.exec(text)
    database.exec('commit')
    const opened = storage({ prefix: 'own_' })
    await opened.open!({ migrate: false })
    await opened.budgets.reserve(request)
    expect(migrationSql({ from: VERSION }).filter((text) => !text.includes('hoosh_schema'))).toEqual([])
  })

  it.each(Array.from({ length: VERSION - 1 }, (_, before) => before + 1))(
    'from version %i, to what an empty file becomes',
    async (from) => {
      const [old, fresh] = [open(), open()]
      const tables = tablesOf('hoosh_')
      old.database.exec(versionTable(tables))
      for (const step of steps.slice(0, from)) for (const text of step(sqlite, tables)) old.database.exec(text)
      old.database.exec(`insert into hoosh_schema values (1, ${from})`)
      await old.storage().open!({ migrate: true })
      await fresh.storage().open!({ migrate: true })
      expect(old.rows('select version from hoosh_schema')).toEqual([{ version: VERSION }])
      expect(old.schema()).toEqual(fresh.schema())
    },
  )

  it('whole or not at all', async () => {
    const { storage, database, schema } = open()
    database.exec('create table hoosh_usage (mine text)')
    await expect(storage().open!({ migrate: true })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(names(schema())).toEqual(['hoosh_usage'])
    database.exec('drop table hoosh_usage')
    await storage().open!({ migrate: true })
  })

  it('by four processes that start at once', async () => {
    const { file, rows } = open()
    const script = new URL('../processes/migrate-child.mjs', import.meta.url)
    const children = await Promise.all(Array.from({ length: 4 }, () => child(script, [file])))
    onTestFinished(async () => void (await Promise.all(children.map((one) => killed(one.process)))))
    const exits = children.map((one) => once(one.process, 'exit'))
    writeFileSync(`${file}.go`, '')
    expect(await Promise.all(exits)).toEqual(children.map(() => [0, null]))
    expect(rows('select version from hoosh_schema')).toEqual([{ version: VERSION }])
    expect(rows('select held_tokens from hoosh_accounts')).toEqual([{ held_tokens: 4 }])
  })
})

describe('a schema that does not fit', () => {
  it('an empty database is not touched without `migrate`, and the refusal says what to do', async () => {
    const { storage, schema } = open()
    const refused = {
      code: 'not_ready',
      message: expect.stringMatching(/no tables of hoosh.*`migrate: true`.*migrationSql/),
    }
    await expect(storage().open!({ migrate: false })).rejects.toMatchObject(refused)
    expect(schema()).toEqual([])
  })

  it('a newer one is served by nobody older, with or without `migrate`', async () => {
    const { storage, database, schema } = open()
    await storage().open!({ migrate: true })
    database.exec('update hoosh_schema set version = 99')
    const before = schema()
    const refused = { code: 'not_ready', message: expect.stringMatching(/version 99.*Update @hoosh\/sql/) }
    for (const migrate of [true, false]) await expect(storage().open!({ migrate })).rejects.toMatchObject(refused)
    expect(schema()).toEqual(before)
  })

  it('an older one is not served before it is brought up to date', async () => {
    const { storage, database } = open()
    for (const text of migrationSql()) database.exec(text)
    database.exec('update hoosh_schema set version = 0')
    await expect(storage().open!({ migrate: false })).rejects.toMatchObject({ code: 'not_ready' })
  })

  it('a gateway on it is not ready, answers 503 and says what is missing', async () => {
    const { storage } = open()
    const gateway = createGateway({ storage: storage(), providers: [{ type: 'demo' }], logger: false })
    await expect(gateway.ready()).rejects.toMatchObject({
      code: 'not_ready',
      message: expect.stringMatching(/migrate/),
    })
    const reply = await gateway.as({ user: 'ann' }).fetch('http://hoosh/v1/tokens/pools')
    expect([reply.status, await reply.json()]).toMatchObject([503, { error: { code: 'not_ready' } }])
    await gateway.close()
  })

  it('a prefix that no table can have is refused at once', () => {
    for (const prefix of ['', '1st', 'Big', 'a-b', 'a"; drop table users; --', 'x'.repeat(33)]) {
      expect(() => sqlStorage(new Database(':memory:'), { prefix })).toThrow(/prefix/)
    }
  })
})
