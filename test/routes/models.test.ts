import { describe, expect, it } from 'vitest'
import { chat, type Door, deadUrl, door, errorOf, routeFor, upstream } from '../support/door.js'

interface Listed {
  id: string
  object: string
  created: number
  owned_by: string
  provider: string
}
const list = async (to: Door, path = '/v1/models') => (await to.get(path)).body as { object: string; data: Listed[] }
const ids = async (to: Door, path?: string) => (await list(to, path)).data.map(({ id }) => id)

describe('GET /v1/models', () => {
  it('lists what providers have and routes take, and what routes name in full, each once', async () => {
    const big = await upstream({ models: ['gpt-4o', 'gpt-4o-mini', 'whisper-1'] })
    const small = await upstream({ models: ['llama3', 'gpt-4o'] })
    const to = await door({
      providers: [
        { type: 'openai', baseUrl: big.url, models: ['gpt-*', 'o3'] },
        { type: 'vllm', name: 'gpu', baseUrl: small.url, priority: 1 },
      ],
    })
    expect(await list(to)).toEqual({
      object: 'list',
      data: [
        { id: 'gpt-4o', object: 'model', created: 0, owned_by: 'vllm', provider: 'gpu' },
        { id: 'gpt-4o-mini', object: 'model', created: 0, owned_by: 'openai', provider: 'openai' },
        { id: 'llama3', object: 'model', created: 0, owned_by: 'vllm', provider: 'gpu' },
        { id: 'o3', object: 'model', created: 0, owned_by: 'openai', provider: 'openai' },
      ],
    })
  })

  it('names the built-in demo as what it is', async () => {
    expect((await list(await door())).data).toContainEqual(expect.objectContaining({ id: 'demo', owned_by: 'demo' }))
  })

  it('does without a provider that does not answer, or is off: never an error, never a pattern', async () => {
    const fine = await upstream({ models: ['fine'] })
    const to = await door({
      providers: [
        { type: 'openai', name: 'gone', baseUrl: await deadUrl(), models: ['gpt-*', 'named'] },
        { type: 'openai', name: 'off', baseUrl: fine.url, enabled: false, models: ['hidden'] },
        { type: 'openai', name: 'fine', baseUrl: fine.url },
      ],
    })
    expect(await ids(to)).toEqual(['fine', 'named'])
  })

  it('a provider that falls silent counts with what it said last, and is not asked with each list', async () => {
    const provider = await upstream({ models: ['one'] })
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    expect(await ids(to)).toEqual(['one'])
    await provider.close()
    to.clock.advance(60_000)
    expect(await ids(to)).toEqual(['one'])
    expect(await ids(to)).toEqual(['one'])
  })

  it('asks a provider again after a minute, not before', async () => {
    const models = ['one']
    const provider = await upstream({ models })
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    expect(await ids(to)).toEqual(['one'])
    models.push('two')
    to.clock.advance(59_000)
    expect(await ids(to)).toEqual(['one'])
    to.clock.advance(1_000)
    expect(await ids(to)).toEqual(['one', 'two'])
  })

  it('shows only what the caller may use', async () => {
    const provider = await upstream({ models: ['gpt-4o', 'gpt-4o-mini', 'o3'] })
    const to = await door(
      { providers: [{ type: 'openai', baseUrl: provider.url }] },
      { identify: () => ({ user: 'ada', models: ['*-mini', 'o3'] }) },
    )
    expect(await ids(to)).toEqual(['gpt-4o-mini', 'o3'])
    expect((await to.get('/v1/models/gpt-4o')).status).toBe(404)
  })
})

describe('GET /v1/models/{id}', () => {
  it('is the row of the list, slashes included, encoded or not', async () => {
    const provider = await upstream({ models: ['meta-llama/Llama-3', 'a b%c'] })
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    const row = { id: 'meta-llama/Llama-3', object: 'model', created: 0, owned_by: 'openai', provider: 'openai' }
    expect((await to.get('/v1/models/meta-llama/Llama-3')).body).toEqual(row)
    expect((await to.get('/v1/models/meta-llama%2FLlama-3')).body).toEqual(row)
    expect((await to.get('/v1/models/a%20b%25c')).body).toMatchObject({ id: 'a b%c' })
  })

  it('of a model that is not listed is 404 that names it', async () => {
    const reply = await (await door()).get('/v1/models/no/such')
    expect(reply.status).toBe(404)
    expect(errorOf(reply)).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
    expect(errorOf(reply).message).toContain('no/such')
  })

  it('that does not decode is no path', async () => {
    const reply = await (await door()).get('/v1/models/%')
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  })
})

describe('GET /v1/models/catalog', () => {
  it('lists well-known models that some route would take, under the route that would be tried first', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [
        { type: 'openai', baseUrl: provider.url, models: ['gpt-4o*'] },
        { type: 'openai', name: 'eu', baseUrl: provider.url, models: ['gpt-4o'], priority: 1 },
        { type: 'openai', name: 'off', baseUrl: provider.url, enabled: false },
      ],
    })
    const { object, data } = await list(to, '/v1/models/catalog')
    expect(object).toBe('list')
    expect(data).toContainEqual(
      expect.objectContaining({ id: 'gpt-4o', object: 'model', created: 0, owned_by: 'openai', provider: 'eu' }),
    )
    expect(data).toContainEqual(expect.objectContaining({ id: 'gpt-4o-mini', provider: 'openai' }))
    expect(data.every(({ id }) => id.startsWith('gpt-4o'))).toBe(true)
    for (const { id, provider: route } of data) expect([id, await routeFor(to, id)]).toEqual([id, route])
  })

  it('tells what is known of each, and what it costs there', async () => {
    const to = await door({
      providers: [
        { type: 'openai', baseUrl: await deadUrl(), models: ['gpt-4o', 'gpt-4'] },
        { type: 'vllm', baseUrl: await deadUrl(), models: ['llama3'] },
      ],
      prices: { 'gpt-4o': { input: '2.50', output: '10', cached: '1.25' } },
    })
    const rows = new Map((await list(to, '/v1/models/catalog')).data.map((row) => [row.id, row]))
    expect(rows.get('gpt-4o')).toMatchObject({
      context_window: 128_000,
      max_output_tokens: 16_384,
      tier: 'standard',
      modalities: ['text', 'vision'],
      capabilities: { tools: true, vision: true, json_schema: true, embeddings: false, reasoning: false },
      pricing: { input_usd: '2.5', cached_input_usd: '1.25', output_usd: '10', source: 'override gpt-4o' },
    })
    expect(rows.get('gpt-4')).toMatchObject({ capabilities: { json_schema: false } })
    expect(rows.get('llama3')).toMatchObject({ pricing: { input_usd: '0', source: 'local' } })
  })

  it('asks no provider, and keeps to what the caller may use', async () => {
    const to = await door(
      { providers: [{ type: 'openai', baseUrl: await deadUrl() }] },
      { identify: () => ({ user: 'ada', models: ['gpt-4o-mini'] }) },
    )
    expect(await ids(to, '/v1/models/catalog')).toEqual(['gpt-4o-mini'])
  })
})

describe('the models of an identity', () => {
  const limited = async () => {
    const provider = await upstream()
    const to = await door(
      { providers: [{ type: 'openai', baseUrl: provider.url }], routing: { fallbacks: { '*': ['gpt-5'] } } },
      { identify: () => ({ user: 'alice', pool: 'user:alice', models: ['gpt-4o-mini', 'llama*'] }) },
    )
    return { to, provider }
  }

  it('are all there is for it: others are 403, before anything is asked or held', async () => {
    const { to, provider } = await limited()
    for (const stream of [false, true]) {
      const reply = await chat(to, 'gpt-4o', { stream })
      expect(reply.status).toBe(403)
      expect(errorOf(reply)).toMatchObject({ code: 'model_not_allowed', type: 'permission_error', param: 'model' })
      expect(errorOf(reply).message).toContain('gpt-4o')
    }
    const embedding = await to.post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'x' })
    expect([embedding.status, errorOf(embedding).code]).toEqual([403, 'model_not_allowed'])
    expect(provider.requests).toHaveLength(0)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 0, reserved: 0 }])
    expect(await routeFor(to, 'llama3')).toBe('openai')
  })

  it("are no way around by a route's name as prefix", async () => {
    const { to } = await limited()
    expect(await routeFor(to, 'openai/gpt-4o')).toBe('model_not_allowed')
  })

  it('say the same of a model whether anybody has it or not', async () => {
    const to = await door(
      { providers: [{ type: 'demo', models: ['secret'] }] },
      { identify: () => ({ user: 'ada', models: ['x'] }) },
    )
    const [known, unknown] = [await chat(to, 'secret'), await chat(to, 'secres')]
    expect(known.text.replaceAll('secret', '')).toBe(unknown.text.replaceAll('secres', ''))
  })

  it('that are none use none', async () => {
    const to = await door({}, { identify: () => ({ user: 'ada', models: [] }) })
    expect(await routeFor(to, 'demo')).toBe('model_not_allowed')
    expect(await ids(to)).toEqual([])
  })
})
