import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore, StoredEntry } from '../../../packages/core/src/audit/store.js'
import { deferred } from '../../support/deferred.js'
import { changed, edited, logOn, NOW } from './support.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const event = (name: string, fields: object = {}) => ({ event: name, level: 'info' as const, message: name, ...fields })

async function eventsOf(store: AuditStore, writer: string): Promise<string[]> {
  return (await store.chain(writer, 0, 100_000)).map(({ record }) => record.event)
}

/** Until everything that runs without a timer has run. */
const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('the log', () => {
  it('begins with audit.boot, ends with audit.seal, and has in between what was staged, in order', async () => {
    const { log, store } = logOn({ key: 'secret' })
    await log.start()
    for (const name of ['a', 'b', 'c']) log.stage(log.record(event(name)))
    await log.close()
    expect(await eventsOf(store, log.writer)).toEqual(['audit.boot', 'a', 'b', 'c', 'audit.seal'])
    const [boot] = await store.chain(log.writer, 0, 1)
    expect(boot!.record.metadata).toEqual({ signed: true, node: 'node', predecessors: [] })
    await log.scrub()
    expect(log.status()).toEqual({
      chain_valid: true,
      verified_through: { [log.writer]: 5 },
      verified_at: NOW,
      signed: true,
    })
  })

  it('shows a record at once as staged, and within milliseconds with its place in the chain', async () => {
    const { log } = logOn()
    await log.start()
    await log.flush()
    const record = log.record(event('a', { subject: 'ann' }))
    expect(log.stage(record)).toBeUndefined()
    expect(await log.query({ limit: 10, subject: 'ann' })).toEqual({
      entries: [{ ...record, staged: true }],
      total: 1,
      next_cursor: null,
    })
    await vi.advanceTimersByTimeAsync(5)
    await settled()
    const { entries } = await log.query({ limit: 10, subject: 'ann' })
    expect(entries).toMatchObject([{ id: record.id, integrity: { seq: 2, writer: log.writer, signature: '' } }])
    expect(entries[0]).not.toHaveProperty('staged')
    await log.close()
  })

  it('pages newest first and shows each page oldest first', async () => {
    const { log } = logOn()
    await log.start()
    for (let index = 0; index < 25; index += 1) log.stage(log.record(event(`e${index}`)))
    await log.flush()
    const pages: string[][] = []
    let cursor: string | null = null
    do {
      const page = await log.query({ limit: 10, ...(cursor !== null && { cursor }) })
      expect(page.total).toBe(26)
      pages.push(page.entries.map((entry) => entry.event))
      cursor = page.next_cursor
    } while (cursor !== null)
    expect(pages.map((page) => page.length)).toEqual([10, 10, 6])
    expect(pages[0]!.slice(-2)).toEqual(['e23', 'e24'])
    expect(pages.toReversed().flat()).toEqual(['audit.boot', ...Array.from({ length: 25 }, (_, index) => `e${index}`)])
    await log.close()
  })

  it('never walks the chain to answer a reader: one query, whatever its length', async () => {
    const inner = memoryAudit()
    const { log } = logOn({ store: inner })
    await log.start()
    for (let index = 0; index < 2_000; index += 1) log.stage(log.record(event('e')))
    await log.flush()
    const asked: string[] = []
    const counting = Object.fromEntries(
      Object.entries(inner).map(([name, method]) => [
        name,
        (...args: never[]) => {
          asked.push(name)
          return (method as (...args: never[]) => unknown)(...args)
        },
      ]),
    ) as unknown as AuditStore
    const reader = logOn({ store: counting }).log
    await reader.query({ limit: 10 })
    reader.status()
    expect(asked).toEqual(['query'])
    await log.close()
  })

  it('refuses details that cannot be written, before anything is stored', async () => {
    const { log, store } = logOn()
    expect(() => log.record(event('a', { metadata: { cost: 0.25 } }))).toThrow(
      expect.objectContaining({ code: 'invalid_audit_details', details: { param: 'metadata.cost' } }),
    )
    expect(await store.query({ limit: 1 })).toEqual({ entries: [], total: 0 })
  })

  it('finds a changed old entry in the background and says so in its status', async () => {
    const inner = memoryAudit()
    let isTampered = false
    const forged = edited(inner, (entries: StoredEntry[]) =>
      entries.map((one) => (one.integrity!.seq === 2 ? { ...one, record: { ...one.record, subject: 'eve' } } : one)),
    )
    const store = changed(inner, { chain: (...asked) => (isTampered ? forged : inner).chain(...asked) })
    const { log } = logOn({ store })
    await log.start()
    log.stage(log.record(event('a', { subject: 'ann' })))
    await log.flush()
    await vi.advanceTimersByTimeAsync(1_000)
    await settled()
    expect(log.status()).toMatchObject({ chain_valid: true, verified_through: { [log.writer]: 2 } })
    isTampered = true
    for (let round = 0; round < 16; round += 1) {
      await vi.advanceTimersByTimeAsync(250)
      await settled()
    }
    expect(log.status().chain_valid).toBe(false)
    await log.close()
  })
})

describe('a boot', () => {
  it('names the heads of its node that have neither seal nor successor', async () => {
    const store = memoryAudit()
    const crashed = logOn({ store }).log
    await crashed.start()
    await crashed.flush()
    const sealed = logOn({ store }).log
    await sealed.start()
    await sealed.close()
    const elsewhere = logOn({ store, node: 'other' }).log
    await elsewhere.start()
    await elsewhere.flush()
    const next = logOn({ store }).log
    await next.start()
    await next.flush()
    const bootOf = async (writer: string) => (await store.chain(writer, 0, 1))[0]!.record.metadata
    const heads = await store.heads()
    const headOf = (writer: string) => heads.find((head) => head.writer === writer)!
    const named = [{ writer: crashed.writer, seq: 1, hash: headOf(crashed.writer).hash }]
    expect(await bootOf(sealed.writer)).toMatchObject({ predecessors: named })
    expect(await bootOf(elsewhere.writer)).toMatchObject({ predecessors: [] })
    expect(await bootOf(next.writer)).toEqual({ signed: false, node: 'node', predecessors: [] })
  })

  it('links what a dead process left staged, and follows its chain', async () => {
    const store = memoryAudit()
    const dead = logOn({ store })
    await dead.log.start()
    await dead.log.flush()
    await store.stage(dead.log.writer, [dead.log.record(event('left'))])
    const { log, time } = logOn({ store })
    time.now = NOW + 1
    await log.start()
    await vi.waitFor(async () => expect(await eventsOf(store, log.writer)).toEqual(['audit.boot', 'left']))
    await log.scrub()
    expect(log.status()).toMatchObject({
      chain_valid: true,
      verified_through: { [dead.log.writer]: 1, [log.writer]: 2 },
    })
    await log.close()
  })

  it('rejects where the store does not answer', async () => {
    const store = changed(memoryAudit(), { heads: () => Promise.reject(new Error('down')) })
    await expect(logOn({ store }).log.start()).rejects.toThrow('down')
  })
})

describe('mode strict', () => {
  it('refuses what the store does not take, and what waits for the store is not linked before it is staged', async () => {
    const inner = memoryAudit()
    const gate = deferred()
    let fails = false
    let waits = false
    const store = changed(inner, {
      stage: async (writer, records) => {
        if (fails) throw new Error('read-only')
        if (waits) await gate.promise
        return inner.stage(writer, records)
      },
    })
    const { log } = logOn({ store })
    await log.start()
    fails = true
    await expect(log.stage(log.record(event('a')))).rejects.toMatchObject({ code: 'store_unavailable' })
    fails = false
    waits = true
    const staging = log.stage(log.record(event('b')))
    await log.flush()
    expect(await eventsOf(inner, log.writer)).toEqual(['audit.boot'])
    gate.resolve()
    await staging
    await log.close()
    expect(await eventsOf(inner, log.writer)).toEqual(['audit.boot', 'b', 'audit.seal'])
  })

  it('a store that throws at once refuses in the same way', () => {
    const store = changed(memoryAudit(), {
      stage: () => {
        throw new Error('full')
      },
    })
    const { log } = logOn({ store })
    expect(() => log.stage(log.record(event('a')))).toThrow(expect.objectContaining({ code: 'store_unavailable' }))
  })

  it('a record that the budget store has staged itself is linked when it is told of', async () => {
    const { log, store } = logOn()
    await log.start()
    const record = log.record(event('intent'))
    await store.stage('whoever', [record])
    log.staged(record)
    await log.flush()
    expect(await eventsOf(store, log.writer)).toEqual(['audit.boot', 'intent'])
    await log.close()
  })
})

describe('mode buffered', () => {
  it('keeps as many records as the queue holds while the store is down, then refuses; none is lost', async () => {
    const inner = memoryAudit()
    let isDown = false
    const store = changed(inner, {
      stage: () => Promise.reject(new Error('down')),
      link: async (...asked) => {
        if (isDown) throw new Error('down')
        return inner.link(...asked)
      },
    })
    const { log } = logOn({ store, mode: 'buffered', maxQueue: 5 })
    await log.start()
    await log.flush()
    isDown = true
    for (const name of ['a', 'b', 'c', 'd', 'e']) expect(log.stage(log.record(event(name)))).toBeUndefined()
    expect(() => log.stage(log.record(event('f')))).toThrow(
      expect.objectContaining({ code: 'store_unavailable', status: 503 }),
    )
    await vi.advanceTimersByTimeAsync(100)
    await settled()
    isDown = false
    const flushed = log.flush()
    await vi.advanceTimersByTimeAsync(10_000)
    await flushed
    await log.close()
    expect(await eventsOf(inner, log.writer)).toEqual(['audit.boot', 'a', 'b', 'c', 'd', 'e', 'audit.seal'])
  })
})

describe('refusals and failed authentication', () => {
  it('are recorded at once up to their share, the rest at the end of the minute or of the log', async () => {
    const { log, store, time } = logOn()
    await log.start()
    for (let call = 0; call < 12; call += 1)
      log.refused({ message: 'No.', subject: 'ann', metadata: { code: 'budget_exceeded' } })
    for (let call = 0; call < 5; call += 1) log.authFailed({ requestId: `r${call}`, path: '/v1/models' })
    expect(await log.query({ limit: 100, event: 'inference.refused' })).toMatchObject({ total: 10 })
    expect((await log.query({ limit: 100, event: 'auth.failed' })).entries).toMatchObject([{ metadata: { count: 1 } }])
    time.now += 60_000
    await vi.advanceTimersByTimeAsync(250)
    const { entries } = await log.query({ limit: 1, event: 'auth.failed' })
    expect(entries).toMatchObject([{ requestId: 'r4', metadata: { count: 4, path: '/v1/models' } }])
    log.authFailed()
    await log.close()
    const all = (await store.query({ limit: 100 })).entries.map(({ record }) => [record.event, record.metadata?.count])
    expect(all.filter(([name]) => name === 'auth.failed')).toEqual([
      ['auth.failed', 1],
      ['auth.failed', 4],
      ['auth.failed', 1],
    ])
    expect(all.filter(([name, count]) => name === 'inference.refused' && count === 2)).toHaveLength(1)
    expect(all[0]).toEqual(['audit.seal', undefined])
  })

  it('never throw: what was sent may be unrecordable, the store may be down', async () => {
    const inner = memoryAudit()
    let isDown = false
    const stage: AuditStore['stage'] = (...asked) =>
      isDown ? Promise.reject(new Error('down')) : inner.stage(...asked)
    const { log } = logOn({ store: changed(inner, { stage }) })
    await log.start()
    isDown = true
    log.refused({ message: 'No.', subject: 'ann', model: '\ud800' })
    log.authFailed({ path: '\udfff' })
    await settled()
    await log.flush()
    const refused = await log.query({ limit: 10, event: 'inference.refused' })
    expect(refused.entries).toMatchObject([{ subject: 'ann', level: 'warn' }])
    expect((await log.query({ limit: 10, event: 'auth.failed' })).total).toBe(1)
    await log.close()
  })
})

describe('the end', () => {
  it('waits for a slow store, and then says what it could not link', async () => {
    const inner = memoryAudit()
    let isDown = false
    const store = changed(inner, {
      link: async (...asked) => {
        if (isDown) throw new Error('down')
        return inner.link(...asked)
      },
    })
    const { log } = logOn({ store })
    await log.start()
    await log.flush()
    isDown = true
    log.stage(log.record(event('a')))
    const closing = expect(log.close({ timeoutMs: 3_000 })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: '2 audit records could not be linked before the end.',
    })
    await vi.advanceTimersByTimeAsync(3_000)
    await closing
    expect(await inner.staged({ limit: 10 })).toMatchObject([{ event: 'a' }])
  })

  it('takes nothing more, and a second close is nothing', async () => {
    const { log, store } = logOn()
    await log.start()
    await log.close()
    const record = log.record(event('late'))
    expect(() => log.stage(record)).toThrow(expect.objectContaining({ code: 'shutting_down' }))
    log.staged(record)
    await log.close()
    expect(await eventsOf(store, log.writer)).toEqual(['audit.boot', 'audit.seal'])
  })

  it('leaves no timer behind', async () => {
    const { log } = logOn()
    await log.start()
    await log.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
