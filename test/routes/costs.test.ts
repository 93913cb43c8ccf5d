import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, upstream } from '../support/door.js'

const admin = { as: 'admin' } as const
const PRICES = { 'gpt-4o-mini': { input: '0.15', output: '0.60' }, 'gpt-4o': { input: '2.50', output: '10' } }

/** A door before a provider whose models have these prices, and a local one. */
const priced = async () => {
  const provider = await upstream({ fallback: { tokens: 20 } })
  const to = await door({
    providers: [
      { type: 'openai', baseUrl: provider.url, models: ['gpt-4o', 'gpt-4o-mini', 'gpt-unheard-of'] },
      { type: 'vllm', name: 'gpu', baseUrl: provider.url, models: ['llama*'] },
    ],
    prices: PRICES,
  })
  return { to, provider }
}

interface Costs {
  records: Record<string, unknown>[]
  [total: string]: unknown
}
const costs = async (to: Door, query = '', sending = {}) => (await to.get(`/v1/costs${query}`, sending)).body as Costs

describe('GET /v1/costs', () => {
  it('is empty before the first call', async () => {
    expect(await costs(await door())).toEqual({
      records: [],
      total_cost_usd: 0,
      total_cost_micro_usd: 0,
      total_cost_nano_usd: 0,
      total_requests: 0,
      total_prompt_tokens: 0,
      total_completion_tokens: 0,
    })
  })

  it('adds up what the calls said they cost, plain and streamed', async () => {
    const { to, provider } = await priced()
    const plain = await chat(to, 'gpt-4o-mini')
    const usage = (plain.body as { usage: { cost_micro_usd: number } }).usage
    expect(plain.headers.get('x-hoosh-cost-micro-usd')).toBe(String(usage.cost_micro_usd))
    await chat(to, 'gpt-4o-mini', { stream: true })
    const { promptTokens, completionTokens } = provider.bill
    const nano = promptTokens * 150 + completionTokens * 600
    expect(await costs(to)).toEqual({
      records: [
        {
          provider: 'openai',
          route: 'openai',
          is_local: false,
          model: 'gpt-4o-mini',
          user: 'alice',
          pool: 'user:alice',
          total_input_tokens: promptTokens,
          total_output_tokens: completionTokens,
          request_count: 2,
          total_cost_usd: nano / 1e9,
          total_cost_micro_usd: nano / 1e3,
          total_cost_nano_usd: nano,
        },
      ],
      total_cost_usd: nano / 1e9,
      total_cost_micro_usd: nano / 1e3,
      total_cost_nano_usd: nano,
      total_requests: 2,
      total_prompt_tokens: promptTokens,
      total_completion_tokens: completionTokens,
    })
    expect(usage.cost_micro_usd * 2).toBe(nano / 1e3)
  })

  it('has a record for each route and model; a local one costs nothing', async () => {
    const { to } = await priced()
    for (const model of ['gpt-4o', 'gpt-4o-mini', 'llama3']) await chat(to, model)
    const { records } = await costs(to)
    expect(records.map(({ model, route, is_local }) => [model, route, is_local]).sort()).toEqual([
      ['gpt-4o', 'openai', false],
      ['gpt-4o-mini', 'openai', false],
      ['llama3', 'gpu', true],
    ])
    expect(records.find(({ model }) => model === 'llama3')).toMatchObject({ total_cost_usd: 0, request_count: 1 })
  })

  it('shows a user his own, an admin all, or one user or pool', async () => {
    const { to } = await priced()
    await chat(to, 'gpt-4o-mini')
    await chat(to, 'gpt-4o-mini', {}, { as: 'bob' })
    const users = async (query: string, sending = {}) =>
      (await costs(to, query, sending)).records.map(({ user }) => user)
    expect(await users('')).toEqual(['alice'])
    expect(await users('?user=bob')).toEqual(['alice'])
    expect((await users('', admin)).sort()).toEqual(['alice', 'bob'])
    expect(await users('?user=bob', admin)).toEqual(['bob'])
    expect(await users('?pool=user:alice', admin)).toEqual(['alice'])
    expect(await users('?pool=user:alice')).toEqual(['alice'])
    expect(await users('?user=nobody', admin)).toEqual([])
  })

  it('takes days, both ends with them', async () => {
    const { to } = await priced()
    await chat(to, 'gpt-4o-mini')
    to.clock.set('2026-01-03T12:00:00Z')
    await chat(to, 'gpt-4o-mini')
    const calls = async (query: string) => (await costs(to, query)).total_requests
    expect(await calls('?from=2026-01-01')).toBe(2)
    expect(await calls('?from=2026-01-02')).toBe(1)
    expect(await calls('?to=2026-01-02')).toBe(1)
    expect(await calls('?from=2026-01-01&to=2026-01-01')).toBe(1)
    expect(await calls('?from=2026-01-02&to=2026-01-02')).toBe(0)
  })

  it.each([
    ['from', 'yesterday'],
    ['from', '2026-1-1'],
    ['to', '1767225600000'],
    ['to', ''],
  ])('with %s=%s is 400 that names it', async (param, value) => {
    const reply = await (await door()).get(`/v1/costs?${param}=${value}`)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
    expect(errorOf(reply).message).toBe(`${param}: must be a day, YYYY-MM-DD`)
  })

  it("with another's pool is 403", async () => {
    const reply = await (await door()).get('/v1/costs?pool=user:bob')
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([403, 'pool_not_allowed', 'pool'])
  })

  it('has nothing of calls that were refused or were free', async () => {
    const { to, provider } = await priced()
    provider.script({ status: 400 }, { status: 503 })
    await chat(to, 'gpt-4o-mini')
    await chat(to, 'gpt-4o-mini')
    await chat(to, 'no-such-model')
    expect((await costs(to)).total_requests).toBe(0)
  })
})

describe('POST /v1/costs/reset', () => {
  it('begins anew, for admins alone, and is on record; no budget changes', async () => {
    const { to } = await priced()
    await chat(to, 'gpt-4o')
    const before = (await to.get('/v1/tokens/pools')).body
    expect((await to.send('POST', '/v1/costs/reset')).status).toBe(403)
    const reply = await to.send('POST', '/v1/costs/reset', admin)
    expect([reply.status, reply.body]).toEqual([200, { status: 'ok' }])
    expect((await costs(to, '', admin)).records).toEqual([])
    expect((await to.get('/v1/tokens/pools')).body).toEqual(before)
    const { entries } = (await to.get('/v1/audit?event=admin.costs_reset', admin)).body as { entries: object[] }
    expect(entries).toMatchObject([{ level: 'warn', subject: 'root', requestId: reply.headers.get('x-request-id') }])
    await chat(to, 'gpt-4o')
    expect((await costs(to)).total_requests).toBe(1)
  })

  it('works where the audit log is off', async () => {
    const to = await door({ audit: false })
    expect((await to.send('POST', '/v1/costs/reset', admin)).body).toEqual({ status: 'ok' })
  })
})

describe('POST /v1/cost/estimate', () => {
  it('prices a call on the route it would take, without making it', async () => {
    const { to, provider } = await priced()
    const reply = await to.post('/v1/cost/estimate', { model: 'gpt-4o', input_tokens: 1_000, output_tokens: 500 })
    expect(reply.status).toBe(200)
    expect(reply.body).toMatchObject({
      model: 'gpt-4o',
      provider: 'openai',
      input_tokens: 1_000,
      output_tokens: 500,
      estimated_cost_micro_usd: 7_500,
      estimated_cost_usd: '0.0075',
    })
    expect(provider.requests).toHaveLength(0)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 0 }])
  })

  it('takes absent counts for 0, local routes for free, aliases for what they stand for', async () => {
    const { to } = await priced()
    const free = { estimated_cost_micro_usd: 0, estimated_cost_usd: '0' }
    expect((await to.post('/v1/cost/estimate', { model: 'gpt-4o' })).body).toMatchObject({ input_tokens: 0, ...free })
    const local = { model: 'llama3', input_tokens: 1e6, output_tokens: 1e6 }
    expect((await to.post('/v1/cost/estimate', local)).body).toMatchObject({ provider: 'vllm', ...free })
  })

  it('is the same while every circuit is open', async () => {
    const { to, provider } = await priced()
    provider.script({ status: 503, times: 3 })
    for (let call = 0; call < 3; call += 1) await chat(to, 'gpt-4o')
    expect(errorOf(await chat(to, 'gpt-4o')).code).toBe('providers_unavailable')
    expect((await to.post('/v1/cost/estimate', { model: 'gpt-4o' })).status).toBe(200)
  })

  it.each<[string, unknown, number, string, string]>([
    ['no model', {}, 400, 'invalid_request', 'model'],
    ['an empty model', { model: '' }, 400, 'invalid_request', 'model'],
    ['a negative count', { model: 'gpt-4o', input_tokens: -1 }, 400, 'invalid_request', 'input_tokens'],
    ['a fraction', { model: 'gpt-4o', output_tokens: 0.5 }, 400, 'invalid_request', 'output_tokens'],
    ['words', { model: 'gpt-4o', output_tokens: 'many' }, 400, 'invalid_request', 'output_tokens'],
    ['a model that nobody has', { model: 'claude' }, 404, 'model_not_found', 'model'],
    ['a model without a price', { model: 'gpt-unheard-of' }, 400, 'unpriced_model', 'model'],
  ])('of %s', async (_what, body, status, code, param) => {
    const { to } = await priced()
    const reply = await to.post('/v1/cost/estimate', body)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([status, code, param])
  })

  it('goes up to the largest amount that is counted, 2^52 nano-USD', async () => {
    const { to } = await priced()
    const reply = await to.post('/v1/cost/estimate', { model: 'gpt-4o', input_tokens: Number.MAX_SAFE_INTEGER })
    expect(reply.body).toMatchObject({ estimated_cost_usd: '4503599.627370496' })
  })
})

describe('POST /v1/cost/recommend', () => {
  const asked = { input_tokens: 1_000, max_output_tokens: 500 }

  it('names the cheapest configured model that can do it', async () => {
    const { to } = await priced()
    const reply = await to.post('/v1/cost/recommend', { ...asked, has_system_prompt: true })
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      model: 'gpt-4o-mini',
      provider: 'openai',
      tier: expect.stringMatching(/^(economy|standard|premium|reasoning)$/),
      required_tier: 'economy',
      estimated_cost_micro_usd: 450,
      estimated_cost_usd: '0.00045',
    })
    expect((await to.post('/v1/cost/recommend', {})).status).toBe(200)
  })

  it('asks for more where more is needed', async () => {
    const { to } = await priced()
    const reply = await to.post('/v1/cost/recommend', { ...asked, has_vision: true })
    expect(reply.body).toMatchObject({ required_tier: 'standard', model: 'gpt-4o' })
  })

  it('names only what the caller may use', async () => {
    const to = await door(
      { providers: [{ type: 'openai', apiKey: 'k', models: ['gpt-4o', 'gpt-4o-mini'] }], prices: PRICES },
      { identify: () => ({ user: 'ada', models: ['gpt-4o'] }) },
    )
    expect((await to.post('/v1/cost/recommend', asked)).body).toMatchObject({ model: 'gpt-4o' })
  })

  it('is 404 that says why where no model named in full can do it', async () => {
    for (const models of [['gpt-*'], ['gpt-4o']]) {
      const to = await door({ providers: [{ type: 'openai', apiKey: 'k', models }], prices: PRICES })
      const reply = await to.post('/v1/cost/recommend', { input_tokens: 90_000_000 })
      expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
      expect(errorOf(reply).message).toContain('`models`')
    }
  })

  it.each<[object, string]>([
    [{ input_tokens: -1 }, 'input_tokens'],
    [{ max_output_tokens: 1.5 }, 'max_output_tokens'],
    [{ uses_tools: 'yes' }, 'uses_tools'],
    [{ has_vision: 1 }, 'has_vision'],
    [{ has_system_prompt: null }, 'has_system_prompt'],
  ])('of %j is 400 that names it', async (body, param) => {
    const reply = await (await priced()).to.post('/v1/cost/recommend', body)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
    expect(errorOf(reply).message).toMatch(new RegExp(`^${param}: must be`))
  })
})
