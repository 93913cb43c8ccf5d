import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CacheStore } from '@hoosh/core/storage'
import { memoryCache } from '@hoosh/core/storage'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { takenApart } from '../support/answers.js'
import { door, errorOf } from '../support/door.js'
import { people } from '../support/mounts.js'
import { settledPool } from '../support/pair.js'
import { recordingUpstream } from './dialects/upstream.js'

type Json = Record<string, unknown>

const MODEL = 'claude-sonnet-4-5'
const message = { id: 'msg_1', type: 'message', role: 'assistant', model: MODEL, stop_reason: 'end_turn' }
const usage = { input_tokens: 5, output_tokens: 2 }
const text = (said: string, more: Json = {}) => ({ type: 'text', text: said, ...more })
const call = (name: string, input: Json, id = 'toolu_1') => ({ type: 'tool_use', id, name, input })

/** The same message as a stream, everything of a block in one delta. */
function streamOf(answer: Json): string {
  const event = (type: string, fields: Json) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const blocks = (answer.content as Json[]).flatMap((block, index) => {
    const { text: said, thinking, signature, input, citations, ...start } = block
    const empty = said === undefined ? {} : { text: '' }
    const deltas = [
      ...(said === undefined ? [] : [{ type: 'text_delta', text: said }]),
      ...(thinking === undefined ? [] : [{ type: 'thinking_delta', thinking }]),
      ...(signature === undefined ? [] : [{ type: 'signature_delta', signature }]),
      ...(input === undefined ? [] : [{ type: 'input_json_delta', partial_json: JSON.stringify(input) }]),
      ...((citations as Json[] | undefined) ?? []).map((citation) => ({ type: 'citations_delta', citation })),
    ]
    const opened = {
      ...start,
      ...empty,
      ...(thinking === undefined ? {} : { thinking: '' }),
      ...(input === undefined ? {} : { input: {} }),
    }
    return [
      event('content_block_start', { index, content_block: opened }),
      ...deltas.map((delta) => event('content_block_delta', { index, delta })),
      event('content_block_stop', { index }),
    ]
  })
  const { content: _content, usage: told, stop_reason, stop_details, container, ...head } = answer
  return [
    event('message_start', { message: { ...head, content: [], usage: told } }),
    ...blocks,
    event('message_delta', { delta: { stop_reason, stop_details, container }, usage: told }),
    event('message_stop', {}),
  ].join('')
}

/** A gateway before Anthropic that gives one answer, plain or streamed. */
async function answering(answer: Json, options: { cache?: CacheStore; tokens?: number } = {}) {
  const whole = { ...message, usage, ...answer }
  const { url, asked } = await recordingUpstream(({ body }) =>
    body.stream === true ? { type: 'text/event-stream', body: streamOf(whole) } : { body: JSON.stringify(whole) },
  )
  const to = await door({
    providers: [{ type: 'anthropic', baseUrl: url, apiKey: 'sk-ant-key', local: true }],
    pools: { 'user:*': { tokens: options.tokens ?? 1_000_000 } },
    ...(options.cache === undefined ? {} : { storage: { cache: options.cache } }),
  })
  return { to, asked }
}

/** What an answer says in both ways, which has to be the same. */
async function answered(answer: Json, params: Json = {}) {
  const { to, asked } = await answering(answer)
  const client = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 0 })
  const ask = { model: MODEL, messages: [{ role: 'user' as const, content: 'Hello' }], ...params }
  const plain = await client.chat.completions.create(ask)
  const streamed = await client.chat.completions
    .stream({ ...ask, stream_options: { include_usage: true } })
    .finalChatCompletion()
  const choiceOf = ({ choices, usage: told, service_tier: tier }: OpenAI.ChatCompletion) => {
    const { message: said, finish_reason: finish, ...more } = choices[0]! as unknown as Json & { message: Json }
    const { parsed: _parsed, logprobs: _logprobs, ...fields } = said
    const { cost_micro_usd: _cost, provider: _provider, ...figures } = told as unknown as Json
    return { said: given(fields), finish, native: more.native_finish_reason, figures, tier }
  }
  expect(choiceOf(streamed)).toEqual(choiceOf(plain))
  return { ...choiceOf(plain), asked }
}

/** Without nulls, and without what a helper of the client has read into a call's arguments. */
const given = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([field, value]) => [
        field,
        field !== 'tool_calls'
          ? value
          : (value as Json[]).map(({ id, type, function: called }) => {
              const { name, arguments: text } = called as Json
              return { id, type, function: { name, arguments: text } }
            }),
      ]),
  )

describe('an answer of Anthropic', () => {
  it('in a shape that was asked for comes as text, though a tool had to give it', async () => {
    const { said, finish, asked } = await answered(
      { content: [call('json_answer', { age: 7 })], stop_reason: 'tool_use' },
      { response_format: { type: 'json_object' } },
    )
    expect({ said, finish }).toEqual({ said: { role: 'assistant', content: '{"age":7}' }, finish: 'stop' })
    expect(asked[0]!.body).toMatchObject({
      tools: [{ name: 'json_answer', input_schema: { type: 'object' } }],
      tool_choice: { type: 'tool', name: 'json_answer' },
    })
  })

  it('that calls a tool instead stays a call', async () => {
    const tool = { type: 'function', function: { name: 'look' } }
    const { said, finish, asked } = await answered(
      { content: [call('look', {})], stop_reason: 'tool_use' },
      { response_format: { type: 'json_object' }, tools: [tool] },
    )
    expect(finish).toBe('tool_calls')
    expect(said.tool_calls).toEqual([{ id: 'toolu_1', type: 'function', function: { name: 'look', arguments: '{}' } }])
    expect(asked[0]!.body).toMatchObject({
      tools: [{ name: 'look' }, { name: 'json_answer' }],
      tool_choice: { type: 'any' },
    })
  })

  it('cites, with places in the text and what has to come back', async () => {
    const page = {
      type: 'web_search_result_location',
      url: 'https://a.example',
      title: 'A',
      cited_text: 'x',
      encrypted_index: 'e',
    }
    const document = { type: 'char_location', document_index: 0, cited_text: 'y' }
    const { said } = await answered({
      content: [text('So '), text('it is', { citations: [page] }), text('.', { citations: [document] })],
    })
    expect(said).toEqual({
      role: 'assistant',
      content: 'So it is.',
      annotations: [
        { type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A', start_index: 3, end_index: 8 } },
      ],
      extra_content: {
        anthropic: {
          content: [
            { type: 'text', length: 3 },
            { type: 'text', length: 5, citations: [page] },
            { type: 'text', length: 1, citations: [document] },
          ],
        },
      },
    })
  })

  it('thinks aloud, and carries the signature', async () => {
    const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'sig' }
    const hidden = { type: 'redacted_thinking', data: 'opaque' }
    const { said } = await answered({ content: [thinking, hidden, text('Yes.')], container: { id: 'container_1' } })
    expect(said).toEqual({
      role: 'assistant',
      content: 'Yes.',
      reasoning_content: 'Hm.',
      extra_content: {
        anthropic: { content: [thinking, hidden, { type: 'text', length: 4 }], container: { id: 'container_1' } },
      },
    })
  })

  it('refuses in its own words', async () => {
    const details = { type: 'refusal', explanation: 'I will not.' }
    const { said, finish } = await answered({ content: [], stop_reason: 'refusal', stop_details: details })
    expect([said.refusal, finish]).toEqual(['I will not.', 'content_filter'])
  })

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
  ])('that stopped for %s says %s', async (reason, finish) => {
    const told = await answered({ content: [text('x')], stop_reason: reason })
    expect([told.finish, told.native]).toEqual([finish, reason])
  })

  it('tells what it used: the prompt with what caches gave and took, thinking, the tier', async () => {
    const { figures, tier } = await answered({
      content: [text('x')],
      usage: {
        input_tokens: 10,
        cache_read_input_tokens: 200,
        cache_creation_input_tokens: 30,
        output_tokens: 9,
        output_tokens_details: { thinking_tokens: 4 },
        service_tier: 'standard',
      },
    })
    expect(figures).toEqual({
      prompt_tokens: 240,
      completion_tokens: 9,
      total_tokens: 249,
      prompt_tokens_details: { cached_tokens: 200, cache_write_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 4 },
    })
    expect(tier).toBe('default')
  })
})

const hello = (more: Json = {}) => ({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }], ...more })
/** Bytes of "Hello" and what the facts of Claude add to one message. */
const PROMPT_BOUND = 5 + 128 + 16

describe.each([false, true])('what is charged (streamed: %s)', (stream) => {
  const charged = async (told: Json | null) => {
    const { to } = await answering({ content: [text('one two three')], usage: told })
    await to.post('/v1/chat/completions', hello({ stream }))
    return (await settledPool(to)).used
  }

  it('is what Anthropic says', async () => {
    expect(await charged({ input_tokens: 5, output_tokens: 3, cache_read_input_tokens: 40 })).toBe(48)
  })

  it.each<[string, Json | null]>([
    ['says nothing', null],
    ['says 0', { input_tokens: 0, output_tokens: 0 }],
    ['says less than nothing', { input_tokens: -5, output_tokens: 3 }],
    ['says fractions', { input_tokens: 5.5, output_tokens: 3 }],
    ['says that the text was free', { input_tokens: 5, output_tokens: 0 }],
  ])('is counted where it %s', async (_what, told) => {
    const used = await charged(told)
    expect(used).toBeGreaterThan(PROMPT_BOUND)
    expect(used).toBeLessThanOrEqual(PROMPT_BOUND + 'one two three'.length)
  })
})

it('a translated stream ends inside the protocol where the pool is empty', async () => {
  const { to } = await answering(
    { content: Array.from({ length: 400 }, () => text('word '.repeat(10))) },
    { tokens: 400 },
  )
  const reply = await fetch(`${to.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(hello({ stream: true, stream_options: { include_usage: true } })),
  })
  const { finishes, facts, isDone, said } = takenApart(reply, await reply.text())
  expect({ finishes, limited: facts?.limited_by, isDone }).toEqual({
    finishes: ['length'],
    limited: 'budget',
    isDone: true,
  })
  expect(said.length).toBeLessThan(400 * 50)
  expect((await settledPool(to)).used).toBeLessThanOrEqual(400)
})

it('a caller who hangs up in mid-stream ends the request to Anthropic, and pays for what he got', async () => {
  let close: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    close = resolve
  })
  const server = createServer((req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(streamOf({ ...message, usage, content: [text('one two three')] }).split('event: message_delta')[0]!)
    req.socket.once('close', close)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const to = await door({ providers: [{ type: 'anthropic', baseUrl, apiKey: 'k', local: true }] })
  const gone = new AbortController()
  const reply = await fetch(`${to.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(hello({ stream: true })),
    signal: gone.signal,
  })
  const { value } = await reply.body!.getReader().read()
  expect(Buffer.from(value!).toString()).toContain('one two three')
  gone.abort()
  await closed
  const { used } = await settledPool(to)
  expect(used).toBeGreaterThan(PROMPT_BOUND)
  expect(used).toBeLessThanOrEqual(PROMPT_BOUND + 'one two three'.length)
})

it('an account without credit is not the fault of the caller', async () => {
  const error = { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API.' }
  const { url } = await recordingUpstream(() => ({ status: 400, body: JSON.stringify({ type: 'error', error }) }))
  const to = await door({ providers: [{ type: 'anthropic', baseUrl: url, apiKey: 'k' }] })
  const reply = await to.post('/v1/chat/completions', hello())
  expect([reply.status, errorOf(reply).code]).toEqual([502, 'provider_auth'])
})

it('its models are listed', async () => {
  const { url, asked } = await recordingUpstream(() => ({
    body: JSON.stringify({ data: [{ type: 'model', id: 'claude-x', display_name: 'X' }], has_more: false }),
  }))
  const to = await door({ providers: [{ type: 'anthropic', baseUrl: url, apiKey: 'k' }] })
  const { body } = await to.get('/v1/models')
  expect((body as { data: { id: string }[] }).data.map(({ id }) => id)).toContain('claude-x')
  expect(asked[0]!.path).toBe('/v1/models?limit=1000')
})

describe('what a client drops in a tool loop', () => {
  const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'sig' }
  const answer = { content: [thinking, call('look', {})], stop_reason: 'tool_use' }
  const dropped = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'look', arguments: '{}' } }],
  }
  const goOn = hello({
    messages: [{ role: 'user', content: 'Hello' }, dropped, { role: 'tool', tool_call_id: 'toolu_1', content: 'x' }],
  })
  const turn = (body: Json) => (body.messages as { content: Json[] }[])[1]!.content.map(({ type }) => type)

  it.each([false, true])('is given back to its caller, and to nobody else (streamed: %s)', async (stream) => {
    const { to, asked } = await answering(answer)
    await to.post('/v1/chat/completions', hello({ stream }))
    await to.post('/v1/chat/completions', goOn)
    await to.post('/v1/chat/completions', goOn, { as: 'bob' })
    expect(asked.slice(1).map(({ body }) => turn(body))).toEqual([['thinking', 'tool_use'], ['tool_use']])
  })

  it.each<[string, () => CacheStore['get'], string[]]>([
    ['answers later', () => async () => null, ['tool_use']],
    ['fails', () => () => Promise.reject(new TypeError('gone')), ['tool_use']],
    [
      'throws',
      () => () => {
        throw new TypeError('gone')
      },
      ['tool_use'],
    ],
    ['never answers', () => () => new Promise(() => undefined), ['tool_use']],
  ])('is lost, and the call goes on, where the cache %s', async (_what, get, types) => {
    const failing = get()
    const cache: CacheStore = { ...memoryCache(), get: failing, put: () => failing('') as Promise<never> }
    const { to, asked } = await answering(answer, { cache })
    for (const stream of [false, true]) {
      expect((await to.post('/v1/chat/completions', hello({ stream }))).text).toContain('toolu_1')
    }
    expect((await to.post('/v1/chat/completions', goOn)).status).toBe(200)
    expect(turn(asked[2]!.body)).toEqual(types)
  })

  it('is there before the answer has ended, where the cache takes its time', async () => {
    const kept = memoryCache()
    const later = () => new Promise((resolve) => setImmediate(resolve))
    const cache: CacheStore = {
      ...kept,
      get: async (key) => kept.get(key),
      put: async (key, value, ttlMs) => {
        await later()
        return kept.put(key, value, ttlMs)
      },
    }
    const { to, asked } = await answering(answer, { cache })
    for (const stream of [false, true]) {
      await to.post('/v1/chat/completions', hello({ stream }))
      await to.post('/v1/chat/completions', goOn)
      expect(turn(asked.at(-1)!.body)).toEqual(['thinking', 'tool_use'])
    }
  })
})
