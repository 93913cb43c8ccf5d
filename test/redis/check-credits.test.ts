import { diagnose, type PoolAsk } from '@hoosh/core/storage'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()
const MINUTE_MS = 60_000
const T = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
const terms = { timeZone: 'UTC', unpriced: 'refuse' } as const
const HOURLY: PoolAsk = {
  name: 'hourly',
  terms: { ...terms, capacity: { tokens: 100 }, window: { everyMs: MINUTE_MS } },
}
const LIFE: PoolAsk = { name: 'life', terms: { ...terms, capacity: { tokens: 0, nanoUsd: 0 }, window: null } }
const tokens = (count: number) => ({ tokens: count, nanoUsd: 0 })

/** Pools with credits that are held, spent over two windows, given back, expired and refunded. */
async function filled() {
  let now = T
  const ledger = redisLedger({ clock: () => now })
  onTestFinished(() => ledger.remove())
  const { budgets } = await ledger.open()
  const redis = new Redis(REDIS_URL, { keyPrefix: `{${ledger.prefix}}:` })
  onTestFinished(() => void redis.disconnect())
  const give = (pool: PoolAsk, id: string, count: number, expiresAt: number | null = null) =>
    budgets.credit(pool, { id, amount: { tokens: count, nanoUsd: count }, expiresAt, note: null }, now)
  const reserve = (id: string, pools: readonly PoolAsk[], count: number) =>
    budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools,
      ask: { fixed: tokens(count), each: tokens(0), floor: 0, wish: 0, atMost: 0 },
      leaseMs: MINUTE_MS,
      now,
      onExpire: 'charge',
    })
  await give(HOURLY, 'gift', 300)
  await give(HOURLY, 'soon', 50, T + MINUTE_MS / 2)
  await give(LIFE, 'life', 1_000)
  await reserve('settled', [HOURLY, LIFE], 180)
  await budgets.settle('settled', tokens(150))
  await budgets.refund({ reservation: 'settled', id: 'r', amount: tokens(20), note: null })
  now += MINUTE_MS
  await budgets.expire({ onExpire: 'charge', limit: 10 })
  await reserve('open', [HOURLY, LIFE], 120)
  const wrong = async () => (await diagnose({ budgets })).findings.filter(({ code }) => code !== 'setting')
  return { budgets, redis, reserve, give, wrong, advance: (ms: number) => (now += ms) }
}

describe.skipIf(missing !== null)(`a look at credits in Redis ${missing ?? ''}`, () => {
  it('finds nothing where they were given, spent, given back and have expired', async () => {
    const { wrong, budgets, advance } = await filled()
    expect(await wrong()).toEqual([])
    advance(MINUTE_MS)
    await budgets.expire({ onExpire: 'charge', limit: 10 })
    expect(await wrong()).toEqual([])
  })

  it('finds what was taken from one, and what nobody gave', async () => {
    const { wrong, redis, budgets } = await filled()
    const [pool] = await budgets.read([LIFE], T)
    const left = pool!.credits[0]!.left.tokens
    const packed = (await redis.hgetBuffer('credits', 'life'))!
    await redis.hdel('credits', 'life')
    expect(await wrong()).toMatchObject([
      { code: 'credit', pool: 'life', unit: 'tokens', found: 1_000 - left, expected: 1_000 },
      { code: 'credit', pool: 'life', unit: 'nanoUsd', found: 0, expected: 1_000 },
    ])
    await redis.hset('credits', 'life', packed)
    expect(await wrong()).toEqual([])
    await redis.hincrby('account:0:life', 'dt', 7)
    expect(await wrong()).toMatchObject([
      { code: 'credit', pool: 'life', unit: 'tokens', found: 1_007, expected: 1_000 },
    ])
  })

  it('without the entries of all of them finds only what nobody gave', async () => {
    const { wrong, redis } = await filled()
    await redis.del('entries:life')
    await redis.hincrby('account:0:life', 'dt', -7)
    const found = async () => (await wrong()).filter(({ code }) => code === 'credit')
    expect(await found()).toEqual([])
    await redis.hincrby('account:0:life', 'dt', 8)
    expect(await found()).toMatchObject([{ pool: 'life', unit: 'tokens', found: 1_001, expected: 1_000 }])
  })

  it('finds what is left and cannot be read, which nobody can spend, and which stops no other pool', async () => {
    const { wrong, redis, budgets, reserve, give, advance } = await filled()
    await redis.hset('credits', 'life', 'nonsense')
    expect(await wrong()).toContainEqual(
      expect.objectContaining({
        code: 'credit',
        pool: 'life',
        message: expect.stringMatching(/what is left of them cannot be read/),
      }),
    )
    await expect(reserve('dear', [LIFE], 10)).rejects.toMatchObject({ code: 'budget_exceeded' })
    await expect(give(LIFE, 'more', 10)).rejects.toMatchObject({ code: 'store_unavailable' })
    await reserve('fine', [HOURLY], 10)
    advance(MINUTE_MS)
    const expired = await budgets.expire({ onExpire: 'charge', limit: 10 })
    expect(expired.map(({ id }) => id).sort()).toEqual(['fine', 'open'])
    expect(await redis.hget('credits', 'life')).toBe('nonsense')
  })
})
