import { type HostDatabase, type SqlStorageOptions, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { Client, Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { kyselyOn } from '../../packages/sql/src/sqlite-database.js'

const faults = (says: RegExp) =>
  expect.objectContaining({ name: 'HooshError', code: 'invalid_options', message: expect.stringMatching(says) })

const database = new Database(':memory:')

describe('sqlStorage', () => {
  it.each<[string, unknown, RegExp]>([
    ['an address of Postgres', 'postgres://localhost/app', /`new Pool\(\{ connectionString \}\)`.*a text/],
    ['the path of a file', './app.sqlite', /`new Database\(path\)`.*a text/],
    ['an URL', new URL('postgres://localhost/app'), /`new Pool\(\{ connectionString \}\)`/],
    ['nothing', undefined, /undefined/],
    ['null', null, /null/],
    ['a class', Pool, /a function/],
    ['an options object', { connectionString: 'x' }, /`new Pool/],
    ['Kysely itself', kyselyOn(database), /`sqlStorage\(\{ kysely \}\)`/],
    ['a Kysely that is none', { kysely: {} }, /`kysely` has to be an instance of Kysely/],
    ['one connection of pg', new Client(), /a Pool of pg, not a Client/],
  ])('takes no %s, and says what to give', (_what, given, says) => {
    expect(() => sqlStorage(given as HostDatabase)).toThrow(faults(says))
  })

  it('never repeats an address, which has a password in it', () => {
    expect(() => sqlStorage('postgres://app:hunter2@db/app' as never)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    )
  })

  it.each<[string, unknown, RegExp]>([
    ['no object', 'hoosh', /options.*an object/],
    ['null', null, /options.*an object/],
    ['a durability that is none', { durability: 'power' }, /`durability`.*normal.*full/],
    ['days alone as retention', { retention: 30 }, /`retention`.*\{ usageDays/],
    ['a name with a slip', { prefx: 'ai_' }, /sqlStorage has no option "prefx"; did you mean "prefix"\?/],
    ['a name of another library', { schemaName: 'ai' }, /no option "schemaName"; it knows prefix, schema, durability/],
    ['a slip in the retention', { retention: { usageDay: 30 } }, /retention has no option "usageDay".*"usageDays"\?/],
  ])('takes no options that are %s', (_what, options, says) => {
    expect(() => sqlStorage(database, options as SqlStorageOptions)).toThrow(faults(says))
  })

  it('takes a pool, a database object and Kysely, open or not', () => {
    for (const given of [new Pool(), database, { kysely: kyselyOn(database) }]) {
      expect(sqlStorage(given).describe).toMatch(/postgres|sqlite/)
    }
  })
})
