import { type BudgetStore, memoryBudgets, type PoolState } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chat, door, errorOf, routeFor } from '../support/door.js'
import { STORES } from '../support/money.js'

const admin = { as: 'admin' } as const
const put = (to: Awaited<ReturnType<typeof door>>, name: string, body: unknown, sending: object = admin) =>
  to.send('PUT', `/v1/tokens/pools/${encodeURIComponent(name)}`, { body: JSON.stringify(body), ...sending })

describe('GET /v1/tokens/pools', () => {
  it("is a bare array of the caller's pools, in the order of the identity, used or not", async () => {
    const to = await door(
      { pools: { z: { tokens: 10 }, a: { tokens: 20, window: 'day' }, m: {} } },
      { identify: () => ({ user: 'ada', pool: ['z', 'a', 'm'] }) },
    )
    expect((await to.get('/v1/tokens/pools')).body).toEqual([
      {
        name: 'z',
        capacity: 10,
        used: 0,
        reserved: 0,
        available: 10,
        window: null,
        window_start: null,
        resets_at: null,
      },
      {
        name: 'a',
        capacity: 20,
        used: 0,
        reserved: 0,
        available: 20,
        window: 'day',
        window_start: '2026-01-01T00:00:00.000Z',
        resets_at: '2026-01-02T00:00:00.000Z',
      },
      {
        name: 'm',
        capacity: null,
        used: 0,
        reserved: 0,
        available: null,
        window: null,
        window_start: null,
        resets_at: null,
      },
    ])
  })

  it('shows money as decimal strings, and a window of milliseconds as it was given', async () => {
    const to = await door({ pools: { 'user:*': { usd: '2.000000001', window: { everyMs: 60_000 } } } })
    await to.post('/v1/tokens/reserve', { usd: '0.5' })
    expect((await to.get('/v1/tokens/pools')).body).toEqual([
      {
        name: 'user:alice',
        capacity: null,
        used: 0,
        reserved: 0,
        available: null,
        window: { everyMs: 60_000 },
        window_start: '2026-01-01T00:00:00.000Z',
        resets_at: '2026-01-01T00:01:00.000Z',
        usd: { capacity: '2.000000001', used: '0', reserved: '0.5', available: '1.500000001' },
      },
    ])
  })

  it('begins anew with each window', async () => {
    const to = await door({ pools: { 'user:*': { tokens: 1_000, window: 'hour' } } })
    await chat(to, 'demo')
    const used = ((await to.get('/v1/tokens/pools')).body as { used: number }[])[0]!.used
    expect(used).toBeGreaterThan(0)
    to.clock.advance(3_600_000)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 0, available: 1_000 }])
  })

  it('shows an identity without a pool `default`, with ten million tokens', async () => {
    const to = await door({ pools: {} }, { identify: () => ({ user: 'ada' }) })
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ name: 'default', capacity: 10_000_000 }])
  })

  it("shows an admin everybody's that were used, and his own", async () => {
    const to = await door()
    await chat(to, 'demo', {}, { as: 'bob' })
    await chat(to, 'demo')
    const names = ((await to.get('/v1/tokens/pools', admin)).body as { name: string }[]).map(({ name }) => name)
    expect(names).toEqual(['user:root', 'user:alice', 'user:bob'])
    const rest = (await to.get('/v1/tokens/pools?after=user:alice', admin)).body as { name: string }[]
    expect(rest.map(({ name }) => name)).toEqual(['user:bob'])
  })

  it('shows an admin each of thousands, page after page', async () => {
    const budgets = memoryBudgets({ clock: Date.now })
    const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
    const made = Array.from({ length: 2_500 }, (_, index) => `${index < 1_250 ? 'a' : 'z'}${index}`)
    for (const name of made) await budgets.define(name, terms)
    const to = await door({ storage: { budgets } })
    const seen = new Set<string>()
    for (let after = '', page = 1_000; page >= 1_000; ) {
      const query = after === '' ? '' : `?after=${after}`
      const names = ((await to.get(`/v1/tokens/pools${query}`, admin)).body as { name: string }[]).map(
        ({ name }) => name,
      )
      for (const name of names) seen.add(name)
      page = names.length
      after = names.at(-1)!
    }
    expect(seen).toEqual(new Set([...made, 'user:root']))
  })

  it('of a pool that no template makes is 404 unknown_pool', async () => {
    const to = await door({ pools: {} })
    const reply = await to.get('/v1/tokens/pools')
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'unknown_pool'])
    expect(errorOf(reply).message).toContain('no template of `pools` makes it')
    expect(errorOf(reply).message).toMatch(/user:alice/)
  })
})

describe.each(STORES)('PUT and DELETE /v1/tokens/pools/{name} on $name', (store) => {
  const open = async (options = {}) => {
    const { storage, remove } = await store.open()
    onTestFinished(remove)
    return { ...(await door({ storage, migrate: true, ...options })), storage }
  }

  it('set a pool at once, before its template, until they are taken away', async () => {
    const to = await open()
    await chat(to, 'demo')
    const { used } = ((await to.get('/v1/tokens/pools')).body as { used: number }[])[0]!
    const reply = await put(to, 'user:alice', { tokens: used + 5, window: null })
    expect(reply.status).toBe(200)
    expect(reply.body).toMatchObject({ name: 'user:alice', capacity: used + 5, used, available: 5 })
    expect(await routeFor(to, 'demo')).toBe('budget_exceeded')
    expect(await routeFor(to, 'demo', {}, { as: 'bob' })).toBe('demo')
    const gone = await to.send('DELETE', '/v1/tokens/pools/user%3Aalice', admin)
    expect([gone.status, gone.body]).toEqual([200, { name: 'user:alice', deleted: true }])
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ capacity: 1_000_000, used }])
    expect(await routeFor(to, 'demo')).toBe('demo')
  })

  it('a lowered cap kills nothing that is held', async () => {
    const to = await open()
    const held = (await to.post('/v1/tokens/reserve', { tokens: 500 })).body as { reservation_id: string }
    expect((await put(to, 'user:alice', { tokens: 100 })).body).toMatchObject({ reserved: 500, available: 0 })
    const reply = await to.post('/v1/tokens/report', { reservation_id: held.reservation_id, actual: 400 })
    expect([reply.status, reply.body]).toEqual([200, { used: 400, available: 0 }])
  })

  it('a cap of 0 blocks, null caps nothing', async () => {
    const to = await open()
    await put(to, 'user:alice', { tokens: 0 })
    expect(await routeFor(to, 'demo')).toBe('budget_exceeded')
    const uncapped = { capacity: null, available: null }
    for (const body of [{ tokens: null }, { usd: null }, { tokens: null, usd: null, window: 'day' }]) {
      expect((await put(to, 'user:alice', body)).body).toMatchObject(uncapped)
      expect(await routeFor(to, 'demo')).toBe('demo')
    }
    const dollars = (await put(to, 'user:alice', { tokens: null, usd: 5 })).body
    expect(dollars).toMatchObject({ ...uncapped, usd: { capacity: '5' } })
  })

  it('limits of a pool that was set count too', async () => {
    const to = await open()
    await put(to, 'user:alice', { tokens: 1_000_000, limits: { requestsPerMinute: 1 } })
    expect([await routeFor(to, 'demo'), await routeFor(to, 'demo')]).toEqual(['demo', 'rate_limit_exceeded'])
  })

  it('`frozen` alone freezes and unfreezes, and keeps the terms, of a template or of its own', async () => {
    const to = await open()
    for (const own of [undefined, { tokens: 500_000, window: 'day' }]) {
      if (own !== undefined) await put(to, 'user:alice', own)
      const [{ used: _before, reserved: _held, available: _left, ...terms }] = (await to.get('/v1/tokens/pools'))
        .body as [Record<string, unknown>]
      const held = (await to.post('/v1/tokens/reserve', { tokens: 500 })).body as { reservation_id: string }
      expect((await put(to, 'user:alice', { frozen: true })).body).toMatchObject({
        ...terms,
        frozen: true,
        reserved: 500,
      })
      const refused = await to.post('/v1/tokens/reserve', { tokens: 1 })
      expect([refused.status, errorOf(refused)]).toMatchObject([403, { code: 'pool_frozen', pool: 'user:alice' }])
      expect(await routeFor(to, 'demo')).toBe('pool_frozen')
      expect((await to.post('/v1/tokens/check', { tokens: 1 })).body).toMatchObject({ allowed: false })
      const reply = await to.post('/v1/tokens/report', { reservation_id: held.reservation_id, actual: 4 })
      expect(reply.status).toBe(200)
      const unfrozen = (await put(to, 'user:alice', { frozen: false })).body
      expect(unfrozen).toMatchObject({ ...terms, used: 4, reserved: 0 })
      expect(unfrozen).not.toHaveProperty('frozen')
      expect(await to.storage.budgets?.overrides()).toHaveLength(own === undefined ? 0 : 1)
    }
  })

  it('`frozen` of a template refuses every call until an admin ends it', async () => {
    const to = await open({ pools: { 'user:*': { tokens: 1_000_000, frozen: true } } })
    const refused = await chat(to, 'demo')
    expect([refused.status, errorOf(refused)]).toMatchObject([403, { code: 'pool_frozen', pool: 'user:alice' }])
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ capacity: 1_000_000, frozen: true }])
    await put(to, 'user:alice', { frozen: false })
    expect([await routeFor(to, 'demo'), await routeFor(to, 'demo', {}, { as: 'bob' })]).toEqual(['demo', 'pool_frozen'])
  })

  it('a freeze beside a PUT of another process loses nothing of what that one was told', async () => {
    const budgets = memoryBudgets({ clock: Date.now })
    // Between the first look at the pool and what is written after it, somebody else sets its terms.
    let looks = 0
    const meanwhile: BudgetStore = {
      ...budgets,
      read(pools, now) {
        const states = budgets.read(pools, now)
        const [{ terms }] = states as [PoolState]
        if (looks++ === 0) budgets.define('user:u', { ...terms, capacity: { tokens: 7 } })
        return states
      },
    }
    const to = await door({ pools: { 'user:*': { tokens: 100 } }, storage: { budgets: meanwhile } })
    expect((await put(to, 'user:u', { frozen: true })).status).toBe(200)
    expect(budgets.overrides()).toMatchObject([{ terms: { capacity: { tokens: 7 } } }])
  })

  it('freeze a pool by name alone only where something says what it is', async () => {
    const to = await open({ pools: {} })
    const reply = await put(to, 'nobody-knows', { frozen: true })
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'unknown_pool'])
  })

  it('make a pool that no template knows', async () => {
    const to = await open({ pools: {} })
    expect(await routeFor(to, 'demo')).toBe('unknown_pool')
    await put(to, 'user:alice', { tokens: 100_000 })
    expect(await routeFor(to, 'demo')).toBe('demo')
  })

  it('are on record, with who did it', async () => {
    const to = await open()
    await put(to, 'team:red/blue', { usd: '1.5' })
    for (const frozen of [true, false]) await put(to, 'team:red/blue', { frozen })
    await to.send('DELETE', `/v1/tokens/pools/${encodeURIComponent('team:red/blue')}`, admin)
    const { entries } = (await to.get('/v1/audit?subject=root', admin)).body as { entries: object[] }
    const about = { level: 'warn', subject: 'root', pool: 'team:red/blue' }
    expect(entries).toHaveLength(4)
    for (const event of [
      { event: 'admin.pool_set', metadata: { tokens: null, nano_usd: 1.5e9 } },
      { event: 'admin.pool_frozen' },
      { event: 'admin.pool_unfrozen' },
      { event: 'admin.pool_deleted' },
    ])
      expect(entries).toContainEqual(expect.objectContaining({ ...about, ...event }))
  })

  it('twice are the same as once', async () => {
    const to = await open()
    for (let times = 0; times < 2; times += 1) expect((await put(to, 'p', { tokens: 5 })).status).toBe(200)
    for (let times = 0; times < 2; times += 1)
      expect((await to.send('DELETE', '/v1/tokens/pools/p', admin)).status).toBe(200)
  })
})

describe('PUT /v1/tokens/pools/{name}', () => {
  it.each<[string, unknown, string]>([
    ['a slip in a name, which would be no cap', { token: 5 }, 'token'],
    ['negative tokens', { tokens: -1 }, 'tokens'],
    ['a fraction', { tokens: 1.5 }, 'tokens'],
    ['more than 2^52', { tokens: 2 ** 52 + 1 }, 'tokens'],
    ['tokens as text', { tokens: '5' }, 'tokens'],
    ['ten decimals of a dollar', { usd: '0.0000000001' }, 'usd'],
    ['an unknown window', { window: 'year' }, 'window'],
    ['a window of no time', { window: { everyMs: 0 } }, 'window.everyMs'],
    ['a time zone that is none', { timeZone: 'Mars/Base' }, 'timeZone'],
    ['a limit below 0', { limits: { concurrent: -1 } }, 'limits.concurrent'],
    ['an unknown limit', { limits: { rpm: 1 } }, 'limits.rpm'],
    ['an unknown way with unpriced models', { unpriced: 'maybe' }, 'unpriced'],
    ['a freeze that is neither', { frozen: 'yes' }, 'frozen'],
  ])('of %s is 400 that names it', async (_what, body, param) => {
    const reply = await put(await door(), 'p', body)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
    expect(errorOf(reply).message).toContain(`${param} must be`)
  })

  it.each([{}, { window: 'day' }, { frozen: true, window: 'day' }, { limits: { concurrent: 1 } }])(
    'of no cap, %j, is 400 that asks for one, and lifts none',
    async (body) => {
      const to = await door({ pools: { p: { tokens: 5 } } })
      const reply = await put(to, 'p', body)
      expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', 'tokens'])
      expect(errorOf(reply).message).toMatch(/`tokens`.*`usd`.*null/)
      expect((await to.get('/v1/tokens/pools', admin)).body).not.toContainEqual(
        expect.objectContaining({ name: 'p', capacity: null }),
      )
    },
  )

  it('of no JSON object is 400 invalid_json or invalid_request', async () => {
    const to = await door()
    const send = (body: string) => to.send('PUT', '/v1/tokens/pools/p', { ...admin, body })
    expect(errorOf(await send('')).code).toBe('invalid_json')
    expect(errorOf(await send('{"tokens":')).code).toBe('invalid_json')
    expect(errorOf(await send('[1]')).code).toBe('invalid_request')
  })

  it('of a name that is none is 400 that says so', async () => {
    const to = await door()
    for (const name of ['x'.repeat(257), 'a\u0001b', 'a"b']) {
      const reply = await put(to, name, { tokens: 1 })
      expect([reply.status, errorOf(reply).param]).toEqual([400, 'name'])
      expect(errorOf(reply).message).toContain('1 to 256')
    }
  })

  it('is for admins alone', async () => {
    const to = await door()
    const reply = await put(to, 'user:alice', { tokens: 9e15 }, {})
    expect([reply.status, errorOf(reply).code, errorOf(reply).type]).toEqual([403, 'forbidden', 'permission_error'])
    expect((await put(to, 'user:alice', {}, { as: 'nobody' })).status).toBe(401)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ capacity: 1_000_000 }])
  })
})
