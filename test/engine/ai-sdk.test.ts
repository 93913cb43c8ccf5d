import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createGateway, fromAiSdk, type HooshContext, type HooshOptions, type ProviderOptions } from '@hoosh/core'
import { gate, type ScriptedProvider } from '@hoosh/core/testing'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { upstream } from '../support/door.js'

const POOLS = { 'user:*': { tokens: 100_000, usd: 5 } }
const messages = [{ role: 'user' as const, content: 'Say something about the sea.' }]

interface Bridged {
  readonly hoosh: HooshContext
  readonly openai: OpenAI
  readonly provider: ScriptedProvider
  left(): Promise<{ tokens: number; held: number }>
}

/** A gateway whose only route is a package of the AI SDK, which asks the scripted provider. */
async function bridged(
  route: (url: string) => ProviderOptions = (url) =>
    fromAiSdk(createOpenAICompatible({ name: 'scripted', baseURL: `${url}/v1`, includeUsage: true })),
  options: HooshOptions = {},
): Promise<Bridged> {
  const provider = await upstream()
  const gateway = createGateway({
    providers: [route(provider.url)],
    pools: POOLS,
    prices: { m: { input: '1', output: '2' } },
    logger: false,
    ...options,
  })
  onTestFinished(() => gateway.close({ timeoutMs: 0 }))
  const hoosh = gateway.as({ user: 'ada', pool: 'user:ada' })
  const openai = new OpenAI({ fetch: hoosh.fetch, baseURL: 'http://hoosh/v1', apiKey: 'in-process', maxRetries: 0 })
  const left = async () => {
    const [pool] = await hoosh.budget.pools()
    return { tokens: pool!.used.tokens, held: pool!.held.tokens }
  }
  return { hoosh, openai, provider, left }
}

describe('a package of the AI SDK as a route', () => {
  it('answers, with what it cost', async () => {
    const { hoosh, provider, left } = await bridged()
    const answer = await hoosh.chat({ model: 'm', messages, max_tokens: 5, temperature: 0, seed: 7, stop: 'x' })
    expect(answer.choices[0]).toMatchObject({
      message: { role: 'assistant', content: ' one two three four five' },
      finish_reason: 'length',
    })
    expect(answer.usage).toMatchObject({ completion_tokens: 5, provider: 'ai-sdk' })
    expect(provider.requests[0]!.body).toMatchObject({
      model: 'm',
      max_tokens: 5,
      temperature: 0,
      seed: 7,
      stop: ['x'],
    })
    expect(await left()).toEqual({ tokens: provider.bill.totalTokens, held: 0 })
  })

  it('streams, with usage at the end', async () => {
    const { openai, provider, left } = await bridged()
    const stream = await openai.chat.completions.create({
      model: 'm',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant')
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toMatch(/^ one two three/)
    expect(chunks.at(-1)!.usage!.total_tokens).toBe(provider.bill.totalTokens)
    expect(await left()).toEqual({ tokens: provider.bill.totalTokens, held: 0 })
  })

  it.each([true, false])('goes through a tool loop of several steps (streamed: %s)', async (streamed) => {
    const { hoosh, provider } = await bridged()
    const call = (city: string) => ({ toolCall: { name: 'weather', arguments: JSON.stringify({ city }) } })
    provider.script(call('Rome'), call('Oslo'), { text: 'Sunny in both.' })
    const through = createOpenAICompatible({ name: 'hoosh', baseURL: 'http://hoosh/v1', fetch: hoosh.fetch })
    const options = {
      model: through.chatModel('m'),
      prompt: 'Weather?',
      stopWhen: stepCountIs(5),
      tools: {
        weather: tool({
          inputSchema: z.object({ city: z.string() }),
          execute: async ({ city }) => `sunny in ${city}`,
        }),
      },
    }
    const result = streamed ? streamText(options) : await generateText(options)
    expect(await result.text).toContain('Sunny in both.')
    const sent = provider.requests[2]!.body as { messages: { role: string; content: unknown }[]; tools: object[] }
    expect(sent.messages.filter(({ role }) => role === 'tool').map(({ content }) => content)).toEqual([
      'sunny in Rome',
      'sunny in Oslo',
    ])
    expect(sent.tools).toMatchObject([{ type: 'function', function: { name: 'weather' } }])
  })

  it('shows images in base64, and asks for JSON of a shape', async () => {
    const { hoosh, provider } = await bridged((url) =>
      fromAiSdk(createOpenAICompatible({ name: 's', baseURL: `${url}/v1`, supportsStructuredOutputs: true })),
    )
    const schema = {
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
      additionalProperties: false,
    }
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,aGVsbG8=' } }
    await hoosh.chat({
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, image] }],
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
    })
    expect(provider.requests[0]!.body).toMatchObject({
      messages: [{ content: [{ type: 'text' }, { image_url: { url: 'data:image/png;base64,aGVsbG8=' } }] }],
      response_format: { json_schema: { schema } },
    })
  })

  it('refuses by name what it cannot pass on, and leaves it out where the caller says so', async () => {
    const { openai, provider } = await bridged()
    const params = { model: 'm', messages, logprobs: true }
    await expect(openai.chat.completions.create(params)).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'logprobs',
    })
    expect(provider.requests).toHaveLength(0)
    const { response } = await openai.chat.completions
      .create({ ...params, drop_unsupported: true } as typeof params)
      .withResponse()
    expect(response.headers.get('x-hoosh-dropped')).toBe('logprobs')
  })

  it('embeds, as many at a time as the model takes', async () => {
    const { openai, provider, left } = await bridged((url) => {
      const model = createOpenAICompatible({ name: 's', baseURL: `${url}/v1` }).embeddingModel('m')
      return fromAiSdk(Object.create(model, { maxEmbeddingsPerCall: { value: 2 } }))
    })
    const { data } = await openai.embeddings.create({ model: 'm', input: ['a', 'b', 'c'] })
    expect(data.map(({ index, embedding }) => [index, embedding.length > 0])).toEqual([
      [0, true],
      [1, true],
      [2, true],
    ])
    expect(provider.requests).toHaveLength(2)
    expect((await left()).held).toBe(0)
  })

  it('serves the one model that it was given, and is priced by whom it asks', async () => {
    const { hoosh } = await bridged(
      (url) => fromAiSdk(createOpenAI({ baseURL: `${url}/v1`, apiKey: 'k' }).chat('gpt-4o')),
      {
        prices: {},
      },
    )
    const answer = await hoosh.chat({ model: 'gpt-4o', messages, max_tokens: 5 })
    expect(answer.usage!.cost_micro_usd).toBeGreaterThan(0)
    await expect(hoosh.chat({ model: 'm', messages })).rejects.toMatchObject({ code: 'model_not_found' })
  })

  it('needs a source', async () => {
    const gateway = createGateway({ providers: [{ type: 'ai-sdk' }], logger: false })
    await expect(gateway.ready()).rejects.toMatchObject({ code: 'invalid_options', message: /fromAiSdk/ })
  })
})

describe('what goes wrong in a package of the AI SDK', () => {
  it.each([
    [{ status: 429, headers: { 'retry-after': '7' } }, 429, 'provider_rate_limited'],
    [{ status: 401 }, 502, 'provider_auth'],
    [{ status: 500 }, 502, 'provider_error'],
    [{ fault: 'garbage' as const }, 502, 'provider_error'],
    [{ fault: 'reset-before-head' as const }, 502, 'provider_error'],
  ])('%j is %s %s, and leaves no hold', async (script, status, code) => {
    const { openai, provider, left } = await bridged()
    provider.script(script, script, script)
    for (const stream of [false, true]) {
      provider.script(script, script, script)
      await expect(openai.chat.completions.create({ model: 'm', messages, stream })).rejects.toMatchObject({
        status,
        code,
      })
    }
    expect((await left()).held).toBe(0)
    expect((await left()).tokens).toBeGreaterThanOrEqual(provider.bill.totalTokens)
  })

  it('moves on to the next route', async () => {
    const second = await upstream()
    const first = await upstream()
    first.script({ status: 503 })
    const gateway = createGateway({
      providers: [
        fromAiSdk(createOpenAICompatible({ name: 's', baseURL: `${first.url}/v1` }), { priority: 1 }),
        { type: 'openai', baseUrl: second.url },
      ],
      pools: POOLS,
      prices: { m: { input: '1', output: '2' } },
      logger: false,
    })
    onTestFinished(() => gateway.close({ timeoutMs: 0 }))
    const answer = await gateway.as({ user: 'ada', pool: 'user:ada' }).chat({ model: 'm', messages })
    expect(answer.usage!.provider).toBe('openai')
    expect(first.requests).toHaveLength(1)
  })

  it.each([false, true])('a caller who goes closes the connection of the package (streamed: %s)', async (stream) => {
    const { openai, provider, left } = await bridged()
    const held = gate()
    provider.script(stream ? { tokens: 50, holdAfter: { events: 3, gate: held } } : { holdHead: held })
    const caller = new AbortController()
    const asking = openai.chat.completions.create({ model: 'm', messages, stream }, { signal: caller.signal })
    if (stream) {
      for await (const _ of (await asking) as AsyncIterable<unknown>) {
        caller.abort()
        break
      }
    } else {
      await held.reached
      caller.abort()
      await expect(asking).rejects.toThrow()
    }
    await provider.requests[0]!.aborted
    held.open()
    await expect.poll(async () => (await left()).held).toBe(0)
    expect((await left()).tokens).toBeGreaterThanOrEqual(provider.bill.totalTokens)
  })

  it('silence ends at the deadline', async () => {
    const { openai, provider } = await bridged(undefined, { deadlines: { firstByteMs: 40, plainMs: 40, idleMs: 40 } })
    for (const stream of [false, true]) {
      provider.script({ fault: 'hang-before-head' })
      await expect(openai.chat.completions.create({ model: 'm', messages, stream })).rejects.toMatchObject({
        status: 504,
        code: 'first_byte_timeout',
      })
    }
  })

  it('a stream that breaks off ends with an error, and is charged', async () => {
    const { openai, provider, left } = await bridged()
    provider.script({ fault: 'reset', faultAfter: 3 })
    const stream = await openai.chat.completions.create({ model: 'm', messages, stream: true })
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toThrow()
    expect((await left()).held).toBe(0)
    expect((await left()).tokens).toBeGreaterThanOrEqual(provider.bill.totalTokens)
  })
})

/** A model of version 2 or 3 that plays what it is given, and keeps what it was asked. */
function player(version: 'v2' | 'v3', parts: readonly object[]) {
  const asked: { prompt: { role: string; content: unknown }[] }[] = []
  const usage =
    version === 'v2'
      ? { inputTokens: 10, outputTokens: 6, totalTokens: 16, reasoningTokens: 4, cachedInputTokens: 2 }
      : { inputTokens: { total: 10, cacheRead: 2 }, outputTokens: { total: 6, reasoning: 4 } }
  const finishReason = version === 'v2' ? 'tool-calls' : { unified: 'tool-calls', raw: 'tool_use' }
  const content = [
    { type: 'reasoning', text: 'Hm.', providerMetadata: { p: { signature: 's1' } } },
    {
      type: 'tool-call',
      toolCallId: 'c1',
      toolName: 'f',
      input: '{"a":1}',
      providerMetadata: { p: { thought: 't1' } },
    },
  ]
  const model = {
    specificationVersion: version,
    provider: 'player',
    modelId: 'm',
    supportedUrls: { 'image/*': [/^https:\/\/pictures\./] },
    doGenerate: async (options: (typeof asked)[number]) => {
      asked.push(options)
      return { content, finishReason, usage, warnings: [{ type: 'unsupported', feature: 'topK' }] }
    },
    doStream: async (options: (typeof asked)[number]) => {
      asked.push(options)
      return { stream: ReadableStream.from([...parts, { type: 'finish', finishReason, usage }]) }
    },
  }
  return { model, asked }
}

const PARTS = [
  { type: 'stream-start', warnings: [{ type: 'unsupported-setting', setting: 'topK' }] },
  { type: 'response-metadata', id: 'r-1', modelId: 'm-2' },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', delta: 'Hm.' },
  { type: 'reasoning-end', id: '0', providerMetadata: { p: { signature: 's1' } } },
  { type: 'tool-input-start', id: 'c1', toolName: 'f' },
  { type: 'tool-input-delta', id: 'c1', delta: '{"a"' },
  { type: 'tool-input-delta', id: 'c1', delta: ':1}' },
  { type: 'tool-input-end', id: 'c1' },
  { type: 'tool-call', toolCallId: 'c1', toolName: 'f', input: '{"a":1}', providerMetadata: { p: { thought: 't1' } } },
]

describe.each(['v2', 'v3'] as const)('a model of specification %s', (version) => {
  const tools = [{ type: 'function' as const, function: { name: 'f', parameters: { type: 'object', properties: {} } } }]

  it.each([false, true])(
    'gets back what it signed, from clients that keep it and from those that drop it (streamed: %s)',
    async (stream) => {
      const { model, asked } = player(version, PARTS)
      const { openai } = await bridged(() => fromAiSdk(model))
      const params = { model: 'm', messages, tools, top_k: 3 }
      const first = stream
        ? await openai.chat.completions
            .stream({ ...params, stream_options: { include_usage: true } })
            .finalChatCompletion()
        : await openai.chat.completions.create(params)
      const { message, finish_reason } = first.choices[0]!
      expect(finish_reason).toBe('tool_calls')
      expect(first.usage).toMatchObject({ prompt_tokens: 10, completion_tokens: 6 })
      expect(message.tool_calls).toMatchObject([{ id: 'c1', function: { name: 'f', arguments: '{"a":1}' } }])
      const call = { id: 'c1', type: 'function' as const, function: { name: 'f', arguments: '{"a":1}' } }
      const result = { role: 'tool' as const, tool_call_id: 'c1', content: 'done' }
      // A client that knows none of our fields.
      await openai.chat.completions.create({
        ...params,
        messages: [...messages, { role: 'assistant', content: null, tool_calls: [call] }, result],
      })
      const [, assistant, told] = asked[1]!.prompt
      expect(assistant!.content).toEqual([
        { type: 'reasoning', text: 'Hm.', providerOptions: { p: { signature: 's1' } } },
        {
          type: 'tool-call',
          toolCallId: 'c1',
          toolName: 'f',
          input: { a: 1 },
          providerOptions: { p: { thought: 't1' } },
        },
      ])
      expect(told!.content).toEqual([
        { type: 'tool-result', toolCallId: 'c1', toolName: 'f', output: { type: 'text', value: 'done' } },
      ])
    },
  )

  it('tells what the model could not do', async () => {
    for (const stream of [false, true]) {
      const { openai } = await bridged(() => fromAiSdk(player(version, PARTS).model))
      const params = { model: 'm', messages, tools, top_k: 3, stream }
      const { response } = await openai.chat.completions.create(params).withResponse()
      expect(response.headers.get('x-hoosh-dropped')).toBe('top_k')
    }
  })

  it('is given addresses that it fetches itself, and no others', async () => {
    const { model, asked } = player(version, PARTS)
    const { openai } = await bridged(() => fromAiSdk(model))
    const look = (url: string) =>
      openai.chat.completions.create({
        model: 'm',
        tools,
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
      })
    await look('https://pictures.example/a.png')
    expect(asked[0]!.prompt[0]!.content).toEqual([
      { type: 'file', mediaType: 'image/*', data: new URL('https://pictures.example/a.png') },
    ])
    await expect(look('https://other.example/a.png')).rejects.toMatchObject({
      code: 'unsupported_parameter',
      param: 'messages.0.content.0.image_url',
    })
  })
})
