import type { AuditStore } from '@hoosh/core/storage'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createChecks } from '../../packages/core/src/audit/checks.js'
import { memoryAudit } from '../../packages/core/src/audit/memory-store.js'
import { changed, logOn, NOW, recordOf } from '../core/audit/support.js'
import { sqliteFile } from '../support/sqlite.js'

const KEY = 'a secret of this test'

const stores: [name: string, open: () => Promise<AuditStore>][] = [
  ['memory', async () => ({ ...memoryAudit(), evicts: false })],
  [
    'SQLite',
    async () => {
      const sqlite = sqliteFile()
      const database = new Database(sqlite.file)
      onTestFinished(async () => {
        database.close()
        await sqlite.remove()
      })
      const storage = sqlStorage(database)
      await storage.open!({ migrate: true })
      return storage.audit
    },
  ],
]

/** A log of 30 entries, 20 of which may go; and what was wrong each time that something was taken out. */
async function filled(inner: AuditStore, archive: (log: ReturnType<typeof logOn>['log']) => void, maxQueue: number) {
  const faults: unknown[] = []
  const store = changed(inner, {
    async trim(writer, through) {
      const isTrimmed = await inner.trim(writer, through)
      const checks = createChecks({ store: inner, key: KEY, clock: () => NOW })
      await checks.compare()
      if (checks.firstBad !== null) faults.push(checks.firstBad)
      return isTrimmed
    },
  })
  const retention = { keepMs: 10_000, segmentEntries: 10, archive: () => archive(at.log) }
  const at = logOn({ store, key: KEY, maxQueue, retention })
  await at.log.start()
  for (let index = 0; index < 30; index += 1) {
    await at.log.stage(at.log.record(recordOf('x')))
    await at.log.flush()
    at.time.now += 1_000
  }
  return { ...at, faults }
}

describe.each(stores)('what is taken out of %s', (_, open) => {
  it('was recorded in the chain before, though more records wait than memory takes', async () => {
    const inner = await open()
    const { log, faults } = await filled(
      inner,
      (to) => {
        for (let index = 0; index < 20; index += 1) void to.stage(to.record(recordOf('more')))
      },
      10,
    )
    onTestFinished(() => log.close())
    await log.archive()
    const [head] = await inner.heads()
    expect([head!.anchor.seq, faults]).toEqual([20, []])
  })

  it('was recorded in the chain before, or nothing is, where the log is closed meanwhile', async () => {
    const inner = await open()
    const closing: Promise<void>[] = []
    const late = changed(inner, {
      async stage(writer, records) {
        await inner.stage(writer, records)
        if (records.some(({ event }) => event === 'audit.segment_closed')) closing.push(closeNow())
      },
    })
    const { log, faults } = await filled(late, () => {}, 10_000)
    const closeNow = () => log.close()
    await expect(log.archive()).rejects.toMatchObject({ code: 'shutting_down' })
    await Promise.all(closing)
    const [head] = await inner.heads()
    expect([closing.length, head!.anchor.seq, faults]).toEqual([1, 0, []])
  })
})
