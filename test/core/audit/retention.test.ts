import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditSegment, fileArchive, verifyAuditLog } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkpointLines, exportOf } from '../../../packages/core/src/audit/export.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { changed, logOn, recordOf } from './support.js'

const KEY = 'a secret of this test'
const { privateKey: signingKey, publicKey } = generateKeyPairSync('ed25519')

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-archive-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
const joined = async (pieces: AsyncIterable<string>) => {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}
const exported = async (store: AuditStore) => joined(await exportOf(store, {}))
const filesIn = (path: string) =>
  readdirSync(path)
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
    .map((name) => readFileSync(join(path, name), 'utf8'))

const add = async ({ log, time }: ReturnType<typeof logOn>, count: number) => {
  for (let index = 0; index < count; index += 1) {
    await log.stage(log.record(recordOf('x')))
    time.now += 1_000
  }
  await log.flush()
}

/** The lines before the first entry that says what was archived. */
const withoutRecords = (text: string) => text.slice(0, text.lastIndexOf('\n', text.indexOf('audit.segment_closed')) + 1)

/** A log with 40 entries, 25 of which are old enough to go. */
const opened = async (
  options: Parameters<typeof logOn>[0] & { archive: (segment: AuditSegment) => void | Promise<void> },
) => {
  const { archive, ...rest } = options
  const at = logOn({ key: KEY, retention: { keepMs: 15_000, segmentEntries: 10, archive }, ...rest })
  onTestFinished(() => at.log.close())
  await at.log.start()
  await add(at, 40)
  await at.log.archive()
  return at
}

describe('old entries', () => {
  it('are archived whole and taken out; archive and export together verify, alone only where somebody vouches', async () => {
    const path = folder()
    const at = await opened({ archive: fileArchive(path) })
    const segments = filesIn(path)
    expect(segments).toHaveLength(2)
    const segment = segments.join('')
    const left = await exported(at.store)
    expect(verifyAuditLog(segment + left, { key: KEY })).toMatchObject({ code: 0, tags: 'checked', entries: 43 })
    // The record of the segment stands in what is left.
    expect(left).toContain('audit.segment_closed')
    expect(verifyAuditLog(left, { key: KEY })).toMatchObject({ code: 0 })
    expect(verifyAuditLog(withoutRecords(left), { key: KEY })).toMatchObject({ code: 2 })
    expect(verifyAuditLog(segment, { key: KEY })).toMatchObject({ code: 0, entries: 20 })
    expect(await at.store.query({ limit: 100 })).toMatchObject({ total: 23 })
    await at.log.scrub()
    expect(at.log.status()).toMatchObject({ chain_valid: true })
  })

  it.each([[false], [true]])(
    'are missed only where nobody vouches for where the chain now begins (signed: %s)',
    async (isSigned) => {
      const signing = isSigned ? { signingKey, checkpointEvery: { entries: 5 } } : {}
      const { log, store } = await opened({ archive: () => {}, ...signing })
      const { writer } = log
      const [archived] = await store.heads()
      expect([archived!.anchor.seq > 0, (await log.verify()).unvouched]).toEqual([true, []])
      // Somebody cuts more off, and says where the rest begins.
      const cutAt = archived!.anchor.seq + 3
      const [entry] = await store.chain(writer, cutAt - 1, 1)
      await store.trim(writer, { seq: cutAt, hash: entry!.integrity!.hash })
      const report = await log.verify()
      expect([report.valid, report.unvouched]).toEqual([true, [{ writer, seq: cutAt }]])
    },
  )

  it('of a chain with checkpoints leave up to one of them', async () => {
    const path = folder()
    const at = await opened({ archive: fileArchive(path), signingKey, checkpointEvery: { entries: 10 } })
    const checkpoints = await joined(checkpointLines(at.store, {}))
    const left = await exported(at.store)
    const anchor = (JSON.parse(left.split('\n')[0]!) as { anchor: { seq: number; hash: string } }).anchor
    expect(checkpoints).toContain(anchor.hash)
    expect(verifyAuditLog(left, { checkpoints, publicKey, key: KEY })).toMatchObject({ code: 0, tags: 'checked' })
    const all = [...filesIn(path), left].join('')
    expect(verifyAuditLog(all, { checkpoints, publicKey, key: KEY })).toMatchObject({
      code: 0,
      writers: [{ first: 1 }],
    })
  })

  it('are looked for with few looks at checkpoints, however many there are, and with none where nothing is left', async () => {
    const inner = memoryAudit()
    let read = 0
    const store = changed(inner, {
      async checkpoints(query) {
        const found = await inner.checkpoints(query)
        read += found.length
        return found
      },
    })
    const at = logOn({
      store,
      signingKey,
      checkpointEvery: { entries: 1 },
      retention: { keepMs: 100_000, segmentEntries: 50, archive: () => {} },
    })
    onTestFinished(() => at.log.close())
    await at.log.start()
    await add(at, 200)
    await at.log.archive()
    expect(await inner.heads()).toMatchObject([{ epoch: 203, anchor: { seq: 100 } }])
    read = 0
    await at.log.archive()
    expect(read).toBeLessThan(20)
  })

  it('stay where the archive fails, and go the next time', async () => {
    let fails = true
    const texts: string[] = []
    const archive = async (segment: AuditSegment) => {
      const text = await joined(segment.text())
      if (fails) throw new Error('no space left')
      texts.push(text)
    }
    const at = logOn({ key: KEY, retention: { keepMs: 15_000, segmentEntries: 10, archive } })
    onTestFinished(() => at.log.close())
    await at.log.start()
    await add(at, 40)
    await expect(at.log.archive()).rejects.toThrow('no space left')
    expect(await at.store.query({ limit: 1 })).toMatchObject({ total: 41 })
    fails = false
    await at.log.archive()
    expect(verifyAuditLog(texts.join('') + (await exported(at.store)), { key: KEY })).toMatchObject({
      code: 0,
      entries: 43,
    })
  })

  it('are archived again where the process ended before they were taken out', async () => {
    const path = folder()
    const inner = memoryAudit()
    let dies = true
    const store = changed(inner, {
      trim: (...asked) => {
        if (dies) throw new Error('killed')
        return inner.trim(...asked)
      },
    })
    const at = logOn({ store, key: KEY, retention: { keepMs: 15_000, segmentEntries: 10, archive: fileArchive(path) } })
    onTestFinished(() => at.log.close())
    await at.log.start()
    await add(at, 40)
    await expect(at.log.archive()).rejects.toThrow('killed')
    // What is in both is no fault.
    const both = filesIn(path).join('') + (await exported(store))
    expect(verifyAuditLog(both, { key: KEY })).toMatchObject({ code: 0, entries: 42 })
    dies = false
    await at.log.archive()
    const text = filesIn(path).join('') + (await exported(store))
    expect(verifyAuditLog(text, { key: KEY })).toMatchObject({ code: 0, entries: 44 })
  })

  it('of eight processes at once are all in the archive, each segment whole', async () => {
    const path = folder()
    const store = memoryAudit()
    const slow = changed(store, {
      chain: async (...asked) => {
        await new Promise((resolve) => setImmediate(resolve))
        return store.chain(...asked)
      },
    })
    const processes = Array.from({ length: 8 }, () =>
      logOn({ store: slow, key: KEY, retention: { keepMs: 15_000, segmentEntries: 10, archive: fileArchive(path) } }),
    )
    onTestFinished(async () => void (await Promise.all(processes.map(({ log }) => log.close()))))
    for (const one of processes) {
      await one.log.start()
      await add(one, 20)
    }
    for (const { time } of processes) time.now += 20_000
    await Promise.allSettled(processes.map(({ log }) => log.archive()))
    const text = filesIn(path).join('') + (await exported(store))
    const verdict = verifyAuditLog(text, { key: KEY })
    expect(verdict).toMatchObject({ code: 0, tags: 'checked' })
    expect(verdict.writers.map(({ first }) => first)).toEqual(Array.from({ length: 8 }, () => 1))
  })

  it('of a chain that has ended go with their seal, and no boot names it any more', async () => {
    const path = folder()
    const store = memoryAudit()
    const ended = logOn({ store, key: KEY })
    await ended.log.start()
    await add(ended, 7)
    await ended.log.close()
    const next = logOn({ store, key: KEY, retention: { keepMs: 15_000, archive: fileArchive(path) } })
    onTestFinished(() => next.log.close())
    await next.log.start()
    next.time.now += 1_000_000
    await add(next, 1)
    await next.log.archive()
    const [segment] = filesIn(path)
    expect(verifyAuditLog(segment!, { key: KEY })).toMatchObject({ code: 0, entries: 9, writers: [{ end: 'sealed' }] })
    expect(verifyAuditLog(await exported(store)).writers).toMatchObject([{ writer: next.log.writer }])
    const later = logOn({ store, key: KEY })
    onTestFinished(() => later.log.close())
    await later.log.start()
    await later.log.flush()
    const [boot] = await store.chain(later.log.writer, 0, 1)
    expect(boot!.record.metadata!.predecessors).toMatchObject([{ writer: next.log.writer }])
  })
})
