import { describe, expect, it } from 'vitest'
import { chat, chatOf, door, errorOf, upstream } from '../support/door.js'

const PRICES = { m: { input: '1', output: '2' } }
const one = async (options = {}) => {
  const provider = await upstream()
  const to = await door({
    providers: [{ type: 'openai', name: 'eu', baseUrl: provider.url }],
    prices: PRICES,
    ...options,
  })
  return { to, provider }
}
const comment = (text: string) => JSON.parse(/^: hoosh (\{.*\})$/m.exec(text)![1]!) as Record<string, unknown>

describe('POST /v1/chat/completions', () => {
  it('answers in OpenAI shape, with what it cost in body and headers', async () => {
    const { to, provider } = await one({ pools: { 'user:*': { tokens: 10_000, usd: 1 } } })
    const { status, headers, body } = await chat(to, 'm')
    expect(status).toBe(200)
    const { promptTokens, completionTokens, totalTokens } = provider.bill
    const cost = promptTokens + 2 * completionTokens
    expect(body).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: expect.any(String) }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: completionTokens,
        total_tokens: totalTokens,
        cost_micro_usd: cost,
        provider: 'openai',
      },
    })
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/json',
      'x-hoosh-route': 'eu',
      'x-hoosh-cache': 'MISS',
      'x-hoosh-cost-micro-usd': String(cost),
      'x-hoosh-budget-remaining': String(10_000 - totalTokens),
      'x-hoosh-budget-remaining-usd': String(1 - cost / 1e6),
    })
    expect(headers.has('x-hoosh-limited-by')).toBe(false)
  })

  it('says nothing of a budget that nobody caps', async () => {
    const { to } = await one({ pools: { 'user:*': {} } })
    const { headers } = await chat(to, 'm')
    expect([headers.has('x-hoosh-budget-remaining'), headers.has('x-hoosh-budget-remaining-usd')]).toEqual([
      false,
      false,
    ])
  })

  it('streams, and says the same in a comment before [DONE]', async () => {
    const { to, provider } = await one({ pools: { 'user:*': { tokens: 10_000, usd: 1 } } })
    const { headers, text } = await chat(to, 'm', { stream: true })
    expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(headers.get('cache-control')).toBe('no-cache, no-transform, no-store')
    expect([headers.get('x-hoosh-route'), headers.get('x-hoosh-cache')]).toEqual(['eu', 'MISS'])
    const { promptTokens, completionTokens, totalTokens } = provider.bill
    const cost = promptTokens + 2 * completionTokens
    expect(comment(text)).toEqual({
      cost_micro_usd: cost,
      budget_remaining: 10_000 - totalTokens,
      budget_remaining_usd: 1 - cost / 1e6,
      cache: 'MISS',
    })
    expect(text).toMatch(/\n\n: hoosh .*\n\ndata: \[DONE\]\n\n$/)
    expect(text).not.toContain('"usage":{')
  })

  it('streams the usage where it is asked for, with cost and provider', async () => {
    const { to, provider } = await one()
    const { text } = await chat(to, 'm', { stream: true, stream_options: { include_usage: true } })
    const usage = text.split('\n\n').filter((event) => event.includes('"usage":{'))
    expect(usage).toHaveLength(1)
    expect(JSON.parse(usage[0]!.slice(6))).toMatchObject({
      choices: [],
      usage: { total_tokens: provider.bill.totalTokens, cost_micro_usd: expect.any(Number), provider: 'openai' },
    })
  })

  it('says so where the budget rather than the caller ended the answer', async () => {
    const { to, provider } = await one({ pools: { 'user:*': { tokens: 80 } } })
    provider.script({ tokens: 1_000, times: 2 })
    const own = await chat(to, 'gpt-4o', { max_tokens: 5 })
    const ours = await chat(to, 'gpt-4o', { max_tokens: 500 })
    for (const { text } of [own, ours]) expect(text).toContain('"finish_reason":"length"')
    expect([own, ours].map(({ headers }) => headers.get('x-hoosh-limited-by'))).toEqual([null, 'budget'])
  })

  it('passes on what it does not know, and adds nothing of its own but the usage it needs', async () => {
    const { to, provider } = await one()
    const extra = { seed: 7, metadata: { a: 'b' }, some_new_field: [1, { x: null }], user: 'u' }
    await chat(to, 'm', extra)
    expect(provider.requests[0]!.body).toMatchObject(chatOf('m', extra))
    await chat(to, 'm', { ...extra, pool: 'user:alice', fallbacks: [], stream: true })
    const { pool, fallbacks, stream_options } = provider.requests[1]!.body as Record<string, unknown>
    expect([pool, fallbacks, stream_options]).toEqual([undefined, undefined, { include_usage: true }])
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['no model', { model: undefined }, 'model'],
    ['a model that is no text', { model: 5 }, 'model'],
    ['a model of 257 characters', { model: 'x'.repeat(257) }, 'model'],
    ['a model with a quote', { model: 'a"b' }, 'model'],
    ['a model with a line break', { model: 'a\nb' }, 'model'],
    ['no messages', { messages: undefined }, 'messages'],
    ['messages that are a text', { messages: 'hello' }, 'messages'],
    ['no message at all', { messages: [] }, 'messages'],
    ['too many messages', { messages: Array(2_049).fill({ role: 'user', content: 'x' }) }, 'messages'],
    ['a message that is null', { messages: [null] }, 'messages.0'],
    ['a message without role', { messages: [{ content: 'x' }] }, 'messages.0.role'],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    ['content that is a number', { messages: [{ role: 'user', content: 5 }] }, 'messages.0.content'],
    ['a part that is a number', { messages: [{ role: 'user', content: [5] }] }, 'messages.0.content'],
    ['max_tokens of 0', { max_tokens: 0 }, 'max_tokens'],
    ['a fraction of max_tokens', { max_tokens: 1.5 }, 'max_tokens'],
    ['negative max_completion_tokens', { max_completion_tokens: -1 }, 'max_completion_tokens'],
    ['a temperature above 2', { temperature: 2.1 }, 'temperature'],
    ['a temperature below 0', { temperature: -0.1 }, 'temperature'],
    ['a top_p above 1', { top_p: 1.1 }, 'top_p'],
    ['n of 0', { n: 0 }, 'n'],
    ['n of 129', { n: 129 }, 'n'],
    ['stream as a text', { stream: 'yes' }, 'stream'],
    ['tools that are no list', { tools: {} }, 'tools'],
    ['a tool that is a text', { tools: ['x'] }, 'tools.0'],
    ['too many tools', { tools: Array(129).fill({ type: 'function', function: { name: 'f' } }) }, 'tools'],
    ['stream_options that are no object', { stream_options: true }, 'stream_options'],
    ['include_usage as a text', { stream_options: { include_usage: 'yes' } }, 'stream_options.include_usage'],
    ['a pool that is a number', { pool: 5 }, 'pool'],
  ])('with %s is 400 that names it and says what it has to be', async (_what, more, param) => {
    const { to, provider } = await one()
    const reply = await chat(to, 'm', more)
    expect([reply.status, errorOf(reply).code, errorOf(reply).type]).toEqual([
      400,
      'invalid_request',
      'invalid_request_error',
    ])
    expect(errorOf(reply).param).toBe(param)
    expect(errorOf(reply).message).toMatch(/must|is required/)
    expect(errorOf(reply).message.startsWith(param)).toBe(true)
    expect(provider.requests).toHaveLength(0)
  })

  it('takes null for whatever may be absent', async () => {
    const { to } = await one()
    const nulls = {
      max_tokens: null,
      temperature: null,
      top_p: null,
      n: null,
      stream: null,
      tools: null,
      pool: null,
      fallbacks: null,
    }
    expect((await chat(to, 'm', nulls)).status).toBe(200)
    const messages = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'tool', tool_call_id: 'c', content: 'y' },
    ]
    expect((await chat(to, 'm', { messages })).status).toBe(200)
  })
})

describe('POST /v1/embeddings', () => {
  it('answers in OpenAI shape, with what it cost', async () => {
    const { to, provider } = await one()
    const reply = await to.post('/v1/embeddings', { model: 'm', input: ['one', 'two'] })
    expect(reply.status).toBe(200)
    const { promptTokens } = provider.bill
    expect(reply.body).toMatchObject({
      object: 'list',
      model: 'm',
      data: [
        { object: 'embedding', index: 0 },
        { object: 'embedding', index: 1 },
      ],
      usage: {
        prompt_tokens: promptTokens,
        total_tokens: promptTokens,
        cost_micro_usd: promptTokens,
        provider: 'openai',
      },
    })
    expect(reply.headers.get('x-hoosh-cost-micro-usd')).toBe(String(promptTokens))
  })

  it.each([['one text'], [['a', 'b']], [[1, 2, 3]], [[[1, 2], [3]]]])('takes %j', async (input) => {
    const { to, provider } = await one()
    expect((await to.post('/v1/embeddings', { model: 'm', input, dimensions: 8 })).status).toBe(200)
    expect(provider.requests[0]!.body).toEqual({ model: 'm', input, dimensions: 8 })
  })

  it.each([undefined, null, '', [], [[]], 5, [1.5], [-1], [{}], [['a']]])(
    'refuses the input %j by name',
    async (input) => {
      const { to } = await one()
      const reply = await to.post('/v1/embeddings', { model: 'm', input })
      expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', 'input'])
      expect(errorOf(reply).message).toMatch(/^input: is required/)
    },
  )
})

describe('money', () => {
  it('a model without a price is 400 on a pool with money, unless the pool allows it', async () => {
    const refused = await one({ pools: { 'user:*': { usd: 1 } } })
    const reply = await chat(refused.to, 'never-heard-of')
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'unpriced_model', 'model'])
    expect(errorOf(reply).message).toMatch(/`prices`.*`unpriced: 'allow'`/)
    expect(refused.provider.requests).toHaveLength(0)
    const allowed = await one({ pools: { 'user:*': { usd: 1, unpriced: 'allow' } } })
    expect((await chat(allowed.to, 'never-heard-of')).headers.get('x-hoosh-cost-micro-usd')).toBe('0')
  })

  it('a local call passes a pool whose money is spent', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [{ type: 'vllm', baseUrl: provider.url }],
      pools: { 'user:*': { usd: 0 } },
    })
    expect((await chat(to, 'm')).status).toBe(200)
  })
})

describe('limits', () => {
  const limited = (limits: object) => one({ pools: { 'user:*': { tokens: 1e6, limits } } })

  it('requestsPerMinute is 429 that says when', async () => {
    const { to } = await limited({ requestsPerMinute: 2 })
    await chat(to, 'm')
    to.clock.advance(15_000)
    await chat(to, 'm')
    const reply = await chat(to, 'm')
    expect([reply.status, errorOf(reply).code, errorOf(reply).type]).toEqual([
      429,
      'rate_limit_exceeded',
      'rate_limit_error',
    ])
    expect(reply.headers.get('retry-after')).toBe('45')
    to.clock.advance(45_000)
    expect((await chat(to, 'm')).status).toBe(200)
  })

  it('tokensPerMinute counts what was used', async () => {
    const { to } = await limited({ tokensPerMinute: 10 })
    expect((await chat(to, 'm')).status).toBe(200)
    expect(errorOf(await chat(to, 'm')).code).toBe('rate_limit_exceeded')
    to.clock.advance(60_000)
    expect((await chat(to, 'm')).status).toBe(200)
  })

  it('concurrent is 429 until a call has ended', async () => {
    const { to, provider } = await limited({ concurrent: 1 })
    provider.hold()
    const running = chat(to, 'm')
    await provider.received(1)
    const reply = await chat(to, 'm')
    expect([reply.status, errorOf(reply).code, reply.headers.get('retry-after')]).toEqual([
      429,
      'concurrency_exceeded',
      '1',
    ])
    provider.release()
    await running
    expect((await chat(to, 'm')).status).toBe(200)
  })
})
