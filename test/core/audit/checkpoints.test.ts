import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { hashOfLine, isSignedBy, readCheckpoint } from '../../../packages/core/src/audit/checkpoint.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { deferred } from '../../support/deferred.js'
import { changed, logOn, recordOf } from './support.js'
import { verifierOf } from './verifying.js'

const KEY = 'a secret of this test'
const { privateKey: signingKey } = generateKeyPairSync('ed25519')
const publicKey = createPublicKey(signingKey)

const linesOf = async (store: AuditStore, writer?: string) =>
  (await store.checkpoints({ limit: 1_000, ...(writer !== undefined && { writer }) })).map(
    ({ line }) => readCheckpoint(line)!,
  )

const signed = (options: Parameters<typeof logOn>[0] = {}) => logOn({ key: KEY, signingKey, ...options })

const add = async ({ log }: ReturnType<typeof logOn>, count: number, prefix = 'r') => {
  for (let index = 0; index < count; index += 1) await log.stage(log.record(recordOf(`${prefix}${index}`)))
  await log.flush()
}

/** Lets the clockwork tick until something holds. */
const until = (holds: () => unknown) => vi.waitFor(() => expect(holds()).toBeTruthy(), { timeout: 5_000 })
const countOf = (store: AuditStore) => (store.checkpoints({ limit: 1_000 }) as unknown[]).length

afterEach(() => void vi.useRealTimers())

describe('checkpoints', () => {
  it('sign the chain after the boot entry, after so many entries, and where it ends', async () => {
    const at = signed({ checkpointEvery: { entries: 10 } })
    await at.log.start()
    await at.log.flush()
    await until(() => countOf(at.store) === 1)
    await add(at, 25)
    await until(() => countOf(at.store) === 3)
    await at.log.close()
    const lines = await linesOf(at.store)
    expect(lines.map(({ seq, epoch }) => [seq, epoch])).toEqual([
      [1, 0],
      [11, 1],
      [21, 2],
      [27, 3],
    ])
    const entries = await at.store.chain(at.log.writer, 0, 100)
    for (const { seq, hash } of lines) expect(entries[seq - 1]!.integrity!.hash).toBe(hash)
    expect(entries.map(({ integrity }) => integrity!.epoch)).toEqual([
      0,
      ...Array.from({ length: 26 }, (_, index) => 1 + Math.floor(index / 10)),
    ])
  })

  it('are canonical lines, signed with Ed25519, each naming the one before', async () => {
    const at = signed({ checkpointEvery: { entries: 2 } })
    await at.log.start()
    await add(at, 9)
    await at.log.close()
    const stored = await at.store.checkpoints({ limit: 100 })
    expect(stored.length).toBeGreaterThan(4)
    let previous = ''
    for (const { line } of stored) {
      const checkpoint = readCheckpoint(line)!
      expect(isSignedBy(checkpoint, publicKey)).toBe(true)
      expect(isSignedBy({ ...checkpoint, seq: checkpoint.seq + 1 }, publicKey)).toBe(false)
      expect(checkpoint).toMatchObject({ writer: at.log.writer, previous, time: at.time.now })
      previous = hashOfLine(line)
    }
  })

  it('come a minute after something new, and hourly where there is nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const at = signed()
    await at.log.start()
    const tick = async () => {
      await vi.advanceTimersByTimeAsync(1_000)
      return countOf(at.store)
    }
    expect(await tick()).toBe(1)
    at.time.now += 59_999
    await add(at, 1)
    expect(await tick()).toBe(1)
    at.time.now += 1
    expect(await tick()).toBe(2)
    at.time.now += 3_599_999
    expect(await tick()).toBe(2)
    at.time.now += 1
    expect(await tick()).toBe(3)
    const lines = await linesOf(at.store)
    expect(lines.map(({ seq, epoch }) => [seq, epoch])).toEqual([
      [1, 0],
      [2, 1],
      [2, 2],
    ])
    await at.log.close()
  })

  it('leave a chain that verifies with its key, though the key has changed with each', async () => {
    const at = signed({ checkpointEvery: { entries: 3 } })
    await at.log.start()
    await add(at, 50)
    await at.log.close()
    await at.log.scrub()
    expect(at.log.status()).toMatchObject({ chain_valid: true, signed: true })
    const fresh = verifierOf(at.store, KEY)
    await fresh.scrub()
    expect(fresh.state()).toMatchObject({ valid: true, verifiedThrough: { [at.log.writer]: 52 } })
    const other = verifierOf(at.store, 'another key')
    await other.follow()
    expect(other.state().firstBad).toMatchObject({ seq: 1, reason: 'its tag is not of this key' })
  })

  it('cost nothing where there is no signing key: no epoch, no line', async () => {
    const at = logOn({ key: KEY })
    await at.log.start()
    await add(at, 1_100)
    await at.log.close()
    expect(countOf(at.store)).toBe(0)
    expect((await at.store.heads())[0]!.epoch).toBe(0)
  })

  it('are made once where the answer of the store was lost, and none is skipped where it fails', async () => {
    const inner = memoryAudit()
    let calls = 0
    const store = changed(inner, {
      checkpoint: async (...asked) => {
        calls += 1
        if (calls === 2) throw new Error('disk full')
        const kept = inner.checkpoint(...asked)
        if (calls === 4) throw new Error('connection reset')
        return kept
      },
    })
    const at = signed({ store, checkpointEvery: { entries: 5 } })
    await at.log.start()
    await add(at, 30)
    await at.log.close()
    const lines = await linesOf(store)
    expect(lines.map(({ epoch }) => epoch)).toEqual(lines.map((_, index) => index))
    expect(lines.at(-1)!.seq).toBe(32)
    const fresh = verifierOf(store, KEY)
    await fresh.scrub()
    expect(fresh.state().valid).toBe(true)
  })

  it.each(['process', 'shared'] as const)(
    'go on where the store has lost its newest commits: a %s chain',
    async (chain) => {
      const [lost, kept] = [memoryAudit(), memoryAudit()]
      let isCopied = true
      let links = 0
      const both = <Name extends 'stage' | 'link' | 'checkpoint'>(name: Name) =>
        ((...given: Parameters<AuditStore[Name]>) => {
          const of = (store: AuditStore) => (store[name] as (...those: unknown[]) => never)(...given)
          if (isCopied) of(kept)
          return of(lost)
        }) as AuditStore[Name]
      const store = { ...lost, stage: both('stage'), link: both('link'), checkpoint: both('checkpoint') }
      const at = signed({ store, chain, checkpointEvery: { entries: 4 } })
      await at.log.start()
      await add(at, 10)
      isCopied = false
      await add(at, 10, 'gone')
      Object.assign(store, kept, {
        link(...given: Parameters<AuditStore['link']>) {
          if (++links > 20) throw new Error('it tries without end')
          return kept.link(...given)
        },
      })
      await add(at, 10, 'after')
      await at.log.close()
      const [head] = await kept.heads()
      expect(head!.seq).toBeGreaterThan(20)
      const verifier = verifierOf(kept, KEY)
      await verifier.scrub()
      expect(verifier.state()).toMatchObject({ valid: true, signed: true })
      const rows = await linesOf(kept)
      expect(rows.map(({ epoch }) => epoch)).toEqual(rows.map((_, index) => index))
    },
  )

  it('are named by the next boot, for a writer that left no seal', async () => {
    const store = memoryAudit()
    const dead = signed({ store, node: 'web' })
    await dead.log.start()
    await until(() => countOf(store) === 1)
    await add(dead, 3)
    const next = signed({ store, node: 'web' })
    await next.log.start()
    await next.log.flush()
    const [boot] = await store.chain(next.log.writer, 0, 1)
    const [covered] = await linesOf(store, dead.log.writer)
    expect(boot!.record.metadata!.predecessors).toEqual([
      { writer: dead.log.writer, seq: covered!.seq, hash: covered!.hash },
    ])
    await Promise.all([dead.log.close(), next.log.close()])
  })
})

describe('a chain that processes share', () => {
  it('has one row of checkpoints and of epochs, whoever makes them, and verifies', async () => {
    const store = memoryAudit()
    const slow = changed(store, {
      link: async (...asked) => {
        await Promise.resolve()
        return store.link(...asked)
      },
      checkpoint: async (...asked) => {
        await Promise.resolve()
        return store.checkpoint(...asked)
      },
    })
    const processes = Array.from({ length: 4 }, () =>
      signed({ store: slow, chain: 'shared', checkpointEvery: { entries: 20 } }),
    )
    for (const { log } of processes) await log.start()
    await Promise.all(processes.map((one, index) => add(one, 100, `p${index}-`)))
    await Promise.all(processes.map(({ log }) => log.close()))
    const lines = await linesOf(store)
    expect(new Set(lines.map(({ writer }) => writer)).size).toBe(1)
    expect(lines.map(({ epoch }) => epoch)).toEqual(lines.map((_, index) => index))
    expect(lines.at(-1)!.seq).toBe(404)
    for (const [index, { seq }] of lines.entries()) expect(seq - (lines[index - 1]?.seq ?? 0)).toBeLessThanOrEqual(20)
    const fresh = verifierOf(store, KEY)
    await fresh.scrub()
    expect(fresh.state()).toMatchObject({ valid: true, signed: true })
  })
})

describe('onCheckpoint', () => {
  it('gets every line in order, is called again for one it threw over, and holds nobody up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const taken: string[] = []
    let refuses = 3
    const at = signed({
      checkpointEvery: { entries: 5 },
      onCheckpoint: async (line) => {
        if (refuses-- > 0) throw new Error('read-only file system')
        taken.push(line)
      },
    })
    await at.log.start()
    await add(at, 20)
    expect(taken).toEqual([])
    for (let second = 0; second < 10; second += 1) await vi.advanceTimersByTimeAsync(1_000)
    await at.log.close()
    const stored = await at.store.checkpoints({ limit: 100 })
    expect(taken).toEqual(stored.map(({ line }) => line))
  })

  it('that never ends keeps neither calls nor the end of the process waiting', async () => {
    const gate = deferred()
    const at = signed({ onCheckpoint: () => gate.promise })
    await at.log.start()
    await add(at, 20)
    await at.log.close({ timeoutMs: 50 })
    expect((await linesOf(at.store)).at(-1)!.seq).toBe(22)
    gate.resolve()
  })

  it('of a new process gets the newest line of a shared chain again, since who made it may have died', async () => {
    const store = memoryAudit()
    const first = signed({ store, chain: 'shared' })
    await first.log.start()
    await first.log.flush()
    await until(() => countOf(store) === 1)
    const taken: string[] = []
    const second = signed({ store, chain: 'shared', onCheckpoint: (line) => void taken.push(line) })
    await second.log.start()
    await second.log.close()
    expect(taken).toEqual((await store.checkpoints({ limit: 10 })).map(({ line }) => line))
    await first.log.close()
  })
})
