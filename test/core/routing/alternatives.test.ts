import { describe, expect, it } from 'vitest'
import { chat, door, errorOf, routeFor, upstream, whoAnswered } from '../../support/door.js'
import { people } from '../../support/mounts.js'

const modelsAsked = (provider: Awaited<ReturnType<typeof upstream>>) =>
  provider.requests.map(({ body }) => (body as { model: string }).model)

describe('an alias', () => {
  it('of one model is that model, upstream too', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [{ type: 'openai', baseUrl: provider.url, models: ['gpt-*'] }],
      routing: { aliases: { fast: 'gpt-4o-mini' } },
    })
    for (const stream of [false, true]) expect(await routeFor(to, 'fast', { stream })).toBe('openai')
    expect(modelsAsked(provider)).toEqual(['gpt-4o-mini', 'gpt-4o-mini'])
  })

  it('of a list is tried in its order, each with its own routes', async () => {
    const [cloud, local] = [await upstream({ fallback: { status: 503 } }), await upstream()]
    const to = await door({
      providers: [
        { type: 'vllm', name: 'local', baseUrl: local.url, models: ['llama*'], priority: 1 },
        { type: 'openai', name: 'cloud', baseUrl: cloud.url, models: ['gpt-*'] },
      ],
      routing: { aliases: { fast: ['gpt-4o-mini', 'llama3.1:8b'] } },
    })
    expect(await routeFor(to, 'fast')).toBe('local')
    expect(modelsAsked(cloud)).toEqual(['gpt-4o-mini'])
    expect(modelsAsked(local)).toEqual(['llama3.1:8b'])
  })

  it('passes over names that no route takes', async () => {
    const to = await door({
      providers: [{ type: 'demo', models: ['b'] }],
      routing: { aliases: { any: ['a', 'b'], none: ['a'] } },
    })
    expect(await routeFor(to, 'any')).toBe('demo')
    expect(await routeFor(to, 'none')).toBe('model_not_found')
  })

  it('may name a route, and hides a model of its own name', async () => {
    const to = await door({
      providers: [
        { type: 'demo', name: 'one', priority: 1 },
        { type: 'demo', name: 'two' },
      ],
      routing: { aliases: { 'gpt-4o': 'two-only' }, fallbacks: {} },
    })
    expect(await routeFor(to, 'gpt-4o')).toBe('one')
    const named = await door({
      providers: [
        { type: 'demo', name: 'one', models: ['a'] },
        { type: 'demo', name: 'two', models: ['m'] },
      ],
      routing: { aliases: { m: 'two/m' } },
    })
    expect(await routeFor(named, 'm')).toBe('two')
  })

  it.each(['constructor', '__proto__', 'toString'])('is never found by accident: %s', async (name) => {
    const to = await door({ providers: [{ type: 'demo', models: ['demo'] }], routing: { aliases: {} } })
    expect(await routeFor(to, name)).toBe('model_not_found')
  })

  it('is what a caller may use, or not, by its own name', async () => {
    const { token: _token, ...alice } = people.alice
    const to = await door(
      { providers: [{ type: 'demo' }], routing: { aliases: { fast: 'secret-model' } } },
      { identify: () => ({ ...alice, models: ['fast'] }) },
    )
    expect(await routeFor(to, 'fast')).toBe('demo')
    expect(await routeFor(to, 'secret-model')).toBe('model_not_allowed')
  })
})

describe('fallbacks', () => {
  /** Routes `main` (of `gpt-*`, broken), `spare` and `last`; what each was asked. */
  const three = async (more: { own?: string[]; byPattern?: Record<string, string[]> }) => {
    const main = await upstream({ fallback: { status: 503 } })
    const [spare, last] = [await upstream(), await upstream()]
    const to = await door({
      providers: [
        {
          type: 'openai',
          name: 'main',
          baseUrl: main.url,
          models: ['gpt-*'],
          ...(more.own && { fallbacks: more.own }),
        },
        { type: 'openai', name: 'spare', baseUrl: spare.url, models: ['spare-*'] },
        { type: 'openai', name: 'last', baseUrl: last.url, models: ['last-*'] },
      ],
      routing: { aliases: { fast: 'gpt-4o' }, maxAttempts: 4, ...(more.byPattern && { fallbacks: more.byPattern }) },
    })
    return { to, main, spare, last }
  }

  it.each([false, true])('of a route come after its failure, under their own names (stream: %s)', async (stream) => {
    const { to, main, spare } = await three({ own: ['spare-1'] })
    expect(await routeFor(to, 'gpt-4o', { stream })).toBe('spare')
    expect(modelsAsked(main)).toEqual(['gpt-4o'])
    expect(modelsAsked(spare)).toEqual(['spare-1'])
  })

  it('by pattern count for the models that match', async () => {
    const { to } = await three({ byPattern: { 'gpt-4*': ['spare-1'], 'llama*': ['last-1'] } })
    expect(await routeFor(to, 'gpt-4o')).toBe('spare')
    expect(await routeFor(to, 'gpt-5')).toBe('provider_error')
    expect(await routeFor(to, 'llama3')).toBe('last')
  })

  it('by pattern count for the model that an alias stands for', async () => {
    const { to } = await three({ byPattern: { 'gpt-*': ['spare-1'] } })
    expect(await routeFor(to, 'fast')).toBe('spare')
  })

  it("of a call come last: the route's, the pattern's, then the call's", async () => {
    const { to, spare, last } = await three({ own: ['spare-1'], byPattern: { '*': ['spare-2'] } })
    spare.script({ status: 503, times: 2 })
    expect(await routeFor(to, 'gpt-4o', { fallbacks: ['last-1'] })).toBe('last')
    expect(modelsAsked(spare)).toEqual(['spare-1', 'spare-2'])
    expect(modelsAsked(last)).toEqual(['last-1'])
  })

  it('of a call serve a model that nobody has', async () => {
    const { to } = await three({})
    expect(await routeFor(to, 'unheard-of', { fallbacks: ['spare-1'] })).toBe('spare')
    expect(await routeFor(to, 'unheard-of', { fallbacks: ['unheard-of-too'] })).toBe('model_not_found')
  })

  it('of a call are no field of the request that goes up', async () => {
    const { to, spare } = await three({})
    await chat(to, 'spare-1', { fallbacks: ['last-1'] })
    expect(spare.requests[0]!.body).not.toHaveProperty('fallbacks')
  })

  it('of a call never lead to a model that the caller may not use', async () => {
    const main = await upstream({ fallback: { status: 503 } })
    const to = await door(
      {
        providers: [
          { type: 'openai', baseUrl: main.url, models: ['gpt-*'] },
          { type: 'demo', models: ['dear'] },
        ],
      },
      { identify: () => ({ user: 'alice', pool: 'user:alice', models: ['gpt-*'] }) },
    )
    expect(await routeFor(to, 'gpt-4o', { fallbacks: ['dear'] })).toBe('provider_error')
  })

  it('that name the model itself do not ask a route twice', async () => {
    const { to, main } = await three({ own: ['gpt-4o'] })
    expect(await routeFor(to, 'gpt-4o', { fallbacks: ['gpt-4o'] })).toBe('provider_error')
    expect(main.requests).toHaveLength(1)
  })

  it.each<[string, unknown, string, RegExp]>([
    ['no array', 'spare-1', 'fallbacks', /an array of model names/],
    ['no names', [1], 'fallbacks.0', /name of a model/],
    ['an empty name', [''], 'fallbacks.0', /1 to 256 characters/],
    ['more than eight', Array(9).fill('m'), 'fallbacks', /at most 8/],
  ])('of a call that are %s are refused', async (_what, fallbacks, param, says) => {
    const { to } = await three({})
    for (const path of ['chat/completions', 'embeddings']) {
      const reply = await to.post(`/v1/${path}`, {
        model: 'spare-1',
        messages: [{ role: 'user', content: 'x' }],
        input: 'x',
        fallbacks,
      })
      expect([path, reply.status, errorOf(reply).param]).toEqual([path, 400, param])
      expect(errorOf(reply).message).toMatch(says)
    }
  })

  it('are not taken where the request itself was refused', async () => {
    const { to, main, spare } = await three({ own: ['spare-1'] })
    main.script({ status: 400, body: { error: { message: 'Bad temperature.' } } })
    const reply = await chat(to, 'gpt-4o')
    expect(whoAnswered(reply)).toBe('provider_rejected')
    expect(spare.requests).toHaveLength(0)
  })
})
