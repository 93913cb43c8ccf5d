import type { ReserveRequest } from '@hoosh/core/storage'
import { faultProxy, killPoints } from '@hoosh/core/testing'
import { redisStorage } from '@hoosh/redis'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, PATIENT_MS, postgresSchema } from '../../support/postgres.js'
import { CLIENT_KINDS, connected, REDIS_URL, redisLedger, redisMissing } from '../../support/redis.js'
import { sqliteFile } from '../../support/sqlite.js'

const noRedis = await redisMissing()
const amount = { tokens: 40, nanoUsd: 0 }
const terms = { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
const request: ReserveRequest = {
  id: 'r',
  owner: 'ann',
  phase: 'sent',
  pools: [{ name: 'user:ann', terms }],
  ask: { fixed: amount, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
  leaseMs: 60_000,
  now: 0,
  onExpire: 'charge',
}

/** Instead of a death: the driver throws, the commit being done. */
const lost = () => {
  throw new TypeError('the line broke')
}

describe('of a commit whose reply was lost: one hold, one charge', () => {
  it.each(hasPostgres ? ['SQLite', 'PostgreSQL'] : ['SQLite'])('on %s', async (name) => {
    const place = name === 'SQLite' ? sqliteFile() : postgresSchema()
    onTestFinished(() => place.remove())
    const { budgets } = await place.open()
    for (const step of ['reserve', 'settle'] as const) {
      // On PostgreSQL the row of a pool that is not known yet has a commit of its own.
      const kill = killPoints(name === 'PostgreSQL' && step === 'reserve' ? 'sent-reserve:2' : `sent-${step}`, lost)
      const database = 'file' in place ? new Database(place.file) : place.pool()
      const more = 'schema' in place ? { schema: place.schema, silenceMs: PATIENT_MS } : {}
      const spoiled = kill.storage({ budgets: sqlStorage(kill.database(database), more).budgets }).budgets
      const say = async () => (step === 'reserve' ? spoiled.reserve(request) : spoiled.settle('r', amount))
      await expect(say()).rejects.toMatchObject({ code: 'store_unavailable' })
      const state = step === 'reserve' ? 'held' : 'settled'
      await expect.poll(async () => (await budgets.find({ id: 'r' }))?.state).toBe(state)
      // Said again, it is answered as the first would have been.
      await say()
    }
    const [state] = await budgets.read(request.pools, 0)
    expect([state!.used.tokens, state!.held.tokens]).toEqual([40, 0])
    expect(await budgets.entries('user:ann', { limit: 10 })).toHaveLength(1)
  })

  it.skipIf(noRedis !== null).each(CLIENT_KINDS)('on Redis, wherever the line of %s breaks', async (kind) => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    const proxy = await faultProxy(REDIS_URL.replace('redis:', 'http:'))
    onTestFinished(() => proxy.close())
    const { client, close } = await connected(kind, proxy.url.replace('http:', 'redis:'))
    onTestFinished(close)
    const { budgets } = redisStorage(client, { prefix: ledger.prefix, allowVolatile: true, timeoutMs: 100 })
    /** Until it is answered, however long a busy machine takes to connect again. */
    const said = (say: () => unknown) => {
      const isAnswered = () =>
        (async () => say())().then(
          () => true,
          () => false,
        )
      return expect.poll(isAnswered, { timeout: 30_000 }).toBe(true)
    }
    for (const say of [() => budgets.reserve(request), () => budgets.settle('r', amount)]) {
      await said(() => budgets.find({ id: 'r' }))
      // What Redis answers from here on is cut off.
      proxy.set({ cutAfterBytes: 0 })
      await expect((async () => say())()).rejects.toMatchObject({ code: 'store_unavailable' })
      proxy.set({})
      proxy.resetAll()
      // Said again, as often as it takes, it is one hold and one charge.
      await said(say)
    }
    const [state] = await budgets.read(request.pools, 0)
    expect([state!.used.tokens, state!.held.tokens]).toEqual([40, 0])
    expect(await budgets.entries('user:ann', { limit: 10 })).toHaveLength(1)
  })
})
