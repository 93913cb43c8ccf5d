import { describe, expect, it, onTestFinished } from 'vitest'
import { chat, type Door, door, errorOf, type Reply, type Sending } from '../support/door.js'
import { STORES } from '../support/money.js'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Alice pays from two pools of her own. */
const two = (pools: Record<string, object> = { a: { tokens: 1_000 }, b: { tokens: 500, window: 'day' } }) =>
  door({ pools }, { identify: () => ({ user: 'alice', pool: ['a', 'b'] }) })

const ask = (to: Door, what: 'check' | 'reserve' | 'report', body: unknown, sending?: Sending): Promise<Reply> =>
  to.post(`/v1/tokens/${what}`, body, sending)
const raw = (to: Door, what: string, body: string): Promise<Reply> => to.send('POST', `/v1/tokens/${what}`, { body })

const reserved = async (to: Door, body: object, sending?: Sending) =>
  (await ask(to, 'reserve', body, sending)).body as { reservation_id: string; available: number; expires_at: string }

describe('POST /v1/tokens/check', () => {
  it('says whether a pool has room, and how much', async () => {
    const to = await two()
    expect((await ask(to, 'check', { pool: 'a', tokens: 1_000 })).body).toEqual({ allowed: true, available: 1_000 })
    expect((await ask(to, 'check', { pool: 'a', tokens: 1_001 })).body).toEqual({ allowed: false, available: 1_000 })
    expect((await ask(to, 'check', { pool: 'b', tokens: 501 })).body).toEqual({ allowed: false, available: 500 })
  })

  it('means the first pool of the caller where none is named', async () => {
    expect((await ask(await two(), 'check', { tokens: 1 })).body).toEqual({ allowed: true, available: 1_000 })
  })

  it('holds nothing', async () => {
    const to = await two()
    for (let times = 0; times < 3; times += 1) await ask(to, 'check', { pool: 'a', tokens: 900 })
    expect((await ask(to, 'check', { pool: 'a', tokens: 1_000 })).body).toEqual({ allowed: true, available: 1_000 })
  })

  it('counts what is held and used', async () => {
    const to = await two()
    await reserved(to, { pool: 'a', tokens: 400 })
    expect((await ask(to, 'check', { pool: 'a', tokens: 601 })).body).toEqual({ allowed: false, available: 600 })
  })

  it('of an uncapped pool says null', async () => {
    const to = await two({ a: {}, b: {} })
    expect((await ask(to, 'check', { tokens: 5 })).body).toEqual({ allowed: true, available: null })
  })

  it('of a pool with money takes usd, and says it in both units', async () => {
    const to = await two({ a: { usd: '1.50', tokens: 10 }, b: {} })
    const left = { available: 10, available_usd: '1.5' }
    expect((await ask(to, 'check', { usd: '1.5' })).body).toEqual({ allowed: true, ...left })
    expect((await ask(to, 'check', { usd: 1.500000001 })).body).toEqual({ allowed: false, ...left })
    expect((await ask(to, 'check', { usd: 0.5, tokens: 11 })).body).toEqual({ allowed: false, ...left })
  })

  it('of a pool that is blocked in tokens says no, whatever is asked, as `reserve` does', async () => {
    const to = await two({ a: { usd: 5, tokens: 0 }, b: {} })
    expect((await ask(to, 'check', { usd: 1 })).body).toMatchObject({ allowed: false, available: 0 })
    expect((await ask(to, 'reserve', { usd: 1 })).status).toBe(429)
  })

  it('of a pool with money only needs usd', async () => {
    const to = await two({ a: { usd: 1 }, b: {} })
    expect((await ask(to, 'check', { usd: 1 })).body).toEqual({ allowed: true, available: null, available_usd: '1' })
    const reply = await ask(to, 'check', { tokens: 5 })
    expect([reply.status, errorOf(reply).param]).toEqual([400, 'tokens'])
    expect(errorOf(reply).message).toContain('`usd`')
  })
})

describe('POST /v1/tokens/reserve', () => {
  it('holds, and says until when', async () => {
    const to = await two()
    const reply = await ask(to, 'reserve', { pool: 'a', tokens: 400 })
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      reserved: true,
      available: 600,
      reservation_id: expect.stringMatching(/^\S{8,}$/),
      expires_at: '2026-01-01T00:10:00.000Z',
    })
    const { body } = await to.get('/v1/tokens/pools')
    expect(body).toMatchObject([
      { name: 'a', reserved: 400, available: 600, used: 0 },
      { name: 'b', reserved: 0 },
    ])
  })

  it('refused is 429 as every refusal is, with what old clients read at the top', async () => {
    const to = await two()
    const reply = await ask(to, 'reserve', { pool: 'b', tokens: 501 })
    expect(reply.status).toBe(429)
    expect(reply.headers.get('x-should-retry')).toBe('false')
    expect(reply.body).toEqual({
      reserved: false,
      available: 500,
      error: {
        message: expect.stringContaining('"b"'),
        type: 'insufficient_quota',
        param: null,
        code: 'budget_exceeded',
        pool: 'b',
        available: 500,
        resets_at: '2026-01-02T00:00:00.000Z',
      },
    })
    expect(await (await to.get('/v1/tokens/pools')).body).toMatchObject([{}, { name: 'b', reserved: 0 }])
  })

  it('refused for money says so in money, too', async () => {
    const to = await two({ a: { usd: '0.25' }, b: {} })
    const reply = await ask(to, 'reserve', { usd: '0.26' })
    expect(reply.status).toBe(429)
    expect(reply.body).toMatchObject({
      reserved: false,
      available: null,
      available_usd: '0.25',
      error: { code: 'budget_exceeded', available_usd: '0.25', resets_at: null },
    })
  })

  it('lasts as long as ttl_seconds, from 1 to 3,600', async () => {
    const to = await two()
    expect((await reserved(to, { tokens: 1, ttl_seconds: 1 })).expires_at).toBe('2026-01-01T00:00:01.000Z')
    expect((await reserved(to, { tokens: 1, ttl_seconds: 3_600 })).expires_at).toBe('2026-01-01T01:00:00.000Z')
    for (const ttl_seconds of [0, -1, 3_601, 1.5, '60', null]) {
      const reply = await ask(to, 'reserve', { tokens: 1, ttl_seconds })
      expect([ttl_seconds, reply.status, errorOf(reply).param]).toEqual([ttl_seconds, 400, 'ttl_seconds'])
      expect(errorOf(reply).message).toContain('1 to 3600')
    }
  })

  it('is charged in full when its time has passed, and its room is gone for good', async () => {
    const to = await two()
    await reserved(to, { pool: 'a', tokens: 400, ttl_seconds: 10 })
    to.clock.advance(10_001)
    await reserved(to, { pool: 'a', tokens: 1 })
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 400, reserved: 1, available: 599 }, {}])
    expect(to.events).toContainEqual(expect.objectContaining({ type: 'budget.expired', owner: 'alice', tokens: 400 }))
  })

  it('the 101st that is open is 429 too_many_reservations; one that ends makes room', async () => {
    const to = await two()
    const open = await Promise.all(Array.from({ length: 100 }, () => reserved(to, { tokens: 1 })))
    const reply = await ask(to, 'reserve', { tokens: 1 })
    expect(reply.status).toBe(429)
    expect(errorOf(reply)).toMatchObject({ type: 'rate_limit_error', code: 'too_many_reservations' })
    expect(errorOf(reply).message).toMatch(/settle|report|release|expire/i)
    await ask(to, 'report', { reservation_id: open[0]!.reservation_id, actual: 1 })
    expect((await ask(to, 'reserve', { tokens: 1 })).status).toBe(200)
  })

  it('the hundred are of one user: another still may', async () => {
    const to = await door({ pools: { 'user:*': { tokens: 1_000 } } })
    await Promise.all(Array.from({ length: 100 }, () => reserved(to, { tokens: 1 })))
    expect((await ask(to, 'reserve', { tokens: 1 }, { as: 'bob' })).status).toBe(200)
  })
})

describe('POST /v1/tokens/report', () => {
  it('closes a reservation by its id, with what was really used', async () => {
    const to = await two()
    const { reservation_id } = await reserved(to, { pool: 'a', tokens: 400 })
    const reply = await ask(to, 'report', { reservation_id, actual: 320 })
    expect([reply.status, reply.body]).toEqual([200, { used: 320, available: 680 }])
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 320, reserved: 0 }, {}])
  })

  it('charges more than was held, and nothing for 0', async () => {
    const to = await two()
    const more = await reserved(to, { pool: 'a', tokens: 100 })
    expect((await ask(to, 'report', { reservation_id: more.reservation_id, actual: 900 })).body).toEqual({
      used: 900,
      available: 100,
    })
    const none = await reserved(to, { pool: 'a', tokens: 100 })
    expect((await ask(to, 'report', { reservation_id: none.reservation_id, actual: 0 })).body).toEqual({
      used: 900,
      available: 100,
    })
  })

  it('as old clients do: by pool and amount, the oldest first', async () => {
    const to = await two()
    const first = await reserved(to, { pool: 'a', tokens: 100 })
    to.clock.advance(1)
    await reserved(to, { pool: 'a', tokens: 200 })
    to.clock.advance(1)
    const third = await reserved(to, { pool: 'a', tokens: 100 })
    expect((await ask(to, 'report', { pool: 'a', reserved: 100, actual: 60 })).body).toEqual({
      used: 60,
      available: 640,
    })
    // The first is closed with 60 now; the third is still open.
    expect((await ask(to, 'report', { reservation_id: first.reservation_id, actual: 61 })).status).toBe(409)
    expect((await ask(to, 'report', { reservation_id: third.reservation_id, actual: 10 })).body).toMatchObject({
      used: 70,
    })
    const none = await ask(to, 'report', { pool: 'a', reserved: 100, actual: 60 })
    expect([none.status, errorOf(none).code, errorOf(none).param]).toEqual([409, 'reservation_conflict', 'reserved'])
    expect(errorOf(none).message).toMatch(/100 tokens.*"a"/)
  })

  it.each(STORES)('by pool and amount, many at once, each closes one of its own ($name)', async (store) => {
    const { storage, remove } = await store.open()
    onTestFinished(remove)
    const to = await door({ storage, migrate: true })
    for (let times = 0; times < 5; times += 1) await reserved(to, { tokens: 100 })
    // In process, so that nothing but the store comes between them.
    const { fetch } = to.gateway.as({ user: 'alice', pool: 'user:alice' })
    const report = (actual: number) =>
      fetch('http://hoosh/v1/tokens/report', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ reserved: 100, actual }),
      })
    const replies = await Promise.all([10, 10, 20, 10, 20, 10, 10, 20].map(report))
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 409, 409, 409])
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ reserved: 0 }])
  })

  it('of the same values again has the same answer; of others it is 409', async () => {
    const to = await two()
    const { reservation_id } = await reserved(to, { pool: 'a', tokens: 100 })
    const once = await ask(to, 'report', { reservation_id, actual: 50 })
    const again = await ask(to, 'report', { reservation_id, actual: 50 })
    expect([again.status, again.body]).toEqual([200, once.body])
    const other = await ask(to, 'report', { reservation_id, actual: 51 })
    expect([other.status, errorOf(other).code]).toEqual([409, 'reservation_conflict'])
  })

  it('after its time has passed corrects the charge', async () => {
    const to = await two()
    const { reservation_id } = await reserved(to, { pool: 'a', tokens: 400, ttl_seconds: 1 })
    to.clock.advance(2_000)
    await ask(to, 'reserve', { pool: 'a', tokens: 1 })
    expect((await ask(to, 'report', { reservation_id, actual: 100 })).status).toBe(200)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 100 }, {}])
  })

  it('with a pool that disagrees with the id is 409', async () => {
    const to = await two()
    const { reservation_id } = await reserved(to, { pool: 'a', tokens: 100 })
    const reply = await ask(to, 'report', { reservation_id, pool: 'b', actual: 1 })
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([409, 'reservation_conflict', 'pool'])
    expect((await ask(to, 'report', { reservation_id, pool: 'a', actual: 1 })).status).toBe(200)
  })

  it("of an unknown id, of another's, and of a running call's own hold is one and the same 404", async () => {
    const to = await door({ pools: { 'user:*': { tokens: 100_000 } } })
    const bobs = await reserved(to, { tokens: 5 }, { as: 'bob' })
    await chat(to, 'demo')
    const { entries } = (await to.get('/v1/audit')).body as { entries: { reservation?: string }[] }
    const ofCall = entries.find((entry) => entry.reservation !== undefined)!.reservation
    const replies = await Promise.all(
      ['nothing', '', bobs.reservation_id, ofCall].map((reservation_id) =>
        ask(to, 'report', { reservation_id, actual: 1 }),
      ),
    )
    for (const reply of replies) {
      expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([404, 'not_held', 'reservation_id'])
      expect(errorOf(reply).message).toBe(errorOf(replies[0]!).message)
    }
  })

  it.each<[string, object, string]>([
    ['neither an id nor an amount', { actual: 5 }, 'reservation_id'],
    ['no actual', { reservation_id: 'x' }, 'actual'],
    ['an id that is none', { reservation_id: 5, actual: 5 }, 'reservation_id'],
    ['an actual of words', { reservation_id: 'x', actual: 'many' }, 'actual'],
    ['an actual that is negative', { reservation_id: 'x', actual: -1 }, 'actual'],
    ['an actual that is a fraction', { reservation_id: 'x', actual: 0.5 }, 'actual'],
    ['money that is none', { reservation_id: 'x', actual_usd: 'dear' }, 'actual_usd'],
    ['money of another shape', { reservation_id: 'x', actual_usd: {} }, 'actual_usd'],
    ['negative money', { reservation_id: 'x', actual_usd: -1 }, 'actual_usd'],
    ['a reserved amount of 0', { pool: 'a', reserved: 0, actual: 5 }, 'reserved'],
  ])('with %s is 400 that names it', async (_what, body, param) => {
    const reply = await ask(await two(), 'report', body)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
    expect(errorOf(reply).message).toMatch(new RegExp(`^${param}: (must|is required)`))
  })

  it('closes a reservation of money in money', async () => {
    const to = await two({ a: { usd: 2 }, b: {} })
    const { reservation_id } = await reserved(to, { usd: '0.5' })
    const reply = await ask(to, 'report', { reservation_id, actual_usd: '0.123456789' })
    expect([reply.status, reply.body]).toEqual([200, { used: 0, available: null, available_usd: '1.876543211' }])
  })
})

describe('an amount', () => {
  const counts = [
    '0',
    '-1',
    '1.5',
    '-0',
    '1e400',
    '-1e400',
    '9007199254740992',
    '9007199254740993',
    '1e16',
    '"5"',
    'true',
    'null',
    '[5]',
    '{}',
  ]

  it.each(counts)('of %s tokens is refused by name', async (text) => {
    const to = await two()
    for (const what of ['check', 'reserve']) {
      const reply = await raw(to, what, `{"pool":"a","tokens":${text}}`)
      expect([what, reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([
        what,
        400,
        'invalid_request',
        'tokens',
      ])
    }
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ reserved: 0 }, { reserved: 0 }])
  })

  it.each(counts.filter((text) => text !== '0' && text !== '-0'))(
    'of %s actual tokens is refused by name',
    async (text) => {
      const to = await two()
      const { reservation_id } = await reserved(to, { pool: 'a', tokens: 10 })
      const reply = await raw(to, 'report', `{"reservation_id":"${reservation_id}","actual":${text}}`)
      expect([reply.status, errorOf(reply).param]).toEqual([400, 'actual'])
      expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 0, reserved: 10 }, {}])
    },
  )

  it.each(['0', '-1', '"1.0000000001"', '"1e3"', '"NaN"', '"dear"', '1e400', '9e15', 'true', '[]', '""'])(
    'of %s USD is refused by name',
    async (text) => {
      const to = await two({ a: { usd: 5 }, b: {} })
      for (const what of ['check', 'reserve']) {
        const reply = await raw(to, what, `{"pool":"a","usd":${text}}`)
        expect([what, reply.status, errorOf(reply).param]).toEqual([what, 400, 'usd'])
        expect(errorOf(reply).message).toMatch(/^`?usd`?:? (must be|is)/)
      }
    },
  )

  it('of tokens up to 2^53 - 1 is a count like any other', async () => {
    const to = await two({ a: {}, b: {} })
    expect((await ask(to, 'check', { tokens: Number.MAX_SAFE_INTEGER })).body).toEqual({
      allowed: true,
      available: null,
    })
    const capped = await two()
    expect((await ask(capped, 'reserve', { tokens: Number.MAX_SAFE_INTEGER })).status).toBe(429)
  })

  it('is required', async () => {
    for (const what of ['check', 'reserve'] as const) {
      const reply = await ask(await two(), what, { pool: 'a' })
      expect([reply.status, errorOf(reply).param]).toEqual([400, 'tokens'])
      expect(errorOf(reply).message).toContain('"a"')
    }
  })
})

describe('a pool', () => {
  it.each(['check', 'reserve', 'report'] as const)('in %s that is not of the caller is 403', async (what) => {
    const to = await two()
    for (const pool of ['c', 'user:bob', 'default']) {
      const reply = await ask(to, what, { pool, tokens: 1, reserved: 1, actual: 1 })
      expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([403, 'pool_not_allowed', 'pool'])
      expect(errorOf(reply).type).toBe('permission_error')
    }
  })

  it.each(['check', 'reserve'] as const)('in %s that no template makes is 404 for an admin', async (what) => {
    const to = await door()
    const reply = await ask(to, what, { pool: 'unheard-of', tokens: 1 }, { as: 'admin' })
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'unknown_pool'])
    expect(errorOf(reply).message).toMatch(/unheard-of|template/)
  })

  it('may be any for an admin, and exactly that one is held', async () => {
    const to = await door()
    expect((await ask(to, 'reserve', { pool: 'user:alice', tokens: 7 }, { as: 'admin' })).status).toBe(200)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ name: 'user:alice', reserved: 7 }])
  })

  it.each([5, null, '', 'a"b', 'x'.repeat(257)])('of the name %j is 400', async (pool) => {
    const reply = await ask(await two(), 'check', { pool, tokens: 1 })
    expect([reply.status, errorOf(reply).param]).toEqual([400, 'pool'])
  })

  it('has times in ISO 8601', async () => {
    const { expires_at } = await reserved(await two(), { tokens: 1 })
    expect(expires_at).toMatch(ISO)
  })
})
