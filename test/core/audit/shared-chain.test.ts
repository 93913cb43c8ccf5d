import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuditLog } from '../../../packages/core/src/audit/log.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { changed, logOn, NOW } from './support.js'

const KEY = 'one key of all processes'

/** Logs on one store, as processes that share it have them; each answer of the store comes a turn later. */
function logs(count: number, { store = memoryAudit(), key = KEY }: { store?: AuditStore; key?: string | null } = {}) {
  const errors: unknown[] = []
  const slow = changed(store, {
    link: async (...asked) => {
      await Promise.resolve()
      return store.link(...asked)
    },
  })
  const logger = { debug() {}, info() {}, warn() {}, error: (...told: unknown[]) => void errors.push(told) }
  const opened = Array.from({ length: count }, (_, index) => {
    let made = 0
    return createAuditLog({
      store: slow,
      node: `host-${index}`,
      chain: 'shared',
      mode: 'strict',
      clock: () => NOW,
      ids: () => `${key}-${index}-${made++}`,
      logger,
      ...(key !== null && { key }),
    })
  })
  onTestFinished(async () => void (await Promise.allSettled(opened.map((log) => log.close()))))
  return { opened, errors, store }
}

const chainOf = async (store: AuditStore, writer: string) => await store.chain(writer, 0, 100_000)

describe('a shared chain', () => {
  it('is one for all: eight writers append at once, nothing is lost, linked twice or out of its writer`s order', async () => {
    const { opened, errors, store } = logs(8)
    await Promise.all(opened.map((log) => log.start()))
    for (let round = 0; round < 50; round += 1) {
      for (const [index, log] of opened.entries()) {
        const metadata = { round, index }
        await log.stage(log.record({ event: 'host.event', level: 'info', message: 'x', metadata }))
      }
      if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(opened.map((log) => log.flush()))

    const heads = await store.heads()
    expect(heads.map(({ writer, seq }) => [writer, seq])).toEqual([[opened[0]!.writer, 8 + 8 * 50]])
    const entries = await chainOf(store, heads[0]!.writer)
    expect(entries.filter(({ record }) => record.event === 'audit.boot')).toHaveLength(8)
    for (let index = 0; index < 8; index += 1) {
      const rounds = entries.map(({ record }) => record.metadata!).filter((one) => one.index === index)
      expect(rounds.map(({ round }) => round)).toEqual(Array.from({ length: 50 }, (_, round) => round))
    }
    await Promise.all(opened.map((log) => log.scrub()))
    for (const log of opened) expect(log.status()).toMatchObject({ chain_valid: true, signed: true })
    expect(errors).toEqual([])
  })

  it('says who has begun, and goes on when one of them ends', async () => {
    const { opened, store } = logs(2)
    const [left, right] = opened as [(typeof opened)[0], (typeof opened)[0]]
    await left.start()
    await right.start()
    await left.close()
    await right.stage(right.record({ event: 'host.event', level: 'info', message: 'after' }))
    await right.flush()
    const told = (await chainOf(store, right.writer)).map(({ record }) => [record.event, record.metadata?.node])
    expect(told).toEqual([
      ['audit.boot', 'host-0'],
      ['audit.boot', 'host-1'],
      ['host.event', undefined],
    ])
  })

  it('of another key is another chain, which vouches for the one before, once', async () => {
    const { opened: before, store } = logs(1, { key: null })
    await before[0]!.start()
    await before[0]!.flush()
    const { opened: after } = logs(2, { store })
    for (const log of after) {
      await log.start()
      await log.flush()
    }
    const [first, second] = await chainOf(store, after[0]!.writer)
    const [head] = (await store.heads()).filter(({ writer }) => writer === before[0]!.writer)
    expect(first!.record.metadata).toMatchObject({
      signed: true,
      predecessors: [{ writer: before[0]!.writer, seq: head!.seq, hash: head!.hash }],
    })
    expect(second!.record.metadata).toMatchObject({ predecessors: [] })
    await after[0]!.scrub()
    expect(after[0]!.status()).toMatchObject({ chain_valid: true, signed: false })
  })

  it('finds a commit whose answer was lost, although others have appended since', async () => {
    const inner = memoryAudit()
    let losesAnswer = false
    const store = changed(inner, {
      link: async (...asked) => {
        const linked = await inner.link(...asked)
        if (!losesAnswer) return linked
        losesAnswer = false
        await other.log.stage(other.log.record({ event: 'host.other', level: 'info', message: 'x' }))
        await other.log.flush()
        throw new Error('connection reset')
      },
    })
    const other = logOn({ store: inner, chain: 'shared' })
    const { log } = logOn({ store, chain: 'shared' })
    onTestFinished(async () => void (await Promise.allSettled([log.close(), other.log.close()])))
    await log.start()
    await other.log.start()
    await Promise.all([log.flush(), other.log.flush()])
    losesAnswer = true
    for (let index = 0; index < 20; index += 1)
      await log.stage(log.record({ event: 'host.event', level: 'info', message: String(index) }))
    await log.flush()
    const events = (await chainOf(inner, log.writer)).map(({ record }) => record.event)
    expect(events.filter((event) => event === 'host.event')).toHaveLength(20)
    expect(events.filter((event) => event === 'host.other')).toHaveLength(1)
    expect(await inner.staged({ limit: 10 })).toEqual([])
    await log.scrub()
    expect(log.status().chain_valid).toBe(true)
  })
})
