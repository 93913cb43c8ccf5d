import { generateKeyPairSync } from 'node:crypto'
import { type AuditStore, diagnose } from '@hoosh/core/storage'
import { type SqlStorage, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkpointLines } from '../../packages/core/src/audit/export.js'
import { logOn, recordOf } from '../core/audit/support.js'
import { DATABASES } from '../support/databases.js'
import { sqliteFile } from '../support/sqlite.js'

const KEY = 'a secret of this test'
const { privateKey: signingKey } = generateKeyPairSync('ed25519')
const signing = { key: KEY, signingKey, checkpointEvery: { entries: 4 } }

type Log = ReturnType<typeof logOn>

const add = async ({ log, time }: Log, count: number) => {
  for (let index = 0; index < count; index += 1) {
    await log.stage(log.record(recordOf('x')))
    time.now += 1_000
  }
  await log.flush()
}

/** A chain of 22 entries that has ended and one that goes on, each with checkpoints. */
async function filled(options: Parameters<typeof logOn>[0] = {}) {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  const storage = sqlStorage(database)
  await storage.open!({ migrate: true })
  const ended = logOn({ ...signing, store: storage.audit, ...options })
  await ended.log.start()
  await add(ended, 20)
  await ended.log.close()
  const open = logOn({ ...signing, store: storage.audit, ...options })
  open.time.now = ended.time.now
  await open.log.start()
  await add(open, 10)
  onTestFinished(async () => {
    await open.log.close()
    database.close()
    await sqlite.remove()
  })
  const run = (text: string, ...values: unknown[]) => void database.prepare(text).run(values)
  const read = (text: string, ...values: unknown[]) => database.prepare(text).all(values)[0] as Record<string, unknown>
  return { storage, store: storage.audit, writer: ended.log.writer, ended, open, run, read }
}

type Filled = Awaited<ReturnType<typeof filled>>

/** What a gateway that starts now says of it, and the doctor. */
const looked = async ({ storage, store }: { storage: SqlStorage; store: AuditStore }) => {
  const { log } = logOn({ ...signing, store })
  const report = await log.verify()
  const { findings } = await diagnose(storage, { auditKey: KEY })
  return { report, log, findings: findings.filter(({ code }) => code === 'audit') }
}

const cutBack = ({ run, read, writer }: Filled, to: number) => {
  const { hash } = read('select hash from hoosh_audit where writer = ? and seq = ?', writer, to)
  run('delete from hoosh_audit where writer = ? and seq > ?', writer, to)
  run('update hoosh_writers set seq = ?, hash = ? where writer = ?', to, hash, writer)
}
const trimTo = ({ run, read, writer }: Filled, to: number) => {
  const { hash } = read('select hash from hoosh_audit where writer = ? and seq = ?', writer, to)
  run('delete from hoosh_audit where writer = ? and seq <= ?', writer, to)
  run('update hoosh_writers set anchor_seq = ?, anchor_hash = ? where writer = ?', to, hash, writer)
}
const newest = ({ read, writer }: Filled) =>
  Number(read('select max(epoch) as e from hoosh_checkpoints where writer = ?', writer).e)

describe('entries that are gone, though a checkpoint of ours signed them', () => {
  it.each<[string, (log: Filled) => void, RegExp]>([
    ['the end of a chain, its head set back', (log) => cutBack(log, 10), /were signed and are missing/],
    [
      'the end of a chain, its head and its epoch set back',
      (log) => {
        cutBack(log, 9)
        log.run('update hoosh_writers set epoch = 3 where writer = ?', log.writer)
      },
      /were signed and are missing/,
    ],
    [
      'a whole chain and its head',
      ({ run, writer }) => {
        run('delete from hoosh_audit where writer = ?', writer)
        run('delete from hoosh_writers where writer = ?', writer)
      },
      /whole chain is missing/,
    ],
    [
      'the end of a chain and the checkpoints of it',
      (log) => {
        cutBack(log, 9)
        log.run('delete from hoosh_checkpoints where writer = ? and seq > 9', log.writer)
      },
      /checkpoint of epoch \d is missing/,
    ],
    [
      'a checkpoint in the middle',
      ({ run, writer }) => run('delete from hoosh_checkpoints where writer = ? and epoch = 2', writer),
      /does not follow/,
    ],
    ['the beginning of a chain, up to a checkpoint', (log) => trimTo(log, 9), /no record says so/],
    ['all of a chain, as if it were archived', (log) => trimTo(log, 22), /no record says so/],
    [
      'the beginning, and a record in the table that nobody linked',
      (log) => {
        trimTo(log, 9)
        const { anchor_hash: hash } = log.read('select anchor_hash from hoosh_writers where writer = ?', log.writer)
        const metadata = { from: 1, hash, seq: 9, writer: log.writer }
        const record = { ...recordOf('forged'), event: 'audit.segment_closed', timestamp: Date.now(), metadata }
        const { timestamp, id, event } = record
        log.run(
          'insert into hoosh_staged (writer, text, at, id, event) values (?, ?, ?, ?, ?)',
          ...['nobody', JSON.stringify(record), timestamp, id, event],
        )
      },
      /no record says so/,
    ],
  ])('%s: verify says so, and so does the doctor', async (_, change, reason) => {
    const log = await filled()
    expect(await looked(log)).toMatchObject({ report: { valid: true, first_bad: null }, findings: [] })
    change(log)
    const { report, log: reader, findings } = await looked(log)
    expect(report).toMatchObject({
      valid: false,
      first_bad: { writer: log.writer, reason: expect.stringMatching(reason) },
    })
    expect(reader.status().chain_valid).toBe(false)
    expect(findings).toMatchObject([{ what: expect.stringMatching(reason) }])
  })

  it('does not take the checkpoints that prove it from who asks for them', async () => {
    const log = await filled()
    const told = async () => {
      let text = ''
      for await (const piece of checkpointLines(log.store, { writer: log.writer })) text += piece
      return text.split('\n').length - 1
    }
    const all = newest(log) + 1
    expect(await told()).toBe(all)
    log.run('update hoosh_writers set epoch = 1 where writer = ?', log.writer)
    expect(await told()).toBe(all)
    log.run('delete from hoosh_writers where writer = ?', log.writer)
    expect(await told()).toBe(all)
  })

  it('is noticed by a gateway that runs, without being asked', async () => {
    const log = await filled()
    cutBack(log, 10)
    const later = logOn({ ...signing, store: log.store })
    await later.log.start()
    onTestFinished(() => later.log.close())
    await expect.poll(() => later.log.status().chain_valid).toBe(false)
  })
})

describe('entries that retention took out', () => {
  it('raise no alarm, not even when the record of it was archived too', async () => {
    const retention = { keepMs: 15_000, segmentEntries: 4, archive: () => {} }
    const log = await filled({ retention })
    const { open, store } = log
    for (let round = 0; round < 6; round += 1) {
      await open.log.archive()
      const { report, findings } = await looked(log)
      expect(report).toMatchObject({ valid: true, first_bad: null, unvouched: [] })
      expect(findings).toEqual([])
      await add(open, 12)
    }
    const heads = await store.heads()
    expect(heads.find(({ writer }) => writer === log.writer)).toMatchObject({ seq: 22, anchor: { seq: 22 } })
    // The first record of the chain that is gone went with its own segment.
    expect(heads.find(({ writer }) => writer === open.log.writer)!.anchor.seq).toBeGreaterThan(40)
  })
})

describe.each(DATABASES)('a log that is signed and archived while it is looked at, on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)('raises no alarm', { timeout: 300_000 }, async () => {
    const database = make()
    const storage = await database.open()
    const retention = { keepMs: 5_000, segmentEntries: 4, archive: () => {} }
    const chain = { ...signing, store: storage.audit, retention }
    const logs = [
      logOn(chain),
      logOn(chain),
      logOn({ ...chain, chain: 'shared' }),
      logOn({ ...chain, chain: 'shared' }),
    ]
    onTestFinished(async () => {
      for (const { log } of logs) await log.close()
      await database.remove()
    })
    for (const { log } of logs) await log.start()
    let isOver = false
    const looking = (async () => {
      for (let looks = 0; !isOver || looks < 3; looks += 1) {
        const { report, findings } = await looked({ storage, store: storage.audit })
        expect([report.first_bad, findings]).toEqual([null, []])
      }
    })()
    for (let round = 0; round < 7; round += 1) {
      await Promise.all(logs.map((one) => add(one, 10)))
      for (const one of logs) one.time.now = Math.max(...logs.map(({ time }) => time.now))
      await Promise.allSettled(logs.map(({ log }) => log.archive()))
    }
    isOver = true
    await looking
    for (const { log } of logs) expect(log.status().chain_valid).toBe(true)
    const anchors = (await storage.audit.heads()).map(({ anchor }) => anchor.seq)
    expect(Math.min(...anchors)).toBeGreaterThan(8)
  })
})
