import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf } from '../support/door.js'

const admin = { as: 'admin' } as const

interface Page {
  entries: (Record<string, unknown> & {
    id: string
    event: string
    timestamp: number
    metadata?: Record<string, unknown>
  })[]
  total: number
  next_cursor: string | null
  [field: string]: unknown
}
const page = async (to: Door, query = '', sending = {}) => (await to.get(`/v1/audit${query}`, sending)).body as Page
const events = async (to: Door, query = '', sending = {}) =>
  (await page(to, query, sending)).entries.map(({ event }) => event)

describe('GET /v1/audit', () => {
  it('shows a call as its intent and its outcome, with where they stand in the chain', async () => {
    const to = await door({ audit: { key: 'a key', node: 'web-1' } })
    const reply = await chat(to, 'demo')
    const found = await page(to)
    const integrity = {
      version: '2',
      writer: expect.stringMatching(/^web-1\//),
      seq: expect.any(Number),
      epoch: 0,
      previous_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      signature: expect.stringMatching(/^[0-9a-f]{64}$/),
    }
    const about = {
      id: expect.any(String),
      timestamp: Date.parse('2026-01-01T00:00:00Z'),
      level: 'info',
      message: expect.any(String),
      provider: 'demo',
      model: 'demo',
      subject: 'alice',
      pool: 'user:alice',
      reservation: expect.any(String),
      requestId: reply.headers.get('x-request-id'),
      integrity,
    }
    const usage = (reply.body as { usage: Record<string, number> }).usage
    expect(found.entries).toEqual([
      { ...about, event: 'inference.request', metadata: { kind: 'chat', stream: false } },
      {
        ...about,
        event: 'inference.response',
        metadata: {
          outcome: 'ok',
          route: 'demo',
          prompt_tokens: usage.prompt_tokens,
          completion_tokens: usage.completion_tokens,
          total_tokens: usage.total_tokens,
          charged_tokens: usage.total_tokens,
          charged_nano_usd: 0,
          usage: 'reported',
          attempts: 1,
        },
      },
    ])
    expect(found).toMatchObject({ total: 2, next_cursor: null, chain_valid: true, signed: true })
    expect(found).toHaveProperty('verified_through')
    expect(found).toHaveProperty('verified_at')
  })

  it('says that it is unsigned where it has no key', async () => {
    const to = await door()
    await chat(to, 'demo')
    const found = await page(to)
    expect(found.signed).toBe(false)
    expect(found.entries[0]!.integrity).toMatchObject({ signature: '' })
  })

  it('has refusals, failures and the boot; never a prompt or an answer', async () => {
    const to = await door()
    const reply = await chat(to, 'demo', { messages: [{ role: 'user', content: 'my-private-words' }] })
    await chat(to, 'x'.repeat(5), { max_tokens: 5, pool: 'user:alice', model: 'demo', fallbacks: ['no'] })
    await to.post('/v1/chat/completions', { model: 'demo', messages: [] })
    await to.get('/v1/models', { as: 'nobody' })
    const text = JSON.stringify(await page(to, '', admin))
    expect(text).not.toContain('my-private-words')
    const answer = (reply.body as { choices: { message: { content: string } }[] }).choices[0]!.message.content
    expect(text).not.toContain(answer.slice(0, 30))
    expect(await events(to, '', admin)).toEqual(
      expect.arrayContaining(['audit.boot', 'inference.request', 'inference.response', 'auth.failed']),
    )
  })

  it('has a refusal with its code', async () => {
    const to = await door({ pools: { 'user:*': { tokens: 0 } } })
    await chat(to, 'demo')
    const { entries } = await page(to)
    expect(entries).toMatchObject([
      { event: 'inference.refused', level: 'warn', model: 'demo', metadata: { code: 'budget_exceeded' } },
    ])
  })

  it('has who asked for what is for admins, ten times a minute and then counted', async () => {
    const to = await door()
    for (let times = 0; times < 15; times += 1) expect((await to.get('/v1/audit/export')).status).toBe(403)
    to.clock.advance(60_000)
    expect((await to.get('/v1/audit/verify')).status).toBe(403)
    const { entries } = await page(to, '?event=auth.refused', admin)
    // What was counted is told with the next refusal, or by a sweep that may come just before it.
    const counts = entries.map(({ metadata }) => metadata?.count ?? 1)
    expect([counts.slice(0, 10), counts.slice(10)]).toEqual([Array(10).fill(1), expect.toBeOneOf([[6], [5, 1]])])
    expect(entries[0]).toMatchObject({
      level: 'warn',
      subject: 'alice',
      metadata: { method: 'GET', path: '/v1/audit/export' },
    })
    expect(entries.at(-1)!.metadata).toMatchObject({ path: '/v1/audit/verify' })
  })

  it('shows a user what is about him, an admin everything or one user', async () => {
    const to = await door()
    await chat(to, 'demo')
    await chat(to, 'demo', {}, { as: 'bob' })
    const subjects = async (query: string, sending = {}) => [
      ...new Set((await page(to, query, sending)).entries.map(({ subject }) => subject)),
    ]
    expect(await subjects('')).toEqual(['alice'])
    expect(await subjects('?subject=bob')).toEqual(['alice'])
    expect(await subjects('?subject=bob', admin)).toEqual(['bob'])
    expect(await subjects('', admin)).toEqual([undefined, 'alice', 'bob'])
  })

  it('filters by event, model and time, all of them at once', async () => {
    const to = await door({ providers: [{ type: 'demo' }] })
    await chat(to, 'a')
    to.clock.advance(1_000)
    await chat(to, 'b')
    to.clock.advance(1_000)
    await chat(to, 'a')
    const start = Date.parse('2026-01-01T00:00:00Z')
    const total = async (query: string) => (await page(to, query)).total
    expect(await total('')).toBe(6)
    expect(await total('?event=inference.response')).toBe(3)
    expect(await total('?model=a')).toBe(4)
    expect(await total('?model=a&event=inference.request')).toBe(2)
    expect(await total(`?from=${start + 1_000}`)).toBe(4)
    expect(await total(`?to=${start + 999}`)).toBe(2)
    expect(await total('?from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:01.000Z')).toBe(2)
    expect(await total('?event=inference.response&model=b&from=2026-01-01')).toBe(1)
    expect(await total('?event=nothing')).toBe(0)
  })

  it('comes in pages, the newest first, each oldest first, with nothing twice and nothing left out', async () => {
    const to = await door()
    for (let call = 0; call < 5; call += 1) {
      await chat(to, 'demo')
      to.clock.advance(1)
    }
    const all = await page(to)
    expect(all.entries.map(({ timestamp }) => timestamp)).toEqual(
      [...all.entries.map(({ timestamp }) => timestamp)].sort((a, b) => a - b),
    )
    const seen: string[] = []
    let query = '?limit=3'
    for (let pages = 0; pages < 4; pages += 1) {
      const { entries, next_cursor, total } = await page(to, query)
      expect(total).toBe(10)
      seen.unshift(...entries.map(({ id }) => id))
      query = `?limit=3&cursor=${encodeURIComponent(String(next_cursor))}`
      if (next_cursor === null) break
    }
    expect(seen).toEqual(all.entries.map(({ id }) => id))
  })

  it('shows a hundred where nothing is said', async () => {
    const to = await door({ providers: [{ type: 'demo' }] })
    const me = to.gateway.as({ user: 'alice', pool: 'user:alice' })
    await Promise.all(Array.from({ length: 120 }, (_, index) => me.audit.record('mine', { index })))
    const found = await page(to)
    expect([found.entries.length, found.total]).toEqual([100, 120])
    expect(found.entries.at(-1)!.metadata).toEqual({ index: 119 })
    expect((await page(to, '?limit=1000')).entries).toHaveLength(120)
  })

  it.each([
    ['limit', '0'],
    ['limit', '1001'],
    ['limit', '1.5'],
    ['limit', 'many'],
    ['limit', ''],
    ['from', 'yesterday'],
    ['to', '12:00'],
    ['from', ''],
    ['cursor', 'elsewhere'],
  ])('with %s=%s is 400 that names it', async (param, value) => {
    const reply = await (await door()).get(`/v1/audit?${param}=${value}`)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
  })

  it('where it is turned off is 404 that says so', async () => {
    const reply = await (await door({ audit: false })).get('/v1/audit')
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
    expect(errorOf(reply).message).toContain('turned off')
  })
})
