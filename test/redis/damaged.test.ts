import { diagnose, type PoolAsk } from '@hoosh/core/storage'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()
const T = 1_800_000_000_000
const LEASE_MS = 60_000
const terms = { capacity: { tokens: 1_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
const pool = (name: string): PoolAsk => ({ name, terms })
const amount = (tokens: number) => ({ tokens, nanoUsd: tokens * 10 })
const MODEL = 'a model with a name of its own'
const CALL = {
  requestId: 'q',
  provider: 'p',
  route: 'r',
  local: false,
  model: MODEL,
  kind: 'chat',
  stream: true,
  price: 'p',
}

async function opened() {
  let now = T
  const ledger = redisLedger({ clock: () => now })
  onTestFinished(() => ledger.remove())
  const { budgets } = await ledger.open()
  const redis = new Redis(REDIS_URL, { keyPrefix: `{${ledger.prefix}}:` })
  onTestFinished(() => void redis.disconnect())
  const reserve = (id: string, names: readonly string[]) =>
    budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools: names.map(pool),
      ask: { fixed: amount(100), each: amount(0), floor: 0, wish: 0, atMost: 0 },
      leaseMs: LEASE_MS,
      now,
      onExpire: 'charge',
      call: CALL as never,
    })
  const standing = async (name: string) => {
    const [state] = await budgets.read([pool(name)], now)
    return { used: state!.used.tokens, held: state!.held.tokens }
  }
  const damaged = async () =>
    (await diagnose({ budgets })).findings
      .filter(({ code }) => code === 'damaged')
      .map(({ reservation, what }) => [reservation, what])
  return { budgets, redis, reserve, standing, damaged, advance: (ms: number) => (now += ms) }
}

describe.skipIf(missing !== null)(`a hold that is damaged in Redis ${missing ?? ''}`, () => {
  it('by its call ends with the others and is charged; its usage alone is not told', async () => {
    const { budgets, redis, reserve, standing, damaged, advance } = await opened()
    for (const id of ['bad', 'good']) await reserve(id, ['a', 'b'])
    const packed = await redis.getBuffer('hold:bad')
    const at = packed!.indexOf(`"${MODEL}"`)
    packed![at] = 0x20
    await redis.set('hold:bad', packed!)
    expect(await damaged()).toEqual([['bad', 'what is stored of its call']])
    advance(LEASE_MS)
    const expired = await budgets.expire({ onExpire: 'charge', limit: 10 })
    expect(expired.map(({ id, usage }) => [id, usage?.model])).toEqual([
      ['bad', undefined],
      ['good', MODEL],
    ])
    for (const name of ['a', 'b']) expect(await standing(name)).toEqual({ used: 200, held: 0 })
    expect(await budgets.settle('bad', amount(40))).toMatchObject({ outcome: 'corrected' })
  })

  it.each(['nonsense', '', '\u0081'])(
    'as a whole, as %j, stops neither sweeps nor calls, and goes on to hold',
    async (stored) => {
      const { budgets, redis, reserve, standing, damaged, advance } = await opened()
      for (const id of ['bad', 'good']) await reserve(id, ['a'])
      await redis.set('hold:bad', stored, 'KEEPTTL')
      expect(
        await budgets.renew(
          [
            { id: 'bad', counted: amount(1) },
            { id: 'good', counted: amount(1) },
          ],
          LEASE_MS,
        ),
      ).toEqual(['bad'])
      advance(LEASE_MS)
      expect(await reserve('next', ['a'])).toMatchObject({ expired: [{ id: 'good' }] })
      advance(LEASE_MS)
      expect((await budgets.expire({ onExpire: 'charge', limit: 10 })).map(({ id }) => id)).toEqual(['next'])
      expect(await standing('a')).toEqual({ used: 200, held: 100 })
      expect(await damaged()).toEqual([['bad', 'what is stored of it']])
      await expect(budgets.settle('bad', amount(1))).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(reserve('bad', ['a'])).rejects.toMatchObject({ code: 'store_unavailable' })
    },
  )
})
