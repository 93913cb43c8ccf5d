import { createGateway, type Gateway, type HooshOptions, type Storage } from '@hoosh/core'
import { memoryBudgets } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sqliteFile } from '../../support/sqlite.js'

const MINUTE = 60_000
const HOUR = 3_600_000

type Budgets = Storage['budgets']

/** A ledger on a clock that stands, and gateways on it: each is a process of its own where the store is on disk. */
const STORES: readonly {
  name: string
  open(clock: () => number): { storage(): Promise<Partial<Storage>>; remove(): Promise<void> }
}[] = [
  {
    name: 'memory',
    open(clock) {
      const budgets = memoryBudgets({ clock })
      return { storage: async () => ({ budgets }), remove: async () => {} }
    },
  },
  {
    name: 'SQLite',
    open(clock) {
      const sqlite = sqliteFile({ clock })
      return { storage: () => sqlite.open(), remove: () => sqlite.remove() }
    },
  },
]

const open = (store: (typeof STORES)[number], at: number | string = '2026-01-01T00:00:00Z') => {
  const clock = fakeClock(at)
  const { storage, remove } = store.open(clock.now)
  const gateways: Gateway[] = []
  onTestFinished(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()))
    await remove()
  })
  return {
    clock,
    /** @param beats told what each heartbeat renewed */
    async gateway(options: HooshOptions = {}, beats: string[][] = []) {
      const { budgets, ...others } = await storage()
      const listening: Budgets = {
        ...(budgets as Budgets),
        async renew(running, leaseMs) {
          const lost = await budgets!.renew(running, leaseMs)
          beats.push(running.map(({ id }) => id))
          return lost
        },
      }
      const gateway = createGateway({
        storage: { ...others, budgets: listening },
        providers: [{ type: 'demo' }],
        pools: { '*': { tokens: 1_000 } },
        clock: clock.now,
        logger: false,
        ...options,
      })
      gateways.push(gateway)
      return { gateway, budgets: listening, ann: gateway.as({ user: 'ann', pool: 'ann' }) }
    },
  }
}

const tokensOf = async (who: ReturnType<Gateway['as']>) =>
  (await who.budget.pools()).map(({ used, held }) => ({ used: used.tokens, held: held.tokens }))

const asAdmin = (gateway: Gateway) => {
  const root = gateway.as({ user: 'root', roles: ['admin'] })
  return (method: string, pool: string, body?: object) =>
    root.fetch(`http://hoosh/v1/tokens/pools/${encodeURIComponent(pool)}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
}

describe.each(STORES)("a host's reservation, on $name", (store) => {
  const leaseMs = 20 * MINUTE

  /** A hold whose process renews it every few real milliseconds, on a clock that stands. */
  const held = async (budget: HooshOptions['budget'] = {}) => {
    const { clock, gateway } = open(store)
    const beats: string[][] = []
    const { ann, budgets } = await gateway({ budget: { leaseMs, renewMs: 5, sweepMs: 5, ...budget } }, beats)
    const hold = await ann.budget.reserve({ tokens: 300 })
    const leaseLeft = async () => ((await budgets.find({ id: hold.id }))?.leaseUntil ?? 0) - clock.now()
    return { clock, ann, hold, beats, leaseLeft }
  }

  it('is renewed by its process for an hour, however short the lease, and is charged when the last one is over', async () => {
    const { clock, ann, hold, beats, leaseLeft } = await held()
    const began = clock.now()
    for (const minutes of [19, 38]) {
      clock.advance(19 * MINUTE)
      await expect.poll(leaseLeft, { message: `renewed after ${minutes} minutes` }).toBe(leaseMs)
    }
    // A younger one shows that the heart goes on beating.
    const younger = await ann.budget.reserve({ tokens: 1 })
    clock.advance(19 * MINUTE)
    await expect.poll(leaseLeft).toBe(leaseMs)
    clock.set(began + HOUR)
    await expect.poll(() => beats.at(-1)).toEqual([younger.id])
    clock.advance((await leaseLeft()) - 1)
    const before = beats.length
    await expect.poll(() => beats.length).toBeGreaterThan(before + 1)
    expect(clock.now()).toBeLessThanOrEqual(began + HOUR + leaseMs)
    expect(beats.at(-1)).not.toContain(hold.id)
    expect(await tokensOf(ann)).toEqual([{ used: 0, held: 301 }])
    clock.advance(1)
    await expect.poll(() => tokensOf(ann)).toEqual([{ used: 300, held: 1 }])
  })

  it('ends where it is settled, and is renewed no more', async () => {
    const { clock, ann, hold } = await held()
    clock.advance(19 * MINUTE)
    await hold.settle({ tokens: 120 })
    expect(await tokensOf(ann)).toEqual([{ used: 120, held: 0 }])
    clock.advance(2 * HOUR)
    expect(await tokensOf(ann)).toEqual([{ used: 120, held: 0 }])
    await expect(hold.settle({ tokens: 121 })).rejects.toMatchObject({ code: 'reservation_conflict' })
  })

  it('that is settled after it was charged is corrected, up or down', async () => {
    const { clock, ann, hold } = await held({ renewMs: leaseMs - 1 })
    clock.advance(leaseMs)
    await expect.poll(() => tokensOf(ann)).toEqual([{ used: 300, held: 0 }])
    await hold.settle({ tokens: 450 })
    await hold.settle({ tokens: 450 })
    expect(await tokensOf(ann)).toEqual([{ used: 450, held: 0 }])
  })

  it('is charged in full by `counted` too: what it holds is all that is known', async () => {
    const { clock, ann } = await held({ onExpire: 'counted', renewMs: leaseMs - 1 })
    clock.advance(leaseMs)
    await expect.poll(() => tokensOf(ann)).toEqual([{ used: 300, held: 0 }])
  })
})

describe.each(STORES)('a reservation over the wire, on $name', (store) => {
  it('lasts as long as its ttl says, whoever renews, and is charged then', async () => {
    const { clock, gateway } = open(store)
    const { ann } = await gateway({ budget: { leaseMs: 1_000, renewMs: 5, sweepMs: 5 } })
    const reserve = async (ttl_seconds?: number) => {
      const body = JSON.stringify({ tokens: 100, ttl_seconds })
      const headers = { 'content-type': 'application/json' }
      const reply = await ann.fetch('http://hoosh/v1/tokens/reserve', { method: 'POST', headers, body })
      return ((await reply.json()) as { expires_at: string }).expires_at
    }
    expect(await Promise.all([reserve(5), reserve(), reserve(3_600)])).toEqual([
      '2026-01-01T00:00:05.000Z',
      '2026-01-01T00:10:00.000Z',
      '2026-01-01T01:00:00.000Z',
    ])
    for (const [ms, used] of [
      [4_999, 0],
      [1, 100],
      [10 * MINUTE - 5_001, 100],
      [1, 200],
      [50 * MINUTE, 300],
    ] as const) {
      clock.advance(ms)
      await expect.poll(() => tokensOf(ann)).toEqual([{ used, held: 300 - used }])
    }
  })
})

describe.each(STORES)('a pool that an admin sets, on $name', (store) => {
  it('counts at once in every process, kills nothing, admits nothing new, and keeps its accounts when it is deleted', async () => {
    const { gateway } = open(store)
    const [here, there] = [await gateway(), await gateway()]
    const admin = asAdmin(here.gateway)
    const running = await there.ann.budget.reserve({ tokens: 600 })
    expect((await admin('PUT', 'ann', { tokens: 500 })).status).toBe(200)
    await expect(there.ann.budget.reserve({ tokens: 1 })).rejects.toMatchObject({
      code: 'budget_exceeded',
      details: { pool: 'ann', available: 0 },
    })
    await running.settle({ tokens: 600 })
    await expect(there.ann.budget.reserve({ tokens: 1 })).rejects.toMatchObject({ code: 'budget_exceeded' })
    expect((await admin('DELETE', 'ann')).status).toBe(200)
    await there.ann.budget.reserve({ tokens: 400 })
    expect(await tokensOf(here.ann)).toEqual([{ used: 600, held: 400 }])
  })

  it('with another window starts another account, and finds the old one again', async () => {
    const { gateway, clock } = open(store, '2026-03-10T12:00:00Z')
    const { gateway: only, ann } = await gateway()
    const admin = asAdmin(only)
    await (await ann.budget.reserve({ tokens: 10 })).settle({ tokens: 700 })
    await admin('PUT', 'ann', { tokens: 50, window: 'day' })
    for (let day = 0; day < 6; day += 1) {
      await (await ann.budget.reserve({ tokens: 50 })).settle({ tokens: 50 })
      await expect(ann.budget.reserve({ tokens: 1 })).rejects.toMatchObject({ code: 'budget_exceeded' })
      clock.advance(24 * HOUR)
    }
    await admin('DELETE', 'ann')
    expect(await tokensOf(ann)).toEqual([{ used: 700, held: 0 }])
  })
})

describe.each(STORES)("a pool by the host's function, on $name", (store) => {
  it('is what it says at each call: of whom, since when, how much', async () => {
    const { gateway } = open(store)
    const plans = new Map([
      ['ann', 100],
      ['bob', 5],
    ])
    const { gateway: only } = await gateway({
      pools: async (name, { user }) => {
        const tokens = plans.get(user)
        return name === 'plan' && tokens !== undefined ? { tokens, window: 'month' } : null
      },
    })
    const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((user) => only.as({ user, pool: 'plan' })) as [
      ReturnType<Gateway['as']>,
      ReturnType<Gateway['as']>,
      ReturnType<Gateway['as']>,
    ]
    await ann.budget.reserve({ tokens: 60 })
    await expect(bob.budget.reserve({ tokens: 1 })).rejects.toMatchObject({ code: 'budget_exceeded' })
    await expect(eve.budget.reserve({ tokens: 1 })).rejects.toMatchObject({ code: 'unknown_pool' })
    plans.set('ann', 200)
    await ann.budget.reserve({ tokens: 140 })
    expect(await tokensOf(ann)).toEqual([{ used: 0, held: 200 }])
    plans.delete('ann')
    await expect(ann.chat({ model: 'demo', messages: [{ role: 'user', content: 'hi' }] })).rejects.toMatchObject({
      code: 'unknown_pool',
    })
  })

  it('that fails refuses the call, and lets nothing through', async () => {
    const { gateway } = open(store)
    const { gateway: only } = await gateway({
      pools: () => {
        throw new TypeError('the plans are away')
      },
    })
    const ann = only.as({ user: 'ann', pool: 'ann' })
    await expect(ann.chat({ model: 'demo', messages: [{ role: 'user', content: 'hi' }] })).rejects.toThrow()
    const body = JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: 'hi' }] })
    const headers = { 'content-type': 'application/json' }
    const reply = await ann.fetch('http://hoosh/v1/chat/completions', { method: 'POST', headers, body })
    expect(reply.status).toBe(500)
    expect(await reply.text()).not.toContain('the plans are away')
  })
})

describe.each(STORES)('windows in a time zone, on $name', (store) => {
  const berlin = { ann: { tokens: 100, window: 'day', timeZone: 'Europe/Berlin' } } as const

  it.each([
    [
      'of 23 hours, when clocks go forward',
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
    ],
    ['of 25 hours, when they go back', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
  ])('a day %s, is one account to its last millisecond', async (_what, noon, start, end) => {
    const { clock, gateway } = open(store, start)
    const { ann } = await gateway({ pools: berlin })
    const spend = async (tokens: number) => (await ann.budget.reserve({ tokens })).settle({ tokens })
    await spend(40)
    clock.set(noon)
    await spend(40)
    clock.set(Date.parse(end) - 1)
    expect(await ann.budget.pools()).toMatchObject([{ windowStart: start, resetsAt: end, used: { tokens: 80 } }])
    await expect(ann.budget.reserve({ tokens: 21 })).rejects.toMatchObject({
      code: 'budget_exceeded',
      details: { available: 20, resetsAt: end, retryAfterMs: 1 },
    })
    clock.set(end)
    await spend(100)
    expect(await ann.budget.pools()).toMatchObject([{ windowStart: end, used: { tokens: 100 } }])
    clock.set(Date.parse(start) - 1)
    expect(await ann.budget.pools()).toMatchObject([{ resetsAt: start, used: { tokens: 0 } }])
  })

  it('what began before midnight belongs to the day it began in, whenever it ends', async () => {
    const { clock, gateway } = open(store, '2026-03-28T22:59:59Z')
    const { ann } = await gateway({ pools: berlin })
    const late = await ann.budget.reserve({ tokens: 90 })
    clock.advance(2_000)
    await ann.budget.reserve({ tokens: 100 })
    await late.settle({ tokens: 70 })
    expect(await tokensOf(ann)).toEqual([{ used: 0, held: 100 }])
    clock.advance(-2_000)
    expect(await tokensOf(ann)).toEqual([{ used: 70, held: 0 }])
  })

  it('pools of several zones and windows in one chain each keep their own time', async () => {
    const { clock, gateway } = open(store, '2026-10-25T23:30:00Z')
    const { gateway: only } = await gateway({
      pools: {
        utc: { tokens: 100, window: 'day' },
        berlin: { tokens: 100, window: 'day', timeZone: 'Europe/Berlin' },
        kolkata: { tokens: 100, window: 'hour', timeZone: 'Asia/Kolkata' },
        ever: { tokens: 1_000 },
      },
    })
    const ann = only.as({ user: 'ann', pool: ['utc', 'berlin', 'kolkata', 'ever'] })
    const used = async () => (await ann.budget.pools()).map((pool) => pool.used.tokens)
    await (await ann.budget.reserve({ tokens: 60 })).settle({ tokens: 60 })
    clock.advance(HOUR)
    expect(await used()).toEqual([0, 60, 0, 60])
    await expect(ann.budget.reserve({ tokens: 41 })).rejects.toMatchObject({
      details: { pool: 'berlin', available: 40 },
    })
    await (await ann.budget.reserve({ tokens: 40 })).settle({ tokens: 40 })
    expect(await used()).toEqual([40, 100, 40, 100])
  })
})
