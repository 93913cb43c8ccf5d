import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AppenderOptions, createAppender } from '../../../packages/core/src/audit/appender.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore, LinkedRecord } from '../../../packages/core/src/audit/store.js'
import { deferred } from '../../support/deferred.js'
import { changed, linkInto, NOW, recordOf } from './support.js'

const WRITER = 'n/1'
const first = recordOf('boot', { event: 'audit.boot' })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const appenderOn = (store: AuditStore, options: Partial<AppenderOptions> = {}) =>
  createAppender({ store, writer: WRITER, key: null, clock: () => NOW, maxQueue: 10_000, ...options })

const idsOf = async (store: AuditStore, writer = WRITER) =>
  (await store.chain(writer, 0, 100_000)).map(({ record }) => record.id)

const ids = (count: number, prefix = 'r') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** Lets promises and immediates that are under way settle. */
const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

describe('the appender', () => {
  it('links what it is given in order, the first record before what waited already', async () => {
    const store = memoryAudit()
    const appender = appenderOn(store)
    appender.take(recordOf('early'))
    appender.start(first)
    for (const id of ids(1_000)) appender.take(recordOf(id))
    await appender.flush()
    expect(await idsOf(store)).toEqual(['boot', 'early', ...ids(1_000)])
    expect(appender.waiting).toBe(0)
  })

  it('does nothing before it is started, and then waits a few milliseconds for company', async () => {
    const batches: number[] = []
    const inner = memoryAudit()
    const store = changed(inner, {
      link: (writer, after, entries) => {
        batches.push(entries.length)
        return inner.link(writer, after, entries)
      },
    })
    const appender = appenderOn(store)
    appender.take(recordOf('a'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(batches).toEqual([])
    appender.start(first)
    for (const id of ids(300)) appender.take(recordOf(id))
    await vi.advanceTimersByTimeAsync(1)
    await settled()
    await vi.advanceTimersByTimeAsync(50)
    await settled()
    expect(batches).toEqual([256, 46])
  })

  it('has one batch in flight, and records that come meanwhile are the next', async () => {
    const inner = memoryAudit()
    const gates = [deferred(), deferred()]
    let [inFlight, most, call] = [0, 0, 0]
    const store = changed(inner, {
      link: async (writer, after, entries) => {
        inFlight += 1
        most = Math.max(most, inFlight)
        await gates[call++]?.promise
        inFlight -= 1
        return inner.link(writer, after, entries)
      },
    })
    const appender = appenderOn(store)
    appender.start(first)
    const flushed = appender.flush()
    appender.take(recordOf('a'))
    const both = appender.flush()
    gates[0]!.resolve()
    await flushed
    expect(await idsOf(inner)).toEqual(['boot'])
    gates[1]!.resolve()
    await both
    expect(await idsOf(inner)).toEqual(['boot', 'a'])
    expect(most).toBe(1)
  })

  it('a store that fails is asked again, later each time, and nothing is lost or linked twice', async () => {
    const inner = memoryAudit()
    let failures = 6
    const store = changed(inner, {
      link: async (writer, after, entries) => {
        if (failures-- > 0) throw new Error('disk full')
        return inner.link(writer, after, entries)
      },
    })
    const errors: object[] = []
    const logger = { debug() {}, info() {}, warn() {}, error: (details: object) => void errors.push(details) }
    const appender = appenderOn(store, { logger })
    appender.start(first)
    const flushed = appender.flush()
    for (const id of ids(10)) appender.take(recordOf(id))
    const waits = [100, 200, 400, 800, 1_600, 3_200]
    await settled()
    for (const [index, wait] of waits.entries()) {
      expect(appender.failures).toBe(index + 1)
      await vi.advanceTimersByTimeAsync(wait - 1)
      await settled()
      expect(appender.failures).toBe(index + 1)
      await vi.advanceTimersByTimeAsync(1)
      await settled()
    }
    await flushed
    await appender.flush()
    expect(await idsOf(inner)).toEqual(['boot', ...ids(10)])
    expect(errors.at(-1)).toMatchObject({ writer: WRITER, attempt: 6 })
  })

  it('a commit whose answer was lost is recognised: its entries are there once', async () => {
    const inner = memoryAudit()
    let losesAnswer = true
    const store = changed(inner, {
      link: async (writer, after, entries) => {
        const linked = await inner.link(writer, after, entries)
        if (!losesAnswer) return linked
        losesAnswer = false
        throw new Error('connection reset')
      },
    })
    const appender = appenderOn(store)
    appender.start(first)
    appender.take(recordOf('a'))
    const flushed = appender.flush()
    await settled()
    for (const id of ids(500)) appender.take(recordOf(id))
    await vi.advanceTimersByTimeAsync(100)
    await settled()
    await flushed
    await appender.flush()
    expect(await idsOf(inner)).toEqual(['boot', 'a', ...ids(500)])
  })

  it('records that another process has linked are left out, wherever they stand in the batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 0, max: 299 }), { maxLength: 20 }), async (stolen) => {
        const store = memoryAudit()
        const appender = appenderOn(store)
        const names = ids(300)
        await store.stage(
          WRITER,
          names.map((id) => recordOf(id)),
        )
        for (const id of names) appender.note(recordOf(id))
        linkInto(
          store,
          'n/other',
          undefined,
          stolen.map((index) => recordOf(names[index]!)),
        )
        appender.start(first)
        await appender.flush()
        expect(await idsOf(store)).toEqual(['boot', ...names.filter((_, index) => !stolen.includes(index))])
        expect(await store.staged({ limit: 10 })).toEqual([])
        appender.stop()
      }),
      { numRuns: 50 },
    )
  })

  it('goes on from the head that is there if somebody moved it, and says so', async () => {
    const store = memoryAudit()
    const errors: string[] = []
    const logger = {
      debug() {},
      info() {},
      warn() {},
      error: (_: object, message: string) => void errors.push(message),
    }
    const appender = appenderOn(store, { logger })
    appender.start(first)
    await appender.flush()
    linkInto(store, WRITER, undefined, [recordOf('intruder')])
    appender.take(recordOf('a'))
    await appender.flush()
    expect(await idsOf(store)).toEqual(['boot', 'intruder', 'a'])
    expect(errors).toEqual(['audit chain moved under its writer'])
  })
})

describe('what dead processes left staged', () => {
  it('is linked after the first record, page by page, in its order', async () => {
    const store = memoryAudit()
    const left = ids(1_000, 'left')
    await store.stage(
      'n/dead',
      left.map((id) => recordOf(id, { timestamp: NOW - 1 })),
    )
    const appender = appenderOn(store)
    appender.start(first)
    await vi.waitFor(async () => expect(await idsOf(store)).toHaveLength(1_001))
    expect(await idsOf(store)).toEqual(['boot', ...left])
  })

  it('is looked for again later: a commit nobody heard of ends up in the chain', async () => {
    const store = memoryAudit()
    const appender = appenderOn(store)
    appender.start(first)
    await appender.flush()
    await settled()
    await store.stage(WRITER, [recordOf('unheard', { timestamp: NOW - 60_000 })])
    await vi.advanceTimersByTimeAsync(30_000)
    await appender.flush()
    expect(await idsOf(store)).toEqual(['boot', 'unheard'])
  })

  it('eight processes start at once: each record is linked by one of them', async () => {
    const store = memoryAudit()
    const left = ids(600, 'left')
    await store.stage(
      'n/dead',
      left.map((id) => recordOf(id, { timestamp: NOW - 1 })),
    )
    const slow = changed(store, {
      staged: async (query) => store.staged(query),
      link: async (...asked) => {
        await Promise.resolve()
        return store.link(...asked)
      },
    })
    const writers = ids(8, 'n/')
    const appenders = writers.map((writer) => appenderOn(slow, { writer }))
    for (const [index, appender] of appenders.entries()) appender.start(recordOf(`boot${index}`))
    await vi.waitFor(async () => expect(await store.staged({ limit: 1 })).toEqual([]))
    await Promise.all(appenders.map((appender) => appender.flush()))
    const linked = (await Promise.all(writers.map((writer) => idsOf(store, writer)))).flat()
    expect(linked.sort()).toEqual([...left, ...ids(8, 'boot')].sort())
  })
})

describe('a full queue', () => {
  it('leaves staged records in the store and reads them back when there is room', async () => {
    const inner = memoryAudit()
    let isDown = true
    let most = 0
    const store = changed(inner, {
      link: async (writer, after, entries: readonly LinkedRecord[]) => {
        most = Math.max(most, entries.length)
        if (isDown) throw new Error('down')
        return inner.link(writer, after, entries)
      },
    })
    const appender = appenderOn(store, { maxQueue: 10, clock: () => NOW + 1 })
    appender.start(first)
    for (const id of ids(100)) {
      await inner.stage(WRITER, [recordOf(id)])
      appender.note(recordOf(id))
    }
    expect(appender.waiting).toBe(10)
    await settled()
    isDown = false
    await vi.advanceTimersByTimeAsync(10_000)
    await vi.waitFor(async () => expect(await idsOf(inner)).toHaveLength(101))
    expect(await idsOf(inner)).toEqual(['boot', ...ids(100)])
  })
})

describe('the end', () => {
  it('links what waits, then the last record, and takes nothing more', async () => {
    const store = memoryAudit()
    const appender = appenderOn(store)
    appender.start(first)
    for (const id of ids(600)) appender.take(recordOf(id))
    const ended = appender.finish(recordOf('seal'))
    appender.take(recordOf('too late'))
    await ended
    expect(await idsOf(store)).toEqual(['boot', ...ids(600), 'seal'])
  })

  it('of an appender that never started is nothing', async () => {
    const store = memoryAudit()
    await appenderOn(store).finish(recordOf('seal'))
    expect(await store.heads()).toEqual([])
  })
})
