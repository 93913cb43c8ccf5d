import { createGateway, type HooshOptions } from '@hoosh/core'
import { type Script, scriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

type Json = Record<string, unknown>

/** A gateway of one user before a provider of some type, called in process. */
async function open(
  type: 'openai' | 'groq' | 'openrouter' | 'google' = 'openai',
  pool: object = { tokens: 1_000_000 },
  options: HooshOptions = {},
) {
  const provider = await scriptedProvider()
  const gateway = createGateway({
    providers: [{ type, baseUrl: provider.url, apiKey: 'sk-test' }],
    pools: { 'user:*': pool },
    logger: false,
    ...options,
  })
  onTestFinished(async () => {
    await gateway.close({ timeoutMs: 0 })
    await provider.close()
  })
  const user = gateway.as({ user: 'ann', pool: 'user:ann' })
  const call = async (more: Json = {}, path = 'chat/completions') => {
    const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }], ...more })
    const headers = { 'content-type': 'application/json' }
    const reply = await user.fetch(`http://gateway/v1/${path}`, { method: 'POST', headers, body })
    return { reply, text: await reply.text() }
  }
  const used = async () => (await user.budget.pools())[0]!.used.tokens
  return { provider, user, call, used }
}

const chunk = (delta: Json, more: Json = {}) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`

const sse = (body: string): Script => ({ replay: { contentType: 'text/event-stream', body } })

const usageIn = (text: string) =>
  [...text.matchAll(/^data: (\{.*"usage":\{.*)$/gm)].map(([, json]) => (JSON.parse(json!) as { usage: Json }).usage)

describe('usage that is told more than once', () => {
  it('charges no token twice where only the last frame says what was cached and what was thought', async () => {
    const { provider, call, used } = await open()
    const first = { prompt_tokens: 100, completion_tokens: 4, total_tokens: 104 }
    const last = {
      ...first,
      prompt_tokens_details: { cached_tokens: 80 },
      completion_tokens_details: { reasoning_tokens: 3 },
    }
    provider.script(
      sse(
        `${chunk({ content: 'the sea' }, { usage: first })}${chunk({ content: '!' }, { usage: last })}data: [DONE]\n\n`,
      ),
    )
    await call({ stream: true, stream_options: { include_usage: true } })
    expect(await used()).toBe(104)
  })
})

it('usage is found before the usage of each model that took part', async () => {
  const { provider, call, used } = await open('groq')
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 }
  const message = { role: 'assistant', content: 'the sea' }
  const models = [{ model: 'a', usage: { prompt_tokens: 60, completion_tokens: 10 } }]
  const answer = { choices: [{ index: 0, message, finish_reason: 'stop' }], usage, usage_breakdown: { models } }
  provider.script({ body: answer })
  expect(JSON.parse((await call()).text)).toMatchObject(answer)
  expect(await used()).toBe(120)
})

describe('usage that the provider does not tell', () => {
  it('is told by us in a plain answer, as it is charged', async () => {
    const { provider, call, used } = await open()
    provider.script({ tokens: 20, usage: 'missing' })
    const { usage, choices } = JSON.parse((await call()).text) as { usage: Json; choices: unknown[] }
    expect(choices).toHaveLength(1)
    expect(usage).toMatchObject({ provider: 'openai', total_tokens: await used(), cost_micro_usd: expect.any(Number) })
    expect(Number(usage.prompt_tokens) + Number(usage.completion_tokens)).toBe(usage.total_tokens)
  })

  it('takes the place of one that is null', async () => {
    const { provider, call, used } = await open()
    const message = { role: 'assistant', content: 'the sea' }
    provider.script({ body: { id: 'c', usage: null, choices: [{ index: 0, message, finish_reason: 'stop' }] } })
    const { text } = await call()
    expect(text.match(/"usage"/g)).toHaveLength(1)
    expect(JSON.parse(text)).toMatchObject({ usage: { total_tokens: await used() } })
  })

  it('is told of embeddings', async () => {
    const { provider, call, used } = await open()
    provider.script({ body: { object: 'list', data: [{ index: 0, embedding: [0.5] }], model: 'e' } })
    const { text } = await call({ model: 'text-embedding-3-small', input: 'hi' }, 'embeddings')
    const { usage } = JSON.parse(text) as { usage: Json }
    expect(usage).toMatchObject({ prompt_tokens: await used(), total_tokens: await used() })
    expect(usage).not.toHaveProperty('completion_tokens')
  })

  it('is told in a stream whose caller asked for it, before [DONE]', async () => {
    const { provider, call, used } = await open()
    provider.script({ tokens: 20, usage: 'missing' }, { tokens: 20, usage: 'missing' })
    const { text } = await call({ stream: true, stream_options: { include_usage: true } })
    expect(usageIn(text)).toEqual([expect.objectContaining({ total_tokens: await used(), provider: 'openai' })])
    expect(text).toMatch(/\[DONE\]\n\n$/)
    expect(usageIn((await call({ stream: true })).text)).toEqual([])
  })
})

describe('thinking that is said under several names', () => {
  const words = Array.from({ length: 200 }, (_, place) => [' the', ' quick', ' brown', ' fox'][place % 4]!)
  const asContent = (content: string): Json => ({ content })
  const names: [string, (said: string) => Json][] = [
    ['reasoning', (reasoning) => ({ content: null, reasoning })],
    [
      'reasoning and its details',
      (reasoning) => ({
        content: '',
        reasoning,
        reasoning_details: [
          { type: 'reasoning.text', text: reasoning, format: 'unknown', signature: 'c2ln', index: 0 },
        ],
      }),
    ],
    [
      'details alone',
      (text) => ({ content: '', reasoning_details: [{ type: 'reasoning.text', text, format: 'unknown', index: 0 }] }),
    ],
  ]

  const charged = async (type: 'openai' | 'groq' | 'openrouter', stream: boolean, delta: (said: string) => Json) => {
    const { provider, call, used } = await open(type)
    const whole = { index: 0, message: { role: 'assistant', ...delta(words.join('')) }, finish_reason: 'stop' }
    provider.script(stream ? sse(words.map((word) => chunk(delta(word))).join('')) : { body: { choices: [whole] } })
    await call({ stream })
    return used()
  }

  it.each(names)('counts it as the same words in an answer: as %s', async (_, delta) => {
    for (const type of ['openai', 'groq', 'openrouter'] as const) {
      for (const stream of [true, false]) {
        const expected = await charged(type, stream, asContent)
        expect(expected).toBeGreaterThan(200)
        expect(await charged(type, stream, delta), `${type} ${stream}`).toBe(expected)
      }
    }
  })
})

describe('two limits of the caller', () => {
  type Limits = { max_tokens: number; max_completion_tokens: number }
  const sent = (provider: { requests: readonly { body: unknown }[] }) => provider.requests[0]!.body as Limits

  it.each([
    { max_tokens: 5_000, max_completion_tokens: 10 },
    { max_tokens: 10, max_completion_tokens: 5_000 },
  ])(
    'are held for by the larger, as providers know one or the other: $max_tokens and $max_completion_tokens',
    async (limits) => {
      const { provider, call } = await open('openai', { tokens: 1_000 })
      expect((await call(limits)).reply.status).toBe(200)
      const { max_tokens: older, max_completion_tokens: newer } = sent(provider)
      expect(Math.min(older, newer)).toBe(10)
      expect(Math.max(older, newer)).toBeLessThan(1_000)
    },
  )

  it('go up as they are where the pools pay for the larger', async () => {
    const { provider, call } = await open()
    const limits = { max_tokens: 50, max_completion_tokens: 10 }
    await call(limits)
    expect(sent(provider)).toMatchObject(limits)
  })
})

describe('a limit that is ours and more than the model can', () => {
  /** The eighth of a pool of 100,000 that a plain call may have, and all of it that a stream may. */
  const [PLAIN, STREAMED] = [12_481, 99_854]
  const refusal = (limit: number) => ({
    status: 400,
    body: {
      error: { message: `'max_tokens' is too large: ${limit}. This model's maximum context length is 8192 tokens.` },
    },
  })
  const limits = (provider: { requests: readonly { body: unknown }[] }) =>
    provider.requests.map(({ body }) => (body as { max_tokens?: number }).max_tokens)

  it('is made smaller once: a plain answer comes', async () => {
    const { provider, call } = await open('openai', { tokens: 100_000 })
    provider.script(refusal(PLAIN), { tokens: 5 })
    expect((await call({ model: 'ours' })).reply.status).toBe(200)
    expect(limits(provider)).toEqual([PLAIN, 1_024])
  })

  it('is left out of a stream, which is watched', async () => {
    const { provider, call, used } = await open('openai', { tokens: 100_000 })
    provider.script(refusal(STREAMED), { tokens: 5 })
    expect((await call({ model: 'ours', stream: true })).text).toMatch(/\[DONE\]\n\n$/)
    expect(limits(provider)).toEqual([STREAMED, undefined])
    expect(await used()).toBeLessThan(50)
  })

  it.each([
    ["the limit was the caller's", { max_tokens: 9_000 }, 9_000, 1],
    ['something else is too large', {}, 5, 1],
    ['it is refused again', {}, PLAIN, 2],
  ])('is not tried again where %s', async (_, more, limit, attempts) => {
    const { provider, call, used } = await open('openai', { tokens: 100_000 })
    provider.script(refusal(limit), refusal(limit))
    const { reply, text } = await call({ model: 'ours', ...more })
    expect([reply.status, text]).toEqual([400, expect.stringContaining('maximum context length')])
    expect([provider.requests.length, await used()]).toEqual([attempts, 0])
  })

  it('is not sent to a tuned model whose own limit is less', async () => {
    const { provider, call } = await open('openai', { tokens: 100_000 })
    await call({ model: 'ft:gpt-4o-mini-2024-07-18:acme::x1', stream: true })
    expect(limits(provider)).toEqual([undefined])
  })
})

describe('events that only some servers send', () => {
  const lines = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",
data: "choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}

`

  it('are read in process as over HTTP: data on several lines, an error that is null', async () => {
    const { provider, user } = await open()
    provider.script(sse(`${lines}${chunk({ content: ' you' }, { error: null })}data: [DONE]\n\n`))
    let said = ''
    for await (const { choices } of user.stream({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] }))
      said += choices[0]?.delta.content ?? ''
    expect(said).toBe('hello you')
  })

  it('are charged by usage on several lines', async () => {
    const { provider, call, used } = await open()
    const usage = 'data: {"choices":[],\ndata: "usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n\n'
    provider.script(sse(`${lines}${usage}data: [DONE]\n\n`))
    const { text } = await call({ stream: true })
    expect(await used()).toBe(6)
    expect(text).not.toContain('"usage"')
  })
})

it('an answer whose choices are none is charged, and no fault of ours', async () => {
  const { provider, call, used } = await open()
  provider.script({ body: { object: 'chat.completion', choices: [null] } })
  const { reply } = await call()
  expect(reply.status).toBe(200)
  expect(await used()).toBeGreaterThan(0)
})

it('an answer that cannot be shown to its caller is charged all the same', async () => {
  const { provider, call, used } = await open('openai', { tokens: 1_000_000 }, { dlp: { answers: true } })
  const usage = '"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}'
  provider.script({ replay: { contentType: 'application/json', body: `{"choices":[{"message":{,${usage}` } })
  const { reply } = await call()
  expect([reply.status, reply.headers.get('x-should-retry')]).toEqual([502, 'false'])
  expect(await used()).toBe(120)
})

it.each([false, true])('why a prompt was not answered is no output, whoever says it (stream: %s)', async (stream) => {
  const { provider, call, used } = await open('google')
  const usageMetadata = { promptTokenCount: 10, totalTokenCount: 10 }
  const blocked = JSON.stringify({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata })
  provider.script(stream ? sse(`data: ${blocked}\n\n`) : { replay: { contentType: 'application/json', body: blocked } })
  expect((await call({ model: 'gemini-2.5-flash', stream })).text).toContain('SAFETY')
  expect(await used()).toBe(10)
})
