import type { AuditDetails, HooshContext, HooshOptions, HostAmount, Identity } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { door } from '../support/door.js'

const ada: Identity = { user: 'ada', pool: ['user:ada', 'team'] }

const open = async (options: HooshOptions = {}) => {
  const to = await door({
    pools: { 'user:*': { tokens: 1_000, usd: 5 }, team: { tokens: 600, window: 'day' } },
    ...options,
  })
  return { to, me: to.gateway.as(ada) }
}
const booked = async (me: HooshContext) =>
  (await me.budget.pools()).map(({ name, used, held }) => [name, used.tokens, held.tokens])

describe('budget', () => {
  it('pools() is what the caller has, in the order of the identity', async () => {
    const { me } = await open()
    expect(await me.budget.pools()).toEqual([
      {
        name: 'user:ada',
        window: null,
        windowStart: null,
        resetsAt: null,
        frozen: false,
        capacity: { tokens: 1_000, nanoUsd: 5e9 },
        used: { tokens: 0, nanoUsd: 0 },
        held: { tokens: 0, nanoUsd: 0 },
        available: { tokens: 1_000, nanoUsd: 5e9 },
        credits: [],
      },
      {
        name: 'team',
        window: 'day',
        windowStart: '2026-01-01T00:00:00.000Z',
        resetsAt: '2026-01-02T00:00:00.000Z',
        frozen: false,
        capacity: { tokens: 600 },
        used: { tokens: 0, nanoUsd: 0 },
        held: { tokens: 0, nanoUsd: 0 },
        available: { tokens: 600 },
        credits: [],
      },
    ])
  })

  it('available() is the tightest of each unit; what no pool caps is absent', async () => {
    const { to, me } = await open()
    expect(await me.budget.available()).toEqual({ tokens: 600, nanoUsd: 5e9 })
    expect(await to.gateway.as({ user: 'x', pool: 'team' }).budget.available()).toEqual({ tokens: 600 })
    const free = await open({ pools: { '*': {} } })
    expect(await free.me.budget.available()).toEqual({})
  })

  it('what JavaScript leaves out is named, and nothing is held for it', async () => {
    const { to, me } = await open()
    const admin = to.gateway.as({ user: 'root', roles: ['admin'] }).budget
    const missing = undefined as never
    const asked = [
      ['amount', () => me.budget.reserve(missing)],
      ['options', () => me.budget.run(missing)],
      ['options', () => me.browserToken(missing)],
      ['credit', () => admin.credit('user:ada', missing)],
      ['refund', () => admin.refund('user:ada', missing)],
    ] as const
    for (const [param, call] of asked) {
      await expect(call()).rejects.toMatchObject({ code: 'invalid_request', message: `${param}: must be an object` })
    }
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 0],
      ['team', 0, 0],
    ])
  })

  it('reserve() holds in every pool, settle() books what was used, once', async () => {
    const { me } = await open()
    const hold = await me.budget.reserve({ tokens: 500, nanoUsd: 1e9 })
    expect(hold.id).toEqual(expect.any(String))
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 500],
      ['team', 0, 500],
    ])
    expect(await me.budget.available()).toEqual({ tokens: 100, nanoUsd: 4e9 })
    await hold.settle({ tokens: 320, nanoUsd: 5e8 })
    await hold.settle({ tokens: 320, nanoUsd: 5e8 })
    expect(await booked(me)).toEqual([
      ['user:ada', 320, 0],
      ['team', 320, 0],
    ])
    await expect(hold.settle({ tokens: 321 })).rejects.toMatchObject({ code: 'reservation_conflict', status: 409 })
    await expect(hold.release()).rejects.toMatchObject({ code: 'reservation_conflict' })
  })

  it('takes money as USD, parsed as over HTTP, or as nano-USD, and never both', async () => {
    const to = await door({ pools: { 'user:*': { usd: 10 } } })
    const ada = to.gateway.as({ user: 'ada', pool: 'user:ada' })
    const admin = to.gateway.as({ user: 'root', roles: ['admin'] })
    const hold = await ada.budget.reserve({ usd: '2.5' })
    expect((await ada.budget.pools())[0]).toMatchObject({ held: { tokens: 0, nanoUsd: 2_500_000_000 } })
    await hold.settle({ usd: 1.000000001 })
    expect((await ada.budget.pools())[0]).toMatchObject({ used: { nanoUsd: 1_000_000_001 } })
    const { credits } = await admin.budget.credit('user:ada', { usd: '0.25', tokens: 5 })
    expect(credits).toMatchObject([{ amount: { tokens: 5, nanoUsd: 250_000_000 } }])
    const [pool] = await admin.budget.refund('user:ada', { reservation: hold.id, usd: 1 })
    expect(pool).toMatchObject({ used: { nanoUsd: 1 } })
    const wrong = { code: 'invalid_request', details: { param: 'usd' } }
    // @ts-expect-error money in two units
    await expect(ada.budget.reserve({ usd: 1, nanoUsd: 1 })).rejects.toMatchObject(wrong)
    for (const usd of ['much', '-1', '1e3', 0.0000000001, Number.NaN]) {
      await expect(ada.budget.reserve({ usd })).rejects.toMatchObject(wrong)
      await expect(admin.budget.credit('user:ada', { usd })).rejects.toMatchObject(wrong)
    }
  })

  it('settle() that says no amount is refused, and charges neither nothing nor all', async () => {
    const { me } = await open()
    const hold = await me.budget.reserve({ tokens: 500 })
    for (const slip of [{}, { token: 320 }, 320, undefined]) {
      await expect(hold.settle(slip as HostAmount)).rejects.toMatchObject({ code: 'invalid_request', status: 400 })
    }
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 500],
      ['team', 0, 500],
    ])
    await hold.settle({ tokens: 0 })
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 0],
      ['team', 0, 0],
    ])
  })

  it('release() gives all of it back, once', async () => {
    const { me } = await open()
    const hold = await me.budget.reserve({ tokens: 500 })
    await hold.release()
    await hold.release()
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 0],
      ['team', 0, 0],
    ])
    await expect(hold.settle({ tokens: 1 })).rejects.toMatchObject({ code: 'reservation_conflict' })
  })

  it('reserve() refuses what the tightest pool cannot pay, and holds nothing then', async () => {
    const { me } = await open()
    await expect(me.budget.reserve({ tokens: 601 })).rejects.toMatchObject({
      code: 'budget_exceeded',
      status: 429,
      details: { pool: 'team', available: 600, resetsAt: '2026-01-02T00:00:00.000Z', retryable: false },
    })
    expect(await booked(me)).toEqual([
      ['user:ada', 0, 0],
      ['team', 0, 0],
    ])
  })

  it('of many at once as many as fit get theirs', async () => {
    const { me } = await open()
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => me.budget.reserve({ tokens: 100 })))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(6)
    expect(await me.budget.available()).toMatchObject({ tokens: 0 })
  })

  it.each<[object, string | undefined]>([
    [{ tokens: 1.5 }, 'tokens'],
    [{ tokens: -1 }, 'tokens'],
    [{ tokens: '5' }, 'tokens'],
    [{ tokens: Number.NaN }, 'tokens'],
    [{ tokens: 2 ** 53 }, 'tokens'],
    [{ nanoUsd: 0.5 }, 'nanoUsd'],
    [{}, undefined],
    [{ tokens: 0 }, undefined],
  ])('reserve(%j) is refused by name', async (amount, param) => {
    const { me } = await open()
    await expect(me.budget.reserve(amount)).rejects.toMatchObject({
      code: 'invalid_request',
      details: param === undefined ? {} : { param },
    })
    const hold = await me.budget.reserve({ tokens: 5 })
    if (param !== undefined)
      await expect(hold.settle(amount)).rejects.toMatchObject({ code: 'invalid_request', details: { param } })
    await hold.release()
  })

  it("a host's hold cannot be reported over the wire, nor by anybody else", async () => {
    const { to, me } = await open()
    const hold = await me.budget.reserve({ tokens: 5 })
    const reply = await to.post('/v1/tokens/report', { reservation_id: hold.id, actual: 1 })
    expect(reply.status).toBe(404)
    await hold.settle({ tokens: 5 })
  })
})

describe('audit.record', () => {
  it("adds an entry of the host's own, and gives it back", async () => {
    const { to, me } = await open()
    const details = { characters: 512, tags: ['a', 'b'], nested: { ok: true, none: null } }
    const entry = await me.audit.record('document.summarised', details)
    expect(entry).toMatchObject({
      id: expect.any(String),
      timestamp: to.clock.now(),
      event: 'document.summarised',
      level: 'info',
      subject: 'ada',
      requestId: me.requestId,
      metadata: details,
    })
    const { entries } = (await to.get('/v1/audit?event=document.summarised', { as: 'admin' })).body as {
      entries: object[]
    }
    expect(entries).toMatchObject([{ id: entry.id, subject: 'ada', metadata: details, integrity: { version: '2' } }])
  })

  it('keeps what it was given, whatever becomes of it later', async () => {
    const { me } = await open()
    const details = { list: [1] }
    const entry = await me.audit.record('mine', details)
    details.list.push(2)
    expect(entry.metadata).toEqual({ list: [1] })
  })

  const deep = (levels: number): AuditDetails => {
    let value: AuditDetails = {}
    for (let level = 1; level < levels; level += 1) value = { in: value }
    return value
  }

  it.each<[string, unknown, string]>([
    ['a fraction', { cost: 0.25 }, 'metadata.cost'],
    ['a fraction in a list', { list: [1, { at: 1.5 }] }, 'metadata.list.1.at'],
    ['NaN', { n: Number.NaN }, 'metadata.n'],
    ['an infinite number', { n: Infinity }, 'metadata.n'],
    ['a number beyond 2^53', { n: 2 ** 53 }, 'metadata.n'],
    ['a date', { at: new Date(0) }, 'metadata.at'],
    ['undefined', { gone: undefined }, 'metadata.gone'],
    ['a hole in a list', { list: new Array(2) }, 'metadata.list'],
    ['a bigint', { n: 5n }, 'metadata.n'],
    ['a function', { f() {} }, 'metadata.f'],
    ['a map', { m: new Map() }, 'metadata.m'],
    ['half a surrogate pair', { text: 'a\ud800' }, 'metadata.text'],
    ['half a pair as a key', { 'a\udc00': 1 }, 'metadata'],
    ['a list for details', ['a'], 'metadata'],
    ['a text for details', 'a', 'metadata'],
    ['more than 32 levels', deep(33), 'metadata'],
    ['more than 64 KiB', { text: 'x'.repeat(70_000) }, 'metadata'],
  ])('refuses %s, with the path', async (_what, details, path) => {
    const { to, me } = await open()
    const refused = me.audit.record('mine', details as AuditDetails)
    await expect(refused).rejects.toMatchObject({ name: 'HooshError', code: 'invalid_audit_details', status: 400 })
    const error = (await refused.catch((thrown: unknown) => thrown)) as { message: string; details: { param: string } }
    expect(error.details.param.slice(0, path.length)).toBe(path)
    expect(error.message).toContain(error.details.param)
    expect((await to.get('/v1/audit?event=mine', { as: 'admin' })).body).toMatchObject({ total: 0 })
  })

  it('takes 32 levels, and texts that look like fractions', async () => {
    const { me } = await open()
    await me.audit.record('mine', deep(32))
    expect((await me.audit.record('mine', { cost: '0.25' })).metadata).toEqual({ cost: '0.25' })
  })

  it.each([
    '',
    'x'.repeat(129),
    'inference.response',
    'budget.x',
    'admin.pool_set',
    'audit.seal',
    'auth.failed',
    'usage.x',
    'tool.call',
    5,
  ])('refuses the event %j: it is none, or looks like one of ours', async (event) => {
    const { me } = await open()
    await expect(me.audit.record(event as string)).rejects.toMatchObject({
      code: 'invalid_audit_details',
      details: { param: 'event' },
    })
  })

  it('where the log is off rejects and says so', async () => {
    const { me } = await open({ audit: false })
    await expect(me.audit.record('mine')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('turned off'),
    })
  })
})

it('a context asks who is calling once, and only when it is needed', async () => {
  const { to } = await open()
  let asked = 0
  const context = to.gateway.context({
    identify: async () => {
      asked += 1
      return ada
    },
  })
  expect(context.requestId).toBe(context.requestId)
  expect(asked).toBe(0)
  await context.chat({ model: 'demo', messages: [{ role: 'user', content: 'x' }] })
  await context.identity()
  await context.budget.pools()
  await context.fetch('http://hoosh/v1/models')
  expect(asked).toBe(1)
})

it('a context keeps the request id it was made with', async () => {
  const { to } = await open()
  expect(to.gateway.context({ identify: async () => ada, requestId: 'trace-7' }).requestId).toBe('trace-7')
})
