import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnosis } from '@hoosh/core/storage'
import { migrationSql } from '@hoosh/sql'
import Database from 'libsql'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, postgresPool, schemaName } from '../support/postgres.js'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'
import { HOOSH, hoosh, run } from './hoosh.js'

const noRedis = (await redisMissing()) !== null
const POSTGRES = 'postgres://postgres:kept-to-ourselves@127.0.0.1:5432/postgres'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoosh-database-'))
  return () => rmSync(folder, { recursive: true })
})

/** A database that is empty, how the command is told of it, and somebody who works in it past hoosh. */
const PLACES = [
  {
    name: 'SQLite',
    missing: false,
    make() {
      const file = join(folder, `${schemaName()}.sqlite`)
      const tamper = async (text: string) => {
        const database = new Database(file)
        for (const one of text.split(';\n')) if (one.trim() !== '') database.exec(one.replaceAll('$.', ''))
        database.close()
      }
      return { flags: ['--database', file], tamper }
    },
  },
  {
    name: 'PostgreSQL',
    missing: !hasPostgres,
    make() {
      const schema = schemaName()
      const pool = postgresPool({ max: 1 })
      onTestFinished(async () => {
        await pool.query(`drop schema if exists ${schema} cascade`)
        await pool.end()
      })
      const tamper = async (text: string) => void (await pool.query(text.replaceAll('$.', `${schema}.`)))
      return { flags: ['--database', POSTGRES, '--schema', schema], tamper }
    },
  },
] as const

describe.skipIf(!hasPostgres)('a look at PostgreSQL', () => {
  const made = async () => {
    const { flags, tamper } = PLACES[1].make()
    await hoosh(['migrate', ...flags])
    const [, , , schema = ''] = flags
    const as = (change: (url: URL) => void) => {
      const url = new URL(POSTGRES)
      change(url)
      return hoosh(['doctor', '--database', url.href, '--schema', schema])
    }
    return { tamper, schema, as }
  }

  it('is not broken off by the time that statements of its role may take', { timeout: 60_000 }, async () => {
    const { tamper, as } = await made()
    // Whoever reads it by the setting of the role fails at once, rather than after hours.
    await tamper(`alter table $.hoosh_accounts rename to accounts;
      create view $.hoosh_accounts as select * from $.accounts
        where 1 / (case when current_setting('statement_timeout') = '99s' then 0 else 1 end) = 1`)
    expect(await as((url) => url.searchParams.set('options', '-c statement_timeout=98s'))).toMatchObject({ code: 0 })
    expect(await as((url) => url.searchParams.set('options', '-c statement_timeout=99s'))).toMatchObject({ code: 0 })
  })

  it('that its role may not have is no finding: 69, and what the database said', { timeout: 60_000 }, async () => {
    const { tamper, schema, as } = await made()
    const role = `${schema}_guest`
    await tamper(`create role ${role} login; grant usage on schema ${schema} to ${role}`)
    await tamper(
      `grant select on all tables in schema ${schema} to ${role}; revoke select on $.hoosh_holds from ${role}`,
    )
    onTestFinished(() => tamper(`drop owned by ${role}; drop role ${role}`))
    const guest = () => as((url) => (url.username = role))
    expect(await guest()).toMatchObject({
      code: 69,
      out: '',
      err: expect.stringMatching(/permission denied.*hoosh_holds/),
    })
    await tamper(`grant select on $.hoosh_holds to ${role}`)
    expect(await guest()).toMatchObject({ code: 0 })
  })
})

describe.each(PLACES)('a database on $name', ({ name, missing, make }) => {
  it.skipIf(missing)('is brought up to date by the command, once, and then is sound', { timeout: 60_000 }, async () => {
    const { flags, tamper } = make()
    expect(await hoosh(['doctor', ...flags])).toMatchObject({ code: name === 'SQLite' ? 69 : 1 })
    expect(await hoosh(['migrate', ...flags])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/brought from nothing to version \d+\.\n$/),
    })
    const [again, sound] = await Promise.all([hoosh(['migrate', ...flags]), hoosh(['doctor', ...flags])])
    expect(again).toMatchObject({ code: 0, out: expect.stringMatching(/up to date, at version \d+\.\n$/) })
    expect(sound).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/: sound\nlooked at 0 accounts/) })
    await tamper(
      `insert into $.hoosh_accounts
        (pool, window_start, used_tokens, used_nano_usd, held_tokens, held_nano_usd, last_entry)
        values ('user:ann', 0, 7, 0, 0, 0, 0)`,
    )
    const [told, json] = await Promise.all([hoosh(['doctor', ...flags]), hoosh(['doctor', ...flags, '--json'])])
    expect(told).toMatchObject({
      code: 1,
      out: expect.stringContaining('broken: The pool "user:ann" has used 7 tokens'),
    })
    expect(JSON.parse(json.out) as Diagnosis).toMatchObject({ verdict: 'broken', looked: { accounts: 1 } })
    for (const { out, err } of [again, sound, told, json]) expect(out + err).not.toContain('kept-to-ourselves')
  })

  it.skipIf(missing)(
    'is migrated by what a dry run prints as well, and is not touched by it',
    { timeout: 60_000 },
    async () => {
      const { flags, tamper } = make()
      const printed = await hoosh(['migrate', ...flags, '--dry-run'])
      expect(printed).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^-- From nothing to version \d+\.\n\nbegin;\n/),
      })
      if (name === 'SQLite') expect(readdirSync(folder)).not.toContain(flags[1])
      await tamper(printed.out)
      expect(await hoosh(['migrate', ...flags, '--dry-run'])).toMatchObject({
        out: expect.stringMatching(/^-- Up to date/),
      })
      await tamper(`update $.hoosh_schema set version = 99`)
      expect(await hoosh(['migrate', ...flags])).toMatchObject({
        code: 1,
        err: `The database is at version 99, this package at ${versions()}. Update @hoosh/sql.\n`,
      })
    },
  )
})

/** As many as there are steps. */
const versions = () => Number(/values \(1, (\d+)\)/.exec(migrationSql().at(-1)!)![1])

describe('a command that cannot do what was asked', () => {
  it.each([
    [64, ['migrate'], /^Which database\?/],
    [64, ['migrate', '--database', 'mysql://root@db/x'], /^"mysql:" is no database that is known here/],
    [64, ['doctor', '--database', 'postgres://u:p#@h/x:y'], /%23/],
    [64, ['migrate', '--database', 'redis://localhost'], /^Redis needs no migration/],
    [64, ['doctor', '--database', 'app.sqlite', '--schema', 'x'], /^--schema is for PostgreSQL/],
    [64, ['migrate', '--databse', 'x'], /^Unknown option '--databse'/],
    [64, ['migrat'], /^There is no command "migrat"/],
    [64, ['audit', 'verify', 'nowhere.ndjson'], /^There is no file nowhere\.ndjson\./],
    [64, ['audit', 'verify', 'x', '--checkpoints', 'y'], /^Which key signed these checkpoints\? --public-key/],
    [64, ['audit', 'verify', 'x', '--public-key', 'package.json'], /^There is no Ed25519 public key in package\.json/],
    [69, ['doctor', '--database', 'nowhere.sqlite'], /^There is no file nowhere\.sqlite in /],
    [
      69,
      ['migrate', '--database', 'postgres://a:secret@127.0.0.1:1/x'],
      /^postgres:\/\/a@127\.0\.0\.1:1\/x cannot be reached: .*Is it running/,
    ],
    [
      69,
      ['doctor', '--database', 'redis://127.0.0.1:1'],
      /^redis:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/,
    ],
  ])('exits with %d: hoosh %j', async (code, args, says) => {
    const ended = await hoosh(args)
    expect(ended).toMatchObject({ code, out: '', err: expect.stringMatching(says) })
    expect(ended.err).not.toContain('secret')
  })

  it('says in a folder without the packages what installs them', async () => {
    const ended = await run(process.execPath, [HOOSH, 'migrate', '--database', POSTGRES], folder)
    expect(ended).toMatchObject({
      code: 69,
      err: expect.stringMatching(/@hoosh\/sql is not installed in .*npm install @hoosh\/sql/),
    })
  })
})

const builtIn: unknown = process.getBuiltinModule('node:sqlite')

it.skipIf(builtIn === undefined)(
  `in an app without a driver for SQLite, Node's own does${builtIn === undefined ? ' (skipped: this Node has none)' : ''}`,
  async () => {
    const app = join(folder, 'bare')
    mkdirSync(join(app, 'node_modules', '@hoosh'), { recursive: true })
    const sql = fileURLToPath(new URL('../../packages/sql', import.meta.url))
    symlinkSync(sql, join(app, 'node_modules', '@hoosh', 'sql'))
    const said = (command: string) => run(process.execPath, [HOOSH, command, '--database', 'app.sqlite'], app)
    expect(await said('migrate')).toMatchObject({ code: 0, out: expect.stringContaining('brought from nothing') })
    expect(await said('doctor')).toMatchObject({ code: 0, out: expect.stringContaining('app.sqlite: sound') })
  },
)

// Not better-sqlite3 itself, which needs a compiler or GitHub to install: libsql behind better-sqlite3's check of its options,
// as `lib/database.js` of its version 12.11 has it.
const BETTER_SQLITE3 = `module.exports = class extends require('libsql') {
  constructor(file, options = {}) {
    if ('readOnly' in options) throw new TypeError('Misspelled option "readOnly" should be "readonly"')
    if ('memory' in options) throw new TypeError('Option "memory" was removed in v7.0.0')
    super(file, options)
  }
}`

it('reads a file through a driver that is as strict about its options as better-sqlite3', async () => {
  const app = join(folder, 'strict')
  mkdirSync(join(app, 'node_modules', '@hoosh'), { recursive: true })
  mkdirSync(join(app, 'node_modules', 'better-sqlite3'))
  writeFileSync(join(app, 'node_modules', 'better-sqlite3', 'index.js'), BETTER_SQLITE3)
  for (const [name, path] of [
    ['@hoosh/sql', 'packages/sql'],
    ['libsql', 'node_modules/libsql'],
  ] as const) {
    symlinkSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), join(app, 'node_modules', name))
  }
  const said = (...args: string[]) => run(process.execPath, [HOOSH, ...args, '--database', 'app.sqlite'], app)
  expect(await said('migrate')).toMatchObject({ code: 0, out: expect.stringContaining('brought from nothing') })
  expect(await said('migrate', '--dry-run')).toMatchObject({ code: 0, out: expect.stringMatching(/^-- Up to date/) })
  expect(await said('doctor')).toMatchObject({ code: 0, out: expect.stringContaining('app.sqlite: sound') })
})

describe.skipIf(noRedis)('a ledger in Redis', () => {
  it('is looked at by its prefix, and the settings of the server are told', async () => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    await (await ledger.open()).open({ migrate: false })
    const { code, out, err } = await hoosh(['doctor', '--database', REDIS_URL, '--prefix', ledger.prefix])
    expect(err).toBe('')
    expect([0, 2]).toContain(code)
    expect(out).toContain('looked at 0 accounts')
  })
})
