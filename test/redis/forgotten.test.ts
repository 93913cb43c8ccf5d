import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()

describe.skipIf(missing !== null)(`a name that was forgotten ${missing ?? ''}`, () => {
  it('and is used again keeps its account for as long as any pool does', async () => {
    const ledger = redisLedger()
    const redis = new Redis(REDIS_URL, { keyPrefix: `{${ledger.prefix}}:` })
    onTestFinished(async () => {
      redis.disconnect()
      await ledger.remove()
    })
    const { budgets } = await ledger.open()
    const pools = [
      {
        name: 'user:ann',
        terms: { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' as const },
      },
    ]
    const amount = { tokens: 10, nanoUsd: 0 }
    const call = async (id: string) => {
      const ask = { fixed: amount, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 }
      const now = Date.now()
      await budgets.reserve({ id, owner: 'ann', phase: 'sent', pools, ask, leaseMs: 60_000, now, onExpire: 'charge' })
      await budgets.settle(id, amount)
    }
    const lives = () => Promise.all(['account:0:user:ann', 'pool:user:ann'].map((key) => redis.pttl(key)))
    await call('before')
    expect(await budgets.forget('user:ann')).toBe(true)
    for (const ms of await lives()) expect(ms).toBeGreaterThan(0)
    await call('after')
    expect(await lives()).toEqual([-1, -1])
  })
})
