import { type Fault, gate, type Script } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Door, deadUrl, door, errorOf, routeFor, upstream } from '../../support/door.js'
import { people } from '../../support/mounts.js'

const COOL_DOWN_MS = 30_000

/** One provider behind one route, and a second route that always answers. */
const pair = async (fallback: Script = {}) => {
  const provider = await upstream({ fallback })
  const to = await door({
    providers: [
      { type: 'openai', name: 'main', baseUrl: provider.url, models: ['m', 'alone'], priority: 1 },
      { type: 'demo', name: 'spare', models: ['m'] },
    ],
  })
  return { to, provider }
}

const times = async (count: number, step: () => Promise<unknown>) => {
  for (let index = 0; index < count; index += 1) await step()
}

const healthOf = async (to: Door, name = 'main') =>
  ((await to.get('/v1/health/providers', { as: 'admin' })).body as { name: string; status: string }[]).find(
    (row) => row.name === name,
  )

describe('a circuit', () => {
  it('opens with the third failure in a row, and the route is left alone', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(2, () => routeFor(to, 'm'))
    expect(await healthOf(to)).toMatchObject({ status: 'healthy', consecutive_failures: 2 })
    await times(4, async () => expect(await routeFor(to, 'm')).toBe('spare'))
    expect(provider.requests).toHaveLength(3)
    expect(await healthOf(to)).toMatchObject({ status: 'unhealthy', consecutive_failures: 3 })
    expect(to.events.filter(({ type }) => type === 'route.health')).toEqual([
      { type: 'route.health', route: 'main', healthy: false },
    ])
  })

  it('counts in a row: an answer between begins anew', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(2, () => routeFor(to, 'm'))
    provider.script({})
    expect(await routeFor(to, 'm')).toBe('main')
    await times(2, () => routeFor(to, 'm'))
    expect(await healthOf(to)).toMatchObject({ status: 'healthy', consecutive_failures: 2 })
  })

  it('is one for plain calls, streams and embeddings, of all models', async () => {
    const { to } = await pair({ status: 503 })
    await chat(to, 'm')
    await chat(to, 'alone', { stream: true })
    await to.post('/v1/embeddings', { model: 'alone', input: 'x' })
    expect(await healthOf(to)).toMatchObject({ status: 'unhealthy' })
  })

  it('with all circuits open the answer is 503 that says when, and nobody is asked', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => chat(to, 'alone'))
    to.clock.advance(1_000)
    const reply = await chat(to, 'alone')
    expect(reply.status).toBe(503)
    expect(errorOf(reply)).toMatchObject({ type: 'api_error', code: 'providers_unavailable' })
    expect(errorOf(reply).message).toContain('alone')
    expect(reply.headers.get('retry-after')).toBe('3')
    expect(provider.requests).toHaveLength(3)
  })

  it('with all circuits open there is one trial every 4 s, so that a model is soon back', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => chat(to, 'alone'))
    to.clock.advance(3_999)
    expect(await routeFor(to, 'alone')).toBe('providers_unavailable')
    to.clock.advance(1)
    expect(await routeFor(to, 'alone')).toBe('provider_error')
    await times(3, async () => expect(await routeFor(to, 'alone')).toBe('providers_unavailable'))
    expect(provider.requests).toHaveLength(4)
    to.clock.advance(4_000)
    provider.script({})
    expect(await routeFor(to, 'alone')).toBe('main')
    expect(await healthOf(to)).toMatchObject({ status: 'healthy' })
  })

  it('of calls that come at once as a last resort one is the trial', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => chat(to, 'alone'))
    to.clock.advance(4_000)
    const codes = await Promise.all(Array.from({ length: 10 }, () => routeFor(to, 'alone')))
    expect(codes.filter((code) => code === 'provider_error')).toHaveLength(1)
    expect(codes.filter((code) => code === 'providers_unavailable')).toHaveLength(9)
    expect(provider.requests).toHaveLength(4)
  })

  it('a route that others can stand in for is not tried before its 30 s', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => routeFor(to, 'm'))
    to.clock.advance(COOL_DOWN_MS - 1)
    await times(3, async () => expect(await routeFor(to, 'm')).toBe('spare'))
    expect(provider.requests).toHaveLength(3)
  })

  it('lets one trial through after 30 s, and no second beside it', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => routeFor(to, 'm'))
    to.clock.advance(COOL_DOWN_MS - 1)
    expect(await routeFor(to, 'm')).toBe('spare')
    to.clock.advance(1)
    const head = gate()
    provider.script({ holdHead: head })
    const trial = routeFor(to, 'm')
    await head.reached
    await times(5, async () => expect(await routeFor(to, 'm')).toBe('spare'))
    expect(provider.requests).toHaveLength(4)
    head.open()
    expect(await trial).toBe('main')
    provider.script({ times: 10 })
    expect(await routeFor(to, 'm')).toBe('main')
    expect(to.events.filter(({ type }) => type === 'route.health').at(-1)).toEqual({
      type: 'route.health',
      route: 'main',
      healthy: true,
    })
  })

  it('of calls that come at once after the cool-down one is the trial', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => routeFor(to, 'm'))
    to.clock.advance(COOL_DOWN_MS)
    const routes = await Promise.all(Array.from({ length: 10 }, () => routeFor(to, 'm')))
    expect(new Set(routes)).toEqual(new Set(['spare']))
    expect(provider.requests).toHaveLength(4)
  })

  it('stays open for 30 s more where the trial fails', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => routeFor(to, 'm'))
    to.clock.advance(COOL_DOWN_MS)
    expect(await routeFor(to, 'm')).toBe('spare')
    expect(provider.requests).toHaveLength(4)
    to.clock.advance(COOL_DOWN_MS - 1)
    await routeFor(to, 'm')
    expect(provider.requests).toHaveLength(4)
    to.clock.advance(1)
    await routeFor(to, 'm')
    expect(provider.requests).toHaveLength(5)
    expect(to.events.filter(({ type }) => type === 'route.health')).toHaveLength(1)
  })

  it('a trial whose caller leaves decides nothing: the next call is the trial', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(3, () => routeFor(to, 'm'))
    to.clock.advance(COOL_DOWN_MS)
    const head = gate()
    provider.script({ holdHead: head })
    const leaving = new AbortController()
    const left = fetch(`${to.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }] }),
      signal: leaving.signal,
    }).catch(() => 'left')
    await head.reached
    leaving.abort()
    expect(await left).toBe('left')
    await provider.requests[3]!.aborted
    head.open()
    provider.script({})
    expect(await routeFor(to, 'm')).toBe('main')
  })

  it.each<[string, Script]>([
    ['500', { status: 500 }],
    ['502', { status: 502 }],
    ['503', { status: 503 }],
    ['504', { status: 504 }],
    ['529', { status: 529 }],
    ['408', { status: 408 }],
    ['401, since our key is bad', { status: 401 }],
    ['403', { status: 403 }],
    ...(['reset-before-head', 'garbage', 'html'] as Fault[]).map((fault): [string, Script] => [fault, { fault }]),
  ])('counts %s', async (_what, script) => {
    const { to } = await pair(script)
    await times(3, () => chat(to, 'alone'))
    expect(await healthOf(to)).toMatchObject({ status: 'unhealthy', consecutive_failures: 3 })
  })

  it.each([400, 404, 409, 413, 422, 425, 429])('does not count %s: the provider is not to blame', async (status) => {
    const { to, provider } = await pair({ status })
    await times(5, () => chat(to, 'alone'))
    expect(provider.requests).toHaveLength(5)
    expect(await healthOf(to)).toMatchObject({ status: 'healthy', consecutive_failures: 0 })
  })

  it('a 4xx between two failures neither counts nor begins anew', async () => {
    const { to, provider } = await pair({ status: 503 })
    await times(2, () => chat(to, 'alone'))
    provider.script({ status: 400 })
    await chat(to, 'alone')
    expect(await healthOf(to)).toMatchObject({ consecutive_failures: 2 })
    await chat(to, 'alone')
    expect(await healthOf(to)).toMatchObject({ status: 'unhealthy' })
  })

  it('counts connections that are refused', async () => {
    const to = await door({ providers: [{ type: 'openai', name: 'main', baseUrl: await deadUrl() }] })
    await times(3, () => chat(to, 'm'))
    expect(errorOf(await chat(to, 'm')).code).toBe('providers_unavailable')
  })

  it('of one route says nothing of another on the same address', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [
        { type: 'openai', name: 'main', baseUrl: provider.url, models: ['bad'] },
        { type: 'openai', name: 'twin', baseUrl: provider.url, models: ['good'] },
      ],
    })
    provider.script({ model: 'bad', status: 503, times: 3 })
    await times(3, () => chat(to, 'bad'))
    expect(await healthOf(to)).toMatchObject({ status: 'unhealthy' })
    expect(await routeFor(to, 'good')).toBe('twin')
  })
})

describe("a route's rpm", () => {
  const limited = async (rpm: number) => {
    const provider = await upstream()
    const to = await door({
      providers: [
        { type: 'openai', name: 'main', baseUrl: provider.url, models: ['m', 'alone'], priority: 1, rpm },
        { type: 'demo', name: 'spare', models: ['m'] },
      ],
    })
    return { to, provider }
  }

  it('lets so many calls a minute through, then the next route takes them', async () => {
    const { to } = await limited(2)
    const routes: string[] = []
    await times(4, async () => routes.push(await routeFor(to, 'm')))
    expect(routes).toEqual(['main', 'main', 'spare', 'spare'])
    to.clock.advance(60_000)
    expect(await routeFor(to, 'm')).toBe('main')
  })

  it('without another route is 429 that says when, and opens no circuit', async () => {
    const { to, provider } = await limited(1)
    await chat(to, 'alone')
    to.clock.advance(20_000)
    const reply = await chat(to, 'alone')
    expect(reply.status).toBe(429)
    expect(errorOf(reply)).toMatchObject({ type: 'rate_limit_error', code: 'rate_limit_exceeded' })
    // How much a route takes is between the host and its provider.
    expect(errorOf(reply).message).toBe('route main has reached its limit a minute.')
    expect(reply.headers.get('retry-after')).toBe('40')
    expect(provider.requests).toHaveLength(1)
    expect(await healthOf(to)).toMatchObject({ status: 'healthy' })
    expect(to.events).toContainEqual({ type: 'rate.limited', key: 'route main' })
  })

  it('of all candidates used up names the smallest wait', async () => {
    const provider = await upstream()
    const base = { type: 'openai', baseUrl: provider.url, rpm: 1 } as const
    const to = await door({
      providers: [
        { ...base, name: 'early', models: ['m', 'early'] },
        { ...base, name: 'late', models: ['m', 'late'] },
      ],
    })
    await chat(to, 'early')
    to.clock.advance(30_000)
    await chat(to, 'late')
    const reply = await chat(to, 'm')
    expect(errorOf(reply).code).toBe('rate_limit_exceeded')
    expect(reply.headers.get('retry-after')).toBe('30')
  })

  it('of 0 refuses every call', async () => {
    const { to, provider } = await limited(0)
    expect(await routeFor(to, 'm')).toBe('spare')
    expect(await routeFor(to, 'alone')).toBe('rate_limit_exceeded')
    expect(provider.requests).toHaveLength(0)
  })

  it('gives nothing back for a call that failed: it was made', async () => {
    const { to, provider } = await limited(1)
    provider.script({ status: 503 })
    expect(await routeFor(to, 'm')).toBe('spare')
    expect(await routeFor(to, 'alone')).toBe('rate_limit_exceeded')
  })

  it('holds for calls at once', async () => {
    const { to, provider } = await limited(3)
    const routes = await Promise.all(Array.from({ length: 12 }, () => routeFor(to, 'm')))
    expect(routes.filter((name) => name === 'main')).toHaveLength(3)
    expect(provider.requests).toHaveLength(3)
  })
})
