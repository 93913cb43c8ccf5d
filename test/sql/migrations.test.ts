import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { diagnose } from '@hoosh/core/storage'
import { migrationSql, sqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'
import { hasPostgres, postgresPool, postgresSchema } from '../support/postgres.js'
import { sqliteFile } from '../support/sqlite.js'

const VERSIONS = [1, 2, 3, 4, 5, 6]

/** As `npx vitest run test/sql/migrations.test.ts -u` writes them. */
const folder = (database: string) => new URL(`../../packages/sql/migrations/${database}/`, import.meta.url)
const fileOf = (version: number) => `${String(version).padStart(4, '0')}.sql`
const textOf = (statements: readonly string[]) => `${statements.join(';\n\n')};\n`

describe.each(['postgres', 'sqlite'] as const)('the migrations for %s as files', (database) => {
  it.each(VERSIONS)('say what the storage itself does: version %d', async (version) => {
    const text = textOf(migrationSql({ database, from: version - 1, to: version }))
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(fileOf(version), folder(database))))
  })

  it('are one for each version', () => {
    expect(readdirSync(folder(database)).sort()).toEqual(VERSIONS.map(fileOf))
    expect(migrationSql({ database }).at(-1)).toContain(`values (1, ${VERSIONS.at(-1)})`)
  })
})

describe.each(DATABASES)('many processes on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)('migrate at once: one does, the others find it done', async () => {
    const database = make()
    onTestFinished(() => database.remove())
    const script = new URL('../processes/migrate-child.mjs', import.meta.url)
    const children = await Promise.all(Array.from({ length: 4 }, () => child(script, [database.place, database.file])))
    onTestFinished(async () => void (await Promise.all(children.map((one) => killed(one.process)))))
    const exits = children.map((one) => once(one.process, 'exit'))
    writeFileSync(`${database.file}.go`, '')
    expect(await Promise.all(exits)).toEqual(children.map(() => [0, null]))
    await database.open()
    const rows = await database.read<{ version: unknown }>('select version from $.hoosh_schema')
    expect(rows.map(({ version }) => Number(version))).toEqual([VERSIONS.at(-1)])
    const [account] = await database.read<{ held: unknown }>('select held_tokens as held from $.hoosh_accounts')
    expect(Number(account!.held)).toBe(4)
  })
})

const record = (id: string, timestamp: number) =>
  ({ id, timestamp, event: 'host.event', level: 'info', message: 'm', subject: 'ann' }) as const

describe('from the version before', () => {
  it('on SQLite, with staged records in it', async () => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    const { default: Database } = await import('libsql')
    const database = new Database(sqlite.file)
    onTestFinished(() => void database.close())
    for (const text of migrationSql({ to: 1 })) database.exec(text)
    const insert = database.prepare('insert into hoosh_staged (writer, text) values (?, ?)')
    for (const id of ['a', 'b']) insert.run(['n/1', JSON.stringify(record(id, 5))])
    const old = sqlStorage(database)
    await expect(old.open!({ migrate: false })).rejects.toMatchObject({
      message: expect.stringMatching(`version 1, this package at ${VERSIONS.at(-1)}`),
    })
    const { audit } = await sqlite.open()
    expect(await audit.staged({ writer: 'n/1', limit: 5 })).toEqual([record('a', 5), record('b', 5)])
    expect((await audit.query({ subject: 'ann', limit: 5 })).total).toBe(2)
  })

  it.skipIf(!hasPostgres)('on PostgreSQL, by the statements of the files and by the storage', async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const { schema } = postgres
    await postgres.read(`create schema ${schema}`)
    for (const text of migrationSql({ database: 'postgres', schema, to: 1 })) await postgres.read(text)
    const storage = sqlStorage(postgres.pool(), { schema })
    await expect(storage.open!({ migrate: false })).rejects.toMatchObject({
      code: 'not_ready',
      message: expect.stringMatching(`version 1, this package at ${VERSIONS.at(-1)}.*\`migrate: true\`.*migrationSql`),
    })
    for (const text of migrationSql({ database: 'postgres', schema, from: 1 })) await postgres.read(text)
    await storage.open!({ migrate: false })
    await storage.audit.stage('n/1', [record('a', 5)])
    expect((await storage.audit.query({ subject: 'ann', limit: 5 })).total).toBe(1)
  })
})

describe.skipIf(!hasPostgres)('a schema on PostgreSQL that does not fit', () => {
  it('an empty one is not touched without `migrate`, and a newer one is served by nobody older', async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const { schema } = postgres
    const storage = sqlStorage(postgres.pool(), { schema })
    await expect(storage.open!({ migrate: false })).rejects.toMatchObject({
      code: 'not_ready',
      message: expect.stringMatching(/no tables of hoosh/),
    })
    expect(await postgres.read(`select 1 from pg_namespace where nspname = '${schema}'`)).toEqual([])
    await storage.migrate()
    await postgres.read('update $.hoosh_schema set version = 99')
    for (const migrate of [true, false]) {
      await expect(storage.open!({ migrate })).rejects.toMatchObject({
        code: 'not_ready',
        message: expect.stringMatching(/version 99.*Update @hoosh\/sql/),
      })
    }
  })

  it('is not migrated while somebody else has its tables for long, and calls get their turn meanwhile', async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const { budgets } = await postgres.open({ silenceMs: 200 })
    await postgres.read('update $.hoosh_schema set version = 5')
    const reader = await postgres.pool().connect()
    await reader.query('begin')
    await reader.query(`select count(*) from ${postgres.schema}.hoosh_pools`)
    let isOver = false
    const migrating = expect(sqlStorage(postgres.pool(), { schema: postgres.schema }).migrate())
      .rejects.toMatchObject({ code: 'not_ready', message: expect.stringMatching(/in use.*Nothing was changed/) })
      .finally(() => {
        isOver = true
      })
    const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
    let called = 0
    for (; !isOver; called += 1) {
      await budgets.define('team:red', { ...terms, capacity: { tokens: called } })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await migrating
    expect(called).toBeGreaterThan(3)
    await reader.query('commit')
    reader.release()
  })

  it.each(['user', 'order'])('one may have a name that is a word of SQL: %s', async (schema) => {
    // A database of its own, since nobody else could have that schema beside it.
    const postgres = postgresSchema()
    const database = `${postgres.schema}_words`
    await postgres.pool().query(`create database ${database}`)
    const pool = postgresPool({ database })
    onTestFinished(async () => {
      await pool.end()
      await postgres.read(`drop database ${database}`)
      await postgres.remove()
    })
    const storage = sqlStorage(pool, { schema })
    await storage.open!({ migrate: true })
    const terms = { capacity: { tokens: 5 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
    await storage.budgets.define('team:red', terms)
    expect((await diagnose(storage)).findings).toEqual([])
    await pool.query(`update "${schema}".hoosh_schema set version = 1`)
    await expect(storage.open!({ migrate: false })).rejects.toThrow(`--schema ${schema}`)
  })

  it('a name that no schema can have is refused at once, and SQLite has none', () => {
    const pool = postgresSchema().pool()
    expect(() => sqlStorage(pool, { schema: 'a"; drop schema b; --' })).toThrow(/schema/)
    expect(() => sqlStorage({ prepare: () => ({}) as never }, { schema: 'own' })).toThrow(/prefix/)
    expect(() => sqlStorage(pool, { silenceMs: 1 })).toThrow(/silenceMs/)
  })
})
