import type { RoutingOptions } from '@hoosh/core'
import { gate, type ScriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, routeFor, upstream } from '../../support/door.js'

const demos = (routing: RoutingOptions, ...names: string[]): Promise<Door> =>
  door({ providers: names.map((name) => ({ type: 'demo', name })), routing })

const inTurn = async (to: Door, calls: number, model = 'm', more?: Record<string, unknown>): Promise<string[]> => {
  const routes: string[] = []
  for (let call = 0; call < calls; call += 1) routes.push(await routeFor(to, model, more))
  return routes
}

const shares = (routes: readonly string[]) =>
  Object.fromEntries([...new Set(routes)].sort().map((name) => [name, routes.filter((one) => one === name).length]))

describe('round-robin', () => {
  it.each(['round-robin', 'round_robin'] as const)('as %s gives each route its turn', async (strategy) => {
    const to = await demos({ strategy }, 'a', 'b', 'c')
    expect(await inTurn(to, 7)).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a'])
  })

  it('is fair where calls run side by side', async () => {
    const to = await demos({ strategy: 'round-robin' }, 'a', 'b', 'c', 'd')
    const routes = await Promise.all(Array.from({ length: 40 }, () => routeFor(to, 'm')))
    expect(shares(routes)).toEqual({ a: 10, b: 10, c: 10, d: 10 })
  })

  it('counts for each model alone, and streams as plain calls', async () => {
    const to = await demos({ strategy: 'round-robin' }, 'a', 'b')
    expect(await inTurn(to, 1, 'x')).toEqual(['a'])
    expect(await inTurn(to, 1, 'y')).toEqual(['a'])
    expect(await inTurn(to, 1, 'x', { stream: true })).toEqual(['b'])
    expect(await inTurn(to, 2, 'x')).toEqual(['a', 'b'])
    expect(await inTurn(to, 1, 'y')).toEqual(['b'])
  })

  it('tries the others in turn where the one whose turn it is fails', async () => {
    const broken = await upstream({ fallback: { status: 503 } })
    const to = await door({
      providers: [
        { type: 'demo', name: 'a' },
        { type: 'openai', name: 'broken', baseUrl: broken.url },
        { type: 'demo', name: 'c' },
      ],
      routing: { strategy: 'round-robin' },
    })
    expect(await inTurn(to, 3)).toEqual(['a', 'c', 'c'])
    expect(broken.requests).toHaveLength(1)
  })

  it('stays fair among the others while the circuit of one is open', async () => {
    const broken = await upstream({ fallback: { status: 503 } })
    const to = await door({
      providers: [
        { type: 'demo', name: 'a' },
        { type: 'openai', name: 'broken', baseUrl: broken.url },
        { type: 'demo', name: 'c' },
      ],
      routing: { strategy: 'round-robin' },
    })
    while (broken.requests.length < 3) await routeFor(to, 'm')
    expect(shares(await inTurn(to, 30))).toEqual({ a: 15, c: 15 })
    expect(broken.requests).toHaveLength(3)
  })

  it('asking what a call would cost takes nobody his turn', async () => {
    const to = await demos({ strategy: 'round-robin' }, 'a', 'b')
    expect(await inTurn(to, 1)).toEqual(['a'])
    await to.post('/v1/cost/estimate', { model: 'm', input_tokens: 1 })
    expect(await inTurn(to, 1)).toEqual(['b'])
  })
})

describe('lowest-latency', () => {
  /** One call of which the provider that gets it takes `ms` to answer. */
  const timed = async (to: Door, providers: Record<string, ScriptedProvider>, ms: number, stream = false) => {
    const head = gate()
    for (const provider of Object.values(providers)) provider.script({ holdHead: head })
    const answer = chat(to, 'm', { stream })
    await head.reached
    to.clock.advance(ms)
    head.open()
    const reply = await answer
    for (const provider of Object.values(providers)) provider.reset()
    return reply.headers.get('x-hoosh-route')
  }

  const three = async (strategy: 'lowest-latency' | 'lowest_latency' = 'lowest-latency') => {
    const providers = { a: await upstream(), b: await upstream(), c: await upstream() }
    const to = await door({
      providers: Object.entries(providers).map(([name, { url }]) => ({ type: 'openai', name, baseUrl: url })),
      routing: { strategy },
    })
    return { to, providers }
  }

  it.each([false, true])('tries each route once, then the fastest (stream: %s)', async (stream) => {
    const { to, providers } = await three()
    expect(await timed(to, providers, 300, stream)).toBe('a')
    expect(await timed(to, providers, 100, stream)).toBe('b')
    expect(await timed(to, providers, 200, stream)).toBe('c')
    expect(await timed(to, providers, 100, stream)).toBe('b')
    expect(await timed(to, providers, 100, stream)).toBe('b')
  })

  it('leaves a route that has become slow, by a smoothed figure', async () => {
    const { to, providers } = await three('lowest_latency')
    for (const ms of [300, 100, 200]) await timed(to, providers, ms)
    expect(await timed(to, providers, 300)).toBe('b') // (7 x 100 + 3 x 300) / 10 = 160
    expect(await timed(to, providers, 400)).toBe('b') // 232
    expect(await timed(to, providers, 200)).toBe('c')
    const rows = (await to.get('/v1/health/providers', { as: 'admin' })).body as { name: string; latency_ms: number }[]
    expect(rows.map(({ name, latency_ms }) => [name, latency_ms])).toEqual([
      ['a', 300],
      ['b', 232],
      ['c', 200],
    ])
  })

  it('learns nothing from a failure', async () => {
    const { to, providers } = await three()
    providers.a.script({ status: 503 })
    expect(await routeFor(to, 'm')).toBe('b')
    const rows = (await to.get('/v1/health/providers', { as: 'admin' })).body as { latency_ms: number | null }[]
    expect(rows.map(({ latency_ms }) => latency_ms)).toEqual([null, 0, null])
  })
})

describe('direct', () => {
  const routes = () =>
    door({
      providers: [
        { type: 'demo', name: 'one', models: ['gpt-*'] },
        { type: 'demo', name: 'two', models: ['gpt-*', 'org/*'] },
      ],
      routing: { strategy: 'direct' },
    })

  it('goes where the prefix or the header says, and nowhere else', async () => {
    const to = await routes()
    expect(await routeFor(to, 'two/gpt-4o')).toBe('two')
    expect(await routeFor(to, 'one/gpt-4o')).toBe('one')
    expect(await routeFor(to, 'two/org/model')).toBe('two')
    expect(await routeFor(to, 'gpt-4o', {}, { headers: { 'x-hoosh-provider': 'two' } })).toBe('two')
  })

  it('a call that names no provider is 400 that says how to name one of which', async () => {
    const reply = await chat(await routes(), 'gpt-4o')
    expect(reply.status).toBe(400)
    expect(errorOf(reply)).toMatchObject({ code: 'invalid_request', param: 'model' })
    expect(errorOf(reply).message).toMatch(/provider\/model.*x-hoosh-provider.*one, two/)
  })

  it('a provider gets only models that it takes', async () => {
    const to = await routes()
    expect(await routeFor(to, 'one/org/model')).toBe('model_not_found')
    expect(await routeFor(to, 'org/model', {}, { headers: { 'x-hoosh-provider': 'one' } })).toBe('model_not_found')
  })

  it('takes an alias that names a provider', async () => {
    const to = await door({
      providers: [
        { type: 'demo', name: 'one' },
        { type: 'demo', name: 'two' },
      ],
      routing: { strategy: 'direct', aliases: { fast: 'two/m' } },
    })
    expect(await routeFor(to, 'fast')).toBe('two')
  })
})

describe('x-hoosh-provider', () => {
  const to = () =>
    door({
      providers: [
        { type: 'demo', name: 'first' },
        { type: 'demo', name: 'second', models: ['gpt-*'], fallbacks: ['other'] },
        { type: 'demo', name: 'off', enabled: false },
      ],
    })
  const named = (name: string) => ({ headers: { 'x-hoosh-provider': name } })

  it.each(['priority', 'round-robin', 'lowest-latency', 'direct'] as const)(
    'limits a call to one route under %s',
    async (strategy) => {
      const routes = await demos({ strategy }, 'a', 'b', 'c')
      for (let call = 0; call < 3; call += 1) expect(await routeFor(routes, 'm', {}, named('c'))).toBe('c')
    },
  )

  it('unknown, or off, is 400 that names those there are', async () => {
    for (const name of ['nobody', 'off']) {
      const reply = await chat(await to(), 'gpt-4o', {}, named(name))
      expect(reply.status).toBe(400)
      expect(errorOf(reply)).toMatchObject({ code: 'invalid_request', param: 'x-hoosh-provider' })
      expect(errorOf(reply).message).toMatch(/first, second/)
    }
  })

  it('with a model that the route does not take is 404', async () => {
    expect(await routeFor(await to(), 'llama3', {}, named('second'))).toBe('model_not_found')
  })

  it('with the same route as a prefix drops the prefix; with another one finds nothing', async () => {
    const door = await to()
    expect(await routeFor(door, 'second/gpt-4o', {}, named('second'))).toBe('second')
    expect(await routeFor(door, 'first/gpt-4o', {}, named('second'))).toBe('model_not_found')
  })

  it('goes to no other route, not even by fallbacks of the call or the route', async () => {
    const broken = await upstream({ fallback: { status: 503 } })
    const routes = await door({
      providers: [
        { type: 'openai', name: 'broken', baseUrl: broken.url, fallbacks: ['spare'] },
        { type: 'demo', name: 'demo', models: ['spare', 'gpt-4o'] },
      ],
      routing: { fallbacks: { '*': ['spare'] } },
    })
    const reply = await chat(routes, 'gpt-4o', { fallbacks: ['spare'] }, named('broken'))
    expect(errorOf(reply).code).toBe('provider_error')
  })

  it('counts for embeddings too', async () => {
    const reply = await (await to()).post('/v1/embeddings', { model: 'gpt-e', input: 'x' }, named('second'))
    expect(reply.headers.get('x-hoosh-route')).toBe('second')
  })
})
