import { setTimeout as pause } from 'node:timers/promises'
import { createGateway } from '@hoosh/core'
import { budgetStoreCases, cacheStoreCases, rateStoreCases } from '@hoosh/core/conformance'
import type { BudgetStore } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { type RedisClient, type RedisStorageOptions, redisStorage } from '@hoosh/redis'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../support/money.js'
import { advanceCache, CLIENT_KINDS, type ClientKind, connected } from '../support/redis.js'
import { type OwnRedis, ownRedis, redisServerMissing } from '../support/redis-server.js'

const missing = redisServerMissing()
/** With `everysec` a busy disk may cost what was acknowledged in the last two seconds, whereas these tests are exact. */
const DURABLE = ['appendonly yes', 'appendfsync always']

const server = async (...settings: string[]): Promise<OwnRedis> => {
  const own = await ownRedis(...settings)
  onTestFinished(() => own.remove())
  return own
}

const storageOn = async ({ url }: OwnRedis, options: RedisStorageOptions = {}, kind: ClientKind = 'ioredis') => {
  const { client, close } = await connected(kind, url)
  onTestFinished(close)
  return redisStorage(client, options)
}

const hold = (budgets: BudgetStore, id: string, tokens = 10) =>
  budgets.reserve({
    id,
    owner: 'ann',
    phase: 'sent',
    pools: [
      { name: 'user:ann', terms: { capacity: { tokens: 1_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } },
    ],
    ask: { fixed: { tokens, nanoUsd: 0 }, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
    leaseMs: 60_000,
    now: Date.now(),
    onExpire: 'charge',
  })

describe.skipIf(missing !== null)(`a Redis of its own ${missing ?? ''}`, () => {
  describe('is looked at before budgets are kept on it', () => {
    it('one that evicts keys is refused, whatever the host allows', async () => {
      const own = await server(...DURABLE, 'maxmemory-policy allkeys-lru')
      const storage = await storageOn(own, { allowVolatile: true })
      const gateway = createGateway({ storage, logger: false })
      onTestFinished(() => gateway.close())
      await expect(gateway.ready()).rejects.toMatchObject({ code: 'not_ready', message: /noeviction/ })
    })

    it('one that keeps nothing on disk is refused, unless the host allows it, also without open', async () => {
      const own = await server()
      const strict = await storageOn(own)
      const refusal = { code: 'not_ready', message: /appendonly.*allowVolatile/ }
      await expect(strict.open({ migrate: false })).rejects.toMatchObject(refusal)
      await expect(hold(strict.budgets, 'r')).rejects.toMatchObject(refusal)
      expect(strict.describe).toBe('redis')
      const lax = await storageOn(own, { allowVolatile: true })
      expect(await hold(lax.budgets, 'r')).toMatchObject({ held: { tokens: 10 } })
      expect(lax.describe).toBe('redis, volatile')
    })

    it('limits and cache need neither', async () => {
      const { rates, cache } = await storageOn(await server('maxmemory-policy allkeys-lru'))
      expect(await rates.take([{ key: 'k', limit: 1, windowMs: 60_000, cost: 1 }], Date.now())).toMatchObject({
        ok: true,
      })
      expect(await cache.put('k', Buffer.from('v'), 60_000)).toBe(true)
    })

    it('one that refuses says by its word why: no rights, no memory, a replica', async () => {
      const own = await server(...DURABLE)
      const admin = new Redis(own.url)
      onTestFinished(() => admin.disconnect())
      const { budgets } = await storageOn(own)
      await hold(budgets, 'there')
      const refusal = (word: string) => ({
        code: 'store_unavailable',
        message: expect.stringMatching(new RegExp(`\\(${word}\\): .*rights.*memory.*primary`)),
      })
      await admin.config('SET', 'maxmemory', '1')
      await expect(hold(budgets, 'r')).rejects.toMatchObject(refusal('OOM'))
      expect(await budgets.settle('there', { tokens: 10, nanoUsd: 0 })).toMatchObject({ outcome: 'settled' })
      await admin.config('SET', 'maxmemory', '0')
      await admin.call('ACL', 'SETUSER', 'guest', 'on', '>guest', '~other*', '+@all')
      const guest = await storageOn({ ...own, url: own.url.replace('//', '//guest:guest@') })
      await expect(guest.open({ migrate: false })).rejects.toMatchObject(refusal('NOPERM'))
      await admin.replicaof('127.0.0.1', 1)
      await expect(hold(budgets, 'r')).rejects.toMatchObject(refusal('READONLY'))
    })

    it('keys of another version are refused', async () => {
      const own = await server(...DURABLE)
      const client = new Redis(own.url)
      await client.set('{hoosh}:', '0')
      client.disconnect()
      const { budgets } = await storageOn(own)
      await expect(hold(budgets, 'r')).rejects.toMatchObject({ code: 'not_ready', message: /version 0/ })
    })

    it('a ledger that is gone is not begun anew by who has seen it', async () => {
      const own = await server(...DURABLE)
      const [storage, later] = [await storageOn(own), await storageOn(own)]
      await hold(storage.budgets, 'r')
      const client = new Redis(own.url)
      await client.flushall()
      client.disconnect()
      await expect(hold(storage.budgets, 's')).rejects.toMatchObject({ code: 'not_ready', message: /gone/ })
      expect(await hold(later.budgets, 's')).toMatchObject({ held: { tokens: 10 } })
    })
  })

  it('killed and started again it has all that it acknowledged, and knows the scripts again', async () => {
    const own = await server(...DURABLE)
    const { budgets } = await storageOn(own)
    for (let at = 0; at < 20; at += 1) await hold(budgets, `r${at}`)
    await budgets.settle('r0', { tokens: 7, nanoUsd: 0 })
    await own.stop('SIGKILL')
    await own.start()
    const again = await storageOn(own)
    const [pool] = await again.budgets.list({ limit: 1, now: Date.now() })
    expect(pool).toMatchObject({ used: { tokens: 7 }, held: { tokens: 190 } })
    expect(await again.budgets.settle('r0', { tokens: 7, nanoUsd: 0 })).toMatchObject({ repeated: true })
  })

  it.each(CLIENT_KINDS)(
    'a reserve that waited in the queue of %s until it was back holds nothing; a settle does',
    async (kind) => {
      const own = await server(...DURABLE)
      const { budgets } = await storageOn(own, {}, kind)
      await hold(budgets, 'first')
      await own.stop('SIGKILL')
      await expect(hold(budgets, 'late')).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect((async () => budgets.settle('first', { tokens: 4, nanoUsd: 0 }))()).rejects.toMatchObject({
        code: 'store_unavailable',
      })
      await own.start()
      await expect.poll(async () => budgets.find({ id: 'first' })).toMatchObject({ state: 'settled' })
      expect(await budgets.find({ id: 'late' })).toBeNull()
      expect(await hold(budgets, 'new')).toMatchObject({ pools: [{ used: { tokens: 4 }, held: { tokens: 10 } }] })
    },
  )

  it('with its memory full new holds are refused, and what runs is renewed and settled all the same', async () => {
    const own = await server(...DURABLE)
    const { budgets } = await storageOn(own)
    await hold(budgets, 'r')
    const client = new Redis(own.url)
    onTestFinished(() => client.disconnect())
    await client.config('SET', 'maxmemory', '1mb')
    await expect(hold(budgets, 's')).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await budgets.find({ id: 's' })).toBeNull()
    expect(await budgets.renew([{ id: 'r', counted: { tokens: 1, nanoUsd: 0 } }], 60_000)).toEqual([])
    expect(await budgets.settle('r', { tokens: 9, nanoUsd: 0 })).toMatchObject({ outcome: 'settled' })
    await client.config('SET', 'maxmemory', '0')
    expect(await hold(budgets, 's')).toMatchObject({ pools: [{ used: { tokens: 9 }, held: { tokens: 10 } }] })
  })

  it('leases run on its clock', async () => {
    const own = await server(...DURABLE)
    const { budgets } = await storageOn(own)
    const before = Date.now()
    const { leaseUntil } = await hold(budgets, 'r')
    expect(leaseUntil - before).toBeGreaterThanOrEqual(60_000)
    expect(leaseUntil - Date.now()).toBeLessThanOrEqual(60_000)
    await budgets.renew([{ id: 'r', counted: { tokens: 0, nanoUsd: 0 } }], 1)
    await pause(5)
    expect(await budgets.expire({ onExpire: 'charge', limit: 10 })).toMatchObject([
      { id: 'r', charged: { tokens: 10 } },
    ])
  })
})

describe.skipIf(missing !== null)(`in cluster mode ${missing ?? ''}`, () => {
  let own: OwnRedis
  const clients: { [kind in (typeof CLIENT_KINDS)[number]]?: RedisClient } = {}
  const closers: (() => unknown)[] = []
  beforeAll(async () => {
    own = await ownRedis('cluster-enabled yes', 'cluster-announce-ip 127.0.0.1', ...DURABLE)
    const admin = new Redis(own.url)
    await admin.cluster('ADDSLOTSRANGE', 0, 16_383)
    await until(async () => (await admin.cluster('INFO')).includes('cluster_state:ok'))
    admin.disconnect()
    const cluster = new Cluster([{ host: '127.0.0.1', port: own.port }])
    const nodes = createCluster({ rootNodes: [{ url: own.url }] })
    await nodes.connect()
    Object.assign(clients, { ioredis: cluster, 'node-redis': nodes })
    closers.push(
      () => cluster.disconnect(),
      () => nodes.destroy(),
    )
  })
  afterAll(async () => {
    for (const close of closers) close()
    await own.remove()
  })

  describe.each(CLIENT_KINDS)('through %s', (kind) => {
    let ledgers = 0
    const open = (options: RedisStorageOptions = {}) => {
      const prefix = `${kind}-${ledgers++}`
      return () => redisStorage(clients[kind]!, { prefix, ...options })
    }
    it.each(budgetStoreCases)('$name', async ({ run }) => {
      const clock = fakeClock(1_700_000_000_000)
      const handle = open({ clock: clock.now })
      await run({ open: () => handle().budgets, now: clock.now, advance: (ms) => void clock.advance(ms) })
    })
    it.each(rateStoreCases)('$name', async ({ run }) => {
      const handle = open()
      await run({ open: () => handle().rates })
    })
    it.each(cacheStoreCases)('$name', async ({ run }) => {
      const prefix = `${kind}-${ledgers++}`
      // Twelve mebibytes on a disk that others use may take longer than a gateway would wait.
      const handle = open({ prefix, timeoutMs: 2_000 })
      await run({ open: () => handle().cache, advance: (ms) => advanceCache(own.url, prefix, ms) })
    })
  })
})
