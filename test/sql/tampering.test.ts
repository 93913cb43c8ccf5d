import { randomUUID } from 'node:crypto'
import { sqlStorage } from '@hoosh/sql'
import fc from 'fast-check'
import Database from 'libsql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuditLog } from '../../packages/core/src/audit/log.js'
import { sqliteFile } from '../support/sqlite.js'
import { appendLinked } from './long-log.js'

const KEY = 'a secret of this test'
const ENTRIES = 300
const TEXTS = ['writer', 'previous_hash', 'hash', 'signature', 'text', 'id', 'event', 'model', 'subject'] as const
const NUMBERS = ['seq', 'epoch', 'at'] as const
const { HOOSH_LONG, HOOSH_SEED } = process.env

/** A failure prints its seed; with that in HOOSH_SEED it comes again. */
const runs = {
  numRuns: HOOSH_LONG === undefined ? 12 : 240,
  ...(HOOSH_SEED !== undefined && { seed: Number(HOOSH_SEED) }),
}

describe('a byte that was flipped in the table of the log', () => {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  const storage = sqlStorage(database)
  const clock = () => 1_700_000_000_000
  beforeAll(async () => {
    await storage.open!({ migrate: true })
    appendLinked(database, KEY, ENTRIES)
  })
  afterAll(async () => {
    database.close()
    await sqlite.remove()
  })

  const run = (text: string, ...values: unknown[]) => database.prepare(text).run(values)
  const read = (text: string, ...values: unknown[]) => Object.values(database.prepare(text).all(values)[0] as object)[0]

  /** False where the database itself would not have it: two entries of one id, or of one number. */
  const written = (text: string, ...values: unknown[]) => {
    try {
      run(text, ...values)
      return true
    } catch (error) {
      if ((error as { code?: string }).code === 'SQLITE_CONSTRAINT_UNIQUE') return false
      throw error
    }
  }

  /** The log as another process reads it. */
  const reader = () =>
    createAuditLog({ store: storage.audit, key: KEY, node: 'reader', clock, ids: randomUUID, mode: 'buffered' })

  /** What a process says of the log as it is now, after one scrub. */
  const verdict = async () => {
    const log = reader()
    await log.scrub()
    return log.status().chain_valid
  }

  it.each(TEXTS)('of %s is found by one scrub', { timeout: 600_000 }, async (column) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: ENTRIES }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (seq, place, flip) => {
          const bytes = Buffer.from(
            read(`select cast(${column} as blob) from hoosh_audit where seq = ?`, seq) as ArrayBuffer,
          )
          bytes[place % bytes.length]! ^= flip
          database.exec('begin')
          try {
            fc.pre(written(`update hoosh_audit set ${column} = cast(? as text) where seq = ?`, bytes, seq))
            expect(await verdict()).toBe(false)
          } finally {
            database.exec('rollback')
          }
        },
      ),
      runs,
    )
  })

  it.each(NUMBERS)('of %s is found by one scrub', { timeout: 600_000 }, async (column) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: ENTRIES }), fc.nat(40), async (seq, bit) => {
        const value =
          BigInt(read(`select ${column} from hoosh_audit where seq = ?`, seq) as number) ^ (1n << BigInt(bit))
        database.exec('begin')
        try {
          fc.pre(written(`update hoosh_audit set ${column} = ? where seq = ?`, Number(value), seq))
          expect(await verdict()).toBe(false)
        } finally {
          database.exec('rollback')
        }
      }),
      runs,
    )
  })

  it('of what a writer’s head says is found as well, and so is a row more, a row less and an emptied log', async () => {
    const changes = [
      `update hoosh_writers set seq = seq - 1`,
      `update hoosh_writers set seq = seq + 1`,
      `update hoosh_writers set hash = replace(hash, substr(hash, 1, 1), 'x')`,
      `update hoosh_writers set writer = 'node/2'`,
      `delete from hoosh_audit where seq = ${ENTRIES}`,
      `delete from hoosh_audit where seq = 17`,
      `delete from hoosh_audit`,
      `update hoosh_audit set seq = -seq where seq in (20, 21)`,
      `insert into hoosh_audit select writer, seq + 1, epoch, previous_hash, hash, signature, text, at, id || 'x', event, model, subject
        from hoosh_audit where seq = ${ENTRIES}`,
    ]
    for (const change of changes) {
      database.exec('begin')
      run(change)
      expect([change, await verdict()]).toEqual([change, false])
      database.exec('rollback')
    }
  })

  it('is found by a process that had verified the log before', async () => {
    const log = reader()
    await log.scrub()
    expect(log.status()).toMatchObject({ chain_valid: true, verified_through: { 'node/1': ENTRIES } })
    database.exec('begin')
    run(`update hoosh_audit set text = replace(text, 'ok', 'no') where seq = 123`)
    await log.scrub()
    database.exec('rollback')
    expect(log.status().chain_valid).toBe(false)
    await log.scrub()
    expect(log.status().chain_valid).toBe(false)
  })

  it('was in none: the log verifies', async () => {
    expect(await verdict()).toBe(true)
  })

  it('does not keep the page that it is on from being read', async () => {
    database.exec('begin')
    run(`update hoosh_audit set text = cast(x'ff7b' as text), event = cast(x'c3' as text) where seq = ${ENTRIES - 3}`)
    const { entries } = await storage.audit.query({ limit: 10 })
    database.exec('rollback')
    expect(entries.map(({ damaged }) => damaged !== undefined)).toEqual(
      Array.from({ length: 10 }, (_, index) => index === 3),
    )
  })
})
