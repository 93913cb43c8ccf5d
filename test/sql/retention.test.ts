import { createGateway } from '@hoosh/core'
import { noUsage, type UsageRecord } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DATABASES, type DatabaseKind } from '../support/databases.js'

const DAY_MS = 86_400_000
const T = 1_800_000_000_000

const request = (id: string, pools: readonly string[], tokens: number, leaseMs = 60_000) => {
  const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
  const ask = { fixed: { tokens, nanoUsd: 0 }, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 }
  const call = { owner: 'ann', phase: 'sent', leaseMs, now: T, onExpire: 'charge' } as const
  return { id, pools: pools.map((name) => ({ name, terms })), ask, ...call }
}

const usage = (id: string, at: number): UsageRecord => ({
  id,
  at,
  requestId: id,
  user: 'ann',
  pool: 'a',
  pools: ['a'],
  provider: 'openai',
  route: 'openai',
  local: false,
  model: 'm',
  kind: 'chat',
  stream: false,
  price: 'table',
  usage: { ...noUsage, input: 3, output: 2 },
  source: 'reported',
  nanoUsd: 10,
  outcome: 'ok',
  latencyMs: 1,
})

async function open({ make }: DatabaseKind) {
  const clock = fakeClock(T)
  const database = make({ clock: clock.now, retention: { usageDays: 30, entryDays: 30 } })
  onTestFinished(() => database.remove())
  const storages = await Promise.all([database.open(), database.open()])
  const count = async (table: string) =>
    Number((await database.read<{ n: unknown }>(`select count(*) as n from $.hoosh_${table}`))[0]!.n)
  return { clock, database, storage: storages[0]!, other: storages[1]!, count }
}

/** What accounts used is what they dropped and what is still there. */
const BOOKS = `select a.pool, a.used_tokens as used, a.held_tokens as held, a.dropped_tokens
    + (select coalesce(sum(charged_tokens), 0) from $.hoosh_holds where pool = a.pool and state <> 'held')
    + (select coalesce(sum(tokens), 0) from $.hoosh_corrections
      where pool = a.pool and kind in ('correction', 'refund')) as booked
  from $.hoosh_accounts as a order by a.pool`

describe.each(DATABASES)('what is old is forgotten on $name', (kind) => {
  const test = it.skipIf(kind.missing !== null)

  test('entries go, what pools have used and hold stays, and many sweep at once', async () => {
    const { clock, database, storage, other, count } = await open(kind)
    const { budgets } = storage
    for (let index = 0; index < 700; index += 50) {
      const ids = Array.from({ length: 50 }, (_, more) => `r${index + more}`)
      await Promise.all(ids.map(async (id) => budgets.reserve(request(id, ['a', 'b'], 5))))
      await Promise.all(ids.map(async (id) => budgets.settle(id, { tokens: 3, nanoUsd: 0 })))
    }
    await budgets.reserve(request('late', ['a'], 9))
    clock.advance(60_000)
    await budgets.expire({ limit: 10, onExpire: 'charge' })
    await budgets.settle('late', { tokens: 4, nanoUsd: 0 })
    await budgets.reserve(request('open', ['b'], 8, 3_600_000))
    clock.advance(30 * DAY_MS - 3_600_000)
    await budgets.renew([{ id: 'open', counted: { tokens: 0, nanoUsd: 0 } }], 3_600_000)
    await budgets.reserve(request('new', ['a'], 6))
    await budgets.settle('new', { tokens: 6, nanoUsd: 0 })
    await storage.sweep!(clock.now())
    expect(await count('holds')).toBe(700 * 2 + 3)
    clock.advance(3_600_000 + 60_001)
    await Promise.all([storage.sweep!(clock.now()), other.sweep!(clock.now()), storage.sweep!(clock.now())])
    expect([await count('holds'), await count('corrections')]).toEqual([2, 0])
    const books = await database.read<Record<string, unknown>>(BOOKS)
    expect(books.map(({ pool, used, held, booked }) => [pool, Number(used), Number(held), Number(booked)])).toEqual([
      ['a', 2_100 + 4 + 6, 0, 2_100 + 4 + 6],
      ['b', 2_100, 8, 2_100],
    ])
    const kept = await budgets.entries('a', { limit: 10 })
    expect(kept.map(({ reservation }) => reservation)).toEqual(['new'])
  })

  test('entries of refunds and credits go, sums and credits stay', async () => {
    const { clock, database, storage, count } = await open(kind)
    const { budgets } = storage
    const asked = {
      name: 'a',
      terms: { capacity: { tokens: 10 }, window: null, timeZone: 'UTC', unpriced: 'refuse' },
    } as const
    const credit = { amount: { tokens: 20, nanoUsd: 0 }, note: null }
    const give = (id: string, expiresAt: number | null) => budgets.credit(asked, { ...credit, id, expiresAt }, T)
    await give('over', T + 1_000)
    await give('kept', null)
    await budgets.reserve({ ...request('r', [], 35), pools: [asked] })
    await budgets.settle('r', { tokens: 32, nanoUsd: 0 })
    await budgets.refund({ id: 'f', reservation: 'r', amount: { tokens: 4, nanoUsd: 0 }, note: null })
    clock.advance(2_000)
    await budgets.reserve({ ...request('s', [], 9), pools: [asked] })
    await budgets.release('s')
    await budgets.expire({ limit: 1, onExpire: 'charge' })
    const before = await budgets.read([asked], T)
    expect(before).toMatchObject([
      { used: { tokens: 28 }, drawn: { tokens: 20 }, credits: [{ id: 'kept', left: { tokens: 20 } }] },
    ])
    clock.advance(31 * DAY_MS)
    await storage.sweep!(clock.now())
    expect([await count('holds'), await count('corrections'), await count('credits')]).toEqual([0, 0, 2])
    const [books] = await database.read<Record<string, unknown>>(BOOKS)
    expect([Number(books!.used), Number(books!.booked)]).toEqual([28, 28])
    expect(await budgets.read([asked], T)).toEqual(before)
    expect((await give('over', T + 1_000)).repeated).toBe(true)
  })

  test('a forgotten pool goes with the last of its entries', async () => {
    const { clock, storage, count } = await open(kind)
    const { budgets } = storage
    await budgets.reserve(request('r', ['run', 'ann'], 9))
    await budgets.settle('r', { tokens: 4, nanoUsd: 0 })
    expect(await budgets.forget('run')).toBe(true)
    await storage.sweep!(clock.now())
    expect(await budgets.entries('run', { limit: 10 })).toHaveLength(1)
    clock.advance(31 * DAY_MS)
    await storage.sweep!(clock.now())
    expect(await budgets.entries('run', { limit: 10 })).toEqual([])
    expect([await count('pools'), await count('accounts'), await count('holds')]).toEqual([1, 1, 0])
    await budgets.define('unused', request('', ['unused'], 0).pools[0]!.terms)
    expect(await budgets.forget('unused')).toBe(true)
    expect(await count('pools')).toBe(1)
  })

  test('usage records go, and their totals stay', async () => {
    const { clock, storage, count } = await open(kind)
    const records = Array.from({ length: 1_200 }, (_, index) => usage(`u${index}`, T + index))
    await storage.usage.record(records)
    await storage.usage.record([usage('new', T + DAY_MS)])
    const totals = await storage.usage.totals({})
    clock.set(T + 30 * DAY_MS + 2_000)
    await storage.sweep!(clock.now())
    expect(await count('usage')).toBe(1)
    expect(await storage.usage.totals({})).toEqual(totals)
    expect(totals.reduce((sum, { requests }) => sum + requests, 0)).toBe(1_201)
  })

  test('windows and rooms that are over go, others stay', async () => {
    const { storage, count } = await open(kind)
    const { rates } = storage
    const ask = (key: string) => [{ key, limit: 5, windowMs: 60_000, cost: 1 }]
    for (let index = 0; index < 30; index += 1) await rates.take(ask(`k${index}`), T + index * 1_000)
    await rates.enter('call', [{ key: 'room', limit: 2 }], 10_000, T)
    await rates.enter('longer', [{ key: 'other room', limit: 2 }], 100_000, T)
    // By whose clock it is over may be a minute fast.
    await storage.sweep!(T + 130_000)
    expect([await count('rates'), await count('events'), await count('places')]).toEqual([20, 19, 1])
    expect((await rates.take(ask('k20'), T + 70_000)).windows).toEqual([{ remaining: 3, resetMs: 60_000 }])
  })

  test('a process whose clock is a minute fast forgets nothing that others count by', async () => {
    const { storage, other } = await open(kind)
    const asks = [{ key: 'k', limit: 1, windowMs: 60_000, cost: 1 }]
    const room = [{ key: 'room', limit: 1 }]
    await storage.rates.take(asks, T)
    await storage.rates.enter('call', room, 10_000, T)
    await other.sweep!(T + 9_999 + 60_000)
    expect(await storage.rates.enter('next', room, 10_000, T + 9_999)).toBe('room')
    await other.sweep!(T + 59_999 + 60_000)
    expect(await storage.rates.take(asks, T + 59_999)).toMatchObject({ ok: false, retryAfterMs: 1 })
    expect(await storage.rates.take(asks, T + 60_000)).toMatchObject({ ok: true })
  })

  test('a gateway sweeps by itself', async () => {
    const { clock, storage, count } = await open(kind)
    await storage.usage.record([usage('old', T)])
    clock.set(T + 31 * DAY_MS)
    const gateway = createGateway({
      storage,
      providers: [{ type: 'demo' }],
      budget: { sweepMs: 10 },
      clock: clock.now,
      logger: false,
    })
    onTestFinished(() => gateway.close())
    await gateway.ready()
    await expect.poll(() => count('usage')).toBe(0)
  })
})

it('days that are none are refused', () => {
  const database = { prepare: () => ({}) as never }
  expect(() => sqlStorage(database, { retention: { usageDays: 0.5 } })).toThrow(/retention.usageDays/)
})
