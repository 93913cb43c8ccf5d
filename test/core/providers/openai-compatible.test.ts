import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { PROVIDER_TYPES } from '../../../packages/core/src/config/provider-catalog.js'
import { endpointOf } from '../../../packages/core/src/providers/base-url.js'
import { limitField, providerFacts } from '../../../packages/core/src/providers/catalog.js'
import { createProvider } from '../../../packages/core/src/providers/create.js'
import { MODELS, modelFacts } from '../../../packages/core/src/providers/models.js'
import { json, provider, request } from './support.js'

let upstream: ScriptedProvider
beforeAll(async () => {
  upstream = await scriptedProvider({ models: ['a', 'b/c'] })
})
afterEach(() => upstream.reset())
afterAll(() => upstream.close())

describe('the path', () => {
  it.each([
    ['https://api.openai.com', '/v1/chat/completions'],
    ['https://api.groq.com/openai', '/openai/v1/chat/completions'],
    ['https://api.groq.com/openai/', '/openai/v1/chat/completions'],
    ['https://api.z.ai/api/paas/v4', '/api/paas/v4/chat/completions'],
    ['http://localhost:8000/v1/', '/v1/chat/completions'],
    ['https://example.com/v1beta', '/v1beta/chat/completions'],
    ['https://example.com/gateway?tenant=1', '/gateway/v1/chat/completions?tenant=1'],
    ['https://example.com/valve', '/valve/v1/chat/completions'],
  ])('of %s is %s', (baseUrl, path) => {
    expect(endpointOf(baseUrl, 'x').pathOf('/chat/completions')).toBe(path)
  })

  it.each(['', 'not a url', 'ftp://example.com', 'https://user:secret-word@example.com'])(
    '"%s" is refused, without telling what is in it',
    (baseUrl) => {
      expect(() => endpointOf(baseUrl, 'x')).toThrowError(expect.objectContaining({ code: 'invalid_options' }))
      expect(() => endpointOf(baseUrl, 'x')).not.toThrowError(/secret-word/)
    },
  )
})

describe('a provider that speaks the dialect', () => {
  it('embeds', async () => {
    const one = provider({ baseUrl: upstream.url })
    const answer = await json(one, { ...request({ input: ['a', 'b'], messages: undefined }), kind: 'embeddings' })
    expect(answer.data.length).toBe(2)
    expect(upstream.requests[0]!.path).toBe('/v1/embeddings')
    await one.close()
  })

  it('lists models, and says so where it cannot', async () => {
    const one = provider({ baseUrl: upstream.url })
    expect(await one.models(new AbortController().signal)).toEqual(['a', 'b/c'])
    await one.close()
    const gone = provider({ baseUrl: 'http://127.0.0.1:1' })
    await expect(gone.models(new AbortController().signal)).rejects.toMatchObject({ code: 'provider_error' })
    await gone.close()
  })

  it('without a key sends none', async () => {
    const one = provider({ type: 'llamacpp', baseUrl: upstream.url })
    await json(one, request({}))
    expect(upstream.requests[0]!.headers.authorization).toBe(undefined)
    await one.close()
  })

  it.each<Record<string, string>>([
    { 'content-length': '5' },
    { Host: 'x' },
    { 'bad name': 'x' },
    { ok: 'line\r\nbreak-secret' },
  ])('refuses the header %j', (headers) => {
    const make = () => createProvider({ type: 'openai', headers }, { connectMs: 1, clock: Date.now })
    expect(make).toThrowError(expect.objectContaining({ code: 'invalid_options' }))
    expect(make).not.toThrowError(/break-secret/)
  })

  it('refuses a key that cannot be a header, without telling it', () => {
    const make = () => createProvider({ type: 'openai', apiKey: 'sk-abc\n' }, { connectMs: 1, clock: Date.now })
    expect(make).toThrowError(/authorization/)
    expect(make).not.toThrowError(/sk-abc/)
  })

  it('a type that does not exist is refused', () => {
    expect(() => providerFacts('azure')).toThrowError(expect.objectContaining({ code: 'invalid_options' }))
  })
})

describe('the catalogue', () => {
  it('has a usable address for every type that has one', () => {
    for (const type of PROVIDER_TYPES) {
      const { baseUrl } = providerFacts(type)
      if (baseUrl !== '') expect(endpointOf(baseUrl, type).origin).toMatch(/^https?:/)
    }
  })

  it('is local exactly where the address is this machine', () => {
    for (const type of PROVIDER_TYPES.filter((one) => one !== 'ai-sdk')) {
      const { baseUrl, local } = providerFacts(type)
      expect([type, local]).toEqual([type, baseUrl === '' || baseUrl.includes('localhost')])
    }
  })

  it.each([
    ['openai', 'gpt-4o', 'max_tokens'],
    ['openai', 'o3-mini', 'max_completion_tokens'],
    ['openai', 'gpt-5-mini', 'max_completion_tokens'],
    ['mistral', 'mistral-large', 'max_tokens'],
  ])('%s limits %s by %s', (type, model, field) => {
    expect(limitField(providerFacts(type), model)).toBe(field)
  })
})

describe('model facts', () => {
  it('are those of the exact id, else of the longest id that is a prefix', () => {
    expect(modelFacts('gpt-4o')!.id).toBe('gpt-4o')
    expect(modelFacts('gpt-4o-2024-08-06')!.id).toBe('gpt-4o')
    expect(modelFacts('gpt-4o-mini-2024-07-18')!.id).toBe('gpt-4o-mini')
    expect(modelFacts('llama3:8b')!.id).toBe('llama3:8b')
    expect(modelFacts('openai/gpt-5-nano')!.id).toBe('gpt-5-nano')
    expect(modelFacts('openrouter/auto')!.contextWindow).toBe(200_000)
    expect(modelFacts('unheard-of')).toBe(null)
    expect(modelFacts('')).toBe(null)
  })

  it('say whose output cannot be watched', () => {
    const hidden = ['o1', 'o1-preview', 'o3-mini', 'o4-mini', 'gpt-5', 'gpt-5.1', 'deepseek-reasoner', 'openai/o3']
    expect(hidden.map((model) => modelFacts(model)?.reasoning)).toEqual(hidden.map(() => true))
    const seen = ['gpt-4o', 'gpt-4.1-mini', 'gpt-5-chat-latest', 'deepseek-chat', 'llama3.1', 'demo']
    expect(seen.map((model) => modelFacts(model)?.reasoning)).toEqual(seen.map(() => false))
  })

  it("the demo's are for its own names only", () => {
    expect(modelFacts('demo-slow')!.maker).toBe('demo')
    expect(modelFacts('demolition-7b')).toBe(null)
  })

  it('are whole numbers, once per id', () => {
    expect(new Set(MODELS.map(({ id }) => id)).size).toBe(MODELS.length)
    for (const { contextWindow, maxOutput } of MODELS) {
      expect(Number.isSafeInteger(contextWindow) && contextWindow > 0).toBe(true)
      expect(maxOutput === null || (Number.isSafeInteger(maxOutput) && maxOutput > 0)).toBe(true)
    }
  })
})
