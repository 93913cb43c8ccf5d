import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileArchive, fileSink, verifyAuditLog } from '@hoosh/core/audit'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { exportOf } from '../../../packages/core/src/audit/export.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { noSmallDisk, smallDisk } from '../../support/small-disk.js'
import { logOn, recordOf } from './support.js'

const KEY = 'a secret of this test'

const textOf = async (store: AuditStore) => {
  let text = ''
  for await (const piece of await exportOf(store, {})) text += piece
  return text
}

describe.skipIf(noSmallDisk !== null)(`a disk that is full (${noSmallDisk ?? 'a tmpfs'})`, () => {
  it('takes no part of a checkpoint for the whole, and the line once when there is room', async () => {
    const disk = smallDisk(65_536)
    const path = join(disk.path, 'checkpoints.ndjson')
    const lines = ['a', 'b', 'c'].map((name) => JSON.stringify({ [name]: 'x'.repeat(3_000) }))
    await fileSink(path)(lines[0]!)
    disk.fill(0)
    // The first block has room for a third of it.
    await expect(fileSink(path)(lines[1]!)).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(fileSink(path)(lines[1]!)).rejects.toMatchObject({ code: 'ENOSPC' })
    disk.empty()
    for (const line of lines.slice(1)) await fileSink(path)(line)
    const kept = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    expect(kept.filter((line) => lines.includes(line)).length).toBe(3)
    // What was torn stays, since nothing is taken back.
    for (const line of kept) expect(lines.some((whole) => whole.startsWith(line))).toBe(true)
  })

  it('takes no part of a segment for the whole: nothing is taken out before all of it is kept', async () => {
    const disk = smallDisk(262_144)
    const archive = fileArchive(disk.path)
    const { log, store, time } = logOn({ key: KEY, retention: { keepMs: 1, segmentEntries: 100, archive } })
    onTestFinished(() => log.close())
    await log.start()
    for (let index = 0; index < 120; index += 1)
      await log.stage(log.record(recordOf('x', { message: 'y'.repeat(500) })))
    await log.flush()
    time.now += 1_000
    const before = await textOf(store)
    disk.fill(20_000)
    await expect(log.archive()).rejects.toMatchObject({ code: 'ENOSPC' })
    expect([await textOf(store), readdirSync(disk.path)]).toEqual([before, ['filler']])
    const last = { writer: 'w', from: 1, through: 1, name: 'w' }
    const inOnePiece = async function* () {
      yield 'x'.repeat(30_000)
    }
    await expect(archive({ ...last, text: inOnePiece })).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(readdirSync(disk.path)).toEqual(['filler'])
    disk.empty()
    await log.archive()
    const kept = readdirSync(disk.path).map((name) => readFileSync(join(disk.path, name), 'utf8'))
    expect(verifyAuditLog(kept.join('') + (await textOf(store)), { key: KEY })).toMatchObject({ code: 0, entries: 122 })
  })

  it.each(['strict', 'buffered'] as const)(
    'under the storage: `%s` refuses what it cannot keep, and has all that it took',
    async (mode) => {
      const disk = smallDisk(4 * 1024 * 1024)
      const database = new Database(join(disk.path, 'hoosh.sqlite'))
      const storage = sqlStorage(database)
      onTestFinished(async () => {
        await storage.close!()
        database.close()
      })
      await storage.open!({ migrate: true })
      const { log, store } = logOn({ store: storage.audit!, key: KEY, mode, maxQueue: 50 })
      await log.start()
      await log.flush()
      disk.fill(100_000)
      const taken: string[] = []
      const refused: string[] = []
      while (refused.length < 20 && taken.length < 2_000) {
        const record = log.record(recordOf('x', { message: 'y'.repeat(2_000) }))
        try {
          await log.stage(record)
          taken.push(record.id)
        } catch (error) {
          expect(error).toMatchObject({ code: 'store_unavailable', status: 503 })
          refused.push(record.id)
        }
        if (mode === 'buffered' && taken.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      expect(refused).toHaveLength(20)
      disk.empty()
      await log.flush()
      await log.close()
      const text = await textOf(store)
      expect(verifyAuditLog(text, { key: KEY })).toMatchObject({ code: 0, firstBad: null })
      expect(taken.filter((id) => !text.includes(id))).toEqual([])
    },
  )
})
