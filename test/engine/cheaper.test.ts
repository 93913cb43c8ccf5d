import type { HooshOptions, Identity } from '@hoosh/core'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chatOf, door, errorOf, upstream } from '../support/door.js'
import { MEMORY, STORES, type StoreKind } from '../support/money.js'

/** A call of 100 output tokens costs 1,000 micro-dollars of the one and 60 of the other, and a few for its prompt. */
const PRICES = {
  'gpt-4o': { input: '2.50', output: '10' },
  'gpt-4o-mini': { input: '0.15', output: '0.60' },
  '*': { input: '0.15', output: '0.60' },
}

/** What is too little for the one, and enough for the other. */
const POCKET = { '*': { usd: '0.0005' } }
const wish = { max_tokens: 100 }

async function open(kind: StoreKind, options: HooshOptions = {}, who: Partial<Identity> = {}) {
  const provider = await upstream()
  const vault = await kind.open()
  onTestFinished(() => vault.remove())
  const to = await door(
    {
      providers: [{ type: 'openai', baseUrl: provider.url }],
      prices: PRICES,
      pools: POCKET,
      storage: vault.storage,
      migrate: true,
      budget: { cheaper: { 'gpt-4o*': 'gpt-4o-mini' }, minOutput: 100 },
      clock: Date.now,
      ...options,
    },
    { identify: () => ({ user: 'alice', pool: 'user:alice', ...who }) },
  )
  const post = (more: Record<string, unknown> = {}) =>
    to.post('/v1/chat/completions', chatOf('gpt-4o', { ...wish, ...more }))
  return { to, provider, vault, post }
}

const asked = (provider: { requests: readonly { body: unknown }[] }) =>
  provider.requests.map(({ body }) => (body as { model: string }).model)

describe.each(STORES)('a cheaper model instead of a refusal, with budgets in $name', (kind) => {
  it.each([false, true])('answers, is told of and charged (streamed: %s)', async (stream) => {
    const { to, provider, vault, post } = await open(kind)
    const reply = await post({ stream })
    expect([reply.status, reply.headers.get('x-hoosh-model')]).toEqual([200, 'gpt-4o-mini'])
    expect(asked(provider)).toEqual(['gpt-4o-mini'])
    const { promptTokens, completionTokens } = provider.bill
    const [pool] = await to.gateway.as({ user: 'alice', pool: 'user:alice' }).budget.pools()
    expect(pool).toMatchObject({
      used: { nanoUsd: promptTokens * 150 + completionTokens * 600 },
      held: { nanoUsd: 0 },
    })
    expect(vault.records()).toMatchObject([{ model: 'gpt-4o-mini' }])
    const plenty = await open(kind, { pools: { '*': { usd: 5 } } })
    const own = await plenty.post({ stream })
    expect([own.headers.get('x-hoosh-model'), asked(plenty.provider)]).toEqual([null, ['gpt-4o']])
  })
})

describe('a cheaper model instead of a refusal', () => {
  it('is the answer that the client of OpenAI gets', async () => {
    const { to } = await open(MEMORY)
    const client = new OpenAI({ apiKey: 'x', baseURL: `${to.url}/v1`, maxRetries: 0 })
    const { data, response } = await client.chat.completions.create(chatOf('gpt-4o', wish)).withResponse()
    expect([data.model, response.headers.get('x-hoosh-model')]).toEqual(['gpt-4o-mini', 'gpt-4o-mini'])
  })

  it.each<[string, HooshOptions, Partial<Identity>?]>([
    ['its caller may not use it', {}, { models: ['gpt-4o'] }],
    ['the host names none for this model', { budget: { cheaper: { 'o3*': 'gpt-4o-mini' }, minOutput: 100 } }],
    ['it is that model itself', { budget: { cheaper: { '*': 'gpt-4o' }, minOutput: 100 } }],
    ['the pool cannot pay for it either', { pools: { '*': { usd: '0.00001' } } }],
    [
      'it has no price',
      { prices: { 'gpt-4o': PRICES['gpt-4o'] }, budget: { cheaper: { '*': 'no-price' }, minOutput: 100 } },
    ],
    ['it is blocked', { pools: { '*': { usd: 5, tokens: 0 } } }],
  ])('is not tried, or of no help, where %s', async (_what, options, who) => {
    const { provider, post } = await open(MEMORY, options, who)
    expect(errorOf(await post()).code).toBe('budget_exceeded')
    expect(provider.requests).toHaveLength(0)
  })

  it('has to be served by somebody, and to do what the call wants', async () => {
    const budget = { cheaper: { '*': 'gpt-3.5-turbo' }, minOutput: 100 }
    const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }
    const { post } = await open(MEMORY, { budget })
    const seeing = await open(MEMORY)
    expect((await seeing.post({ response_format: schema })).status).toBe(200)
    expect((await post()).headers.get('x-hoosh-model')).toBe('gpt-3.5-turbo')
    expect(errorOf(await post({ response_format: schema })).code).toBe('budget_exceeded')
    const { url } = await upstream()
    const other = await open(MEMORY, { budget, providers: [{ type: 'openai', baseUrl: url, models: ['gpt-4o'] }] })
    expect(errorOf(await other.post()).code).toBe('budget_exceeded')
  })

  it.each([
    ['stays on local routes where the content has to', { sea: 'localOnly' as const }, 'budget_exceeded', 0],
    ['goes anywhere else', { sea: 'allow' as const }, 200, 1],
  ])('%s', async (_what, { sea }, answer, asked) => {
    const [far, near] = [await upstream(), await upstream()]
    const to = await door({
      providers: [
        { type: 'openai', baseUrl: far.url, models: ['gpt-4o-mini'] },
        { type: 'openai', name: 'near', baseUrl: near.url, models: ['a-model-of-our-own'], local: true },
      ],
      // Tokens of the one nobody here can count, so that its bytes are held.
      pools: { '*': { tokens: 300 } },
      budget: { cheaper: { 'a-model-*': 'gpt-4o-mini' } },
      dlp: { patterns: [{ name: 'sea', pattern: 'the sea', action: sea }] },
    })
    const messages = [{ role: 'user', content: 'the sea '.repeat(50) }]
    const reply = await to.post('/v1/chat/completions', { model: 'a-model-of-our-own', messages, max_tokens: 40 })
    expect(reply.status === 200 ? 200 : errorOf(reply).code).toBe(answer)
    expect([far.requests.length, near.requests.length]).toEqual([asked, 0])
  })

  it('is for the cap of a run, too', async () => {
    const { to, provider } = await open(MEMORY, { pools: { '*': { usd: 5 } } })
    const run = await to.gateway.as({ user: 'alice', pool: 'user:alice' }).budget.run({ usd: '0.0005' })
    expect((await run.chat(chatOf('gpt-4o', wish))).model).toBe('gpt-4o-mini')
    expect(asked(provider)).toEqual(['gpt-4o-mini'])
  })

  it('is not for embeddings', async () => {
    const { to } = await open(MEMORY, {
      pools: { '*': { usd: '0.000000001' } },
      budget: { cheaper: { '*': 'gpt-4o-mini' } },
    })
    const reply = await to.post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'x'.repeat(5_000) })
    expect(errorOf(reply).code).toBe('budget_exceeded')
  })
})
