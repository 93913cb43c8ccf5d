import { describe, expect, it } from 'vitest'
import { endpointOf } from '../../../../packages/core/src/providers/base-url.js'
import { ollamaDialect } from '../../../../packages/core/src/providers/ollama/dialect.js'
import { type AskOptions, asking } from '../translated/asking.js'

const user = { role: 'user', content: 'Hello' }
const ask = (params: Record<string, unknown> = {}, options?: AskOptions) =>
  asking(ollamaDialect, { model: 'llama3.1', messages: [user], ...params }, options)
const weather = {
  type: 'function',
  function: { name: 'weather', description: 'of a city', parameters: { type: 'object' } },
}
const time = { type: 'function', function: { name: 'time' } }
const named = (name: string) => ({ type: 'function', function: { name } })

it('is found beside the dialect that has versions, and below a path', () => {
  const at = (url: string) => endpointOf(url, 'ollama', ollamaDialect.version).pathOf('/api/chat')
  expect(at('http://localhost:11434')).toBe('/api/chat')
  expect(at('http://localhost:11434/v1/')).toBe('/api/chat')
  expect(at('http://localhost/ollama')).toBe('/ollama/api/chat')
})

describe('a request', () => {
  it('keeps instructions where they stand', () => {
    const messages = [
      { role: 'developer', content: 'A' },
      user,
      { role: 'system', content: [{ type: 'text', text: 'B' }] },
    ]
    expect(ask({ messages }).body).toEqual({
      model: 'llama3.1',
      messages: [{ role: 'system', content: 'A' }, user, { role: 'system', content: 'B' }],
      stream: false,
    })
  })

  it('shows pictures, in calls and results too', () => {
    const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
    const file = { type: 'file', file: { file_data: 'data:image/jpeg;base64,BBBB' } }
    const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'Look' }, picture, file, { type: 'text', text: 'twice' }] },
      { role: 'assistant', content: null, reasoning_content: 'Hm', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'sunny' }, picture] },
    ]
    expect(ask({ messages }).body.messages).toEqual([
      { role: 'user', content: 'Look\ntwice', images: ['AAAA', 'BBBB'] },
      {
        role: 'assistant',
        content: '',
        thinking: 'Hm',
        tool_calls: [{ id: 'c1', function: { name: 'weather', arguments: { city: 'Rome' } } }],
      },
      { role: 'tool', content: 'sunny', images: ['AAAA'], tool_name: 'weather', tool_call_id: 'c1' },
    ])
  })

  it('has its sampling in options, of which the limit is ours', () => {
    const { body } = ask({
      temperature: 0,
      top_p: 0.5,
      top_k: 40,
      seed: 7,
      presence_penalty: 0.5,
      max_tokens: 9,
      stop: 'END',
      num_ctx: 8_192,
      options: { mirostat: 1, num_predict: 99 },
      logprobs: true,
      top_logprobs: 2,
      keep_alive: '5m',
    })
    expect(body).toMatchObject({ logprobs: true, top_logprobs: 2, keep_alive: '5m' })
    expect(body.options).toEqual({
      mirostat: 1,
      temperature: 0,
      top_p: 0.5,
      top_k: 40,
      seed: 7,
      presence_penalty: 0.5,
      num_ctx: 8_192,
      stop: ['END'],
      num_predict: 9,
    })
  })

  it.each([
    ['llama3.1', 'none', false],
    ['qwen3', 'high', true],
    ['gpt-oss:20b', 'minimal', 'low'],
    ['gpt-oss:20b', 'xhigh', 'high'],
  ])('of %s with the effort %s thinks: %j', (model, reasoning_effort, think) => {
    expect(ask({ model, reasoning_effort }).body.think).toBe(think)
  })

  it.each([
    [{ type: 'json_object' }, 'json'],
    [{ type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } }, { type: 'object' }],
    [{ type: 'text' }, undefined],
  ])('for an answer as %j', (response_format, format) => expect(ask({ response_format }).body.format).toEqual(format))

  it.each([
    ['logit_bias', { logit_bias: { 1: 1 } }],
    ['n', { n: 2 }],
    ['reasoning_effort', { model: 'gpt-oss', reasoning_effort: 'none' }],
    ['parallel_tool_calls', { tools: [weather], parallel_tool_calls: false }],
    ['tools.0', { tools: [{ type: 'custom', custom: { name: 'x' } }] }],
    [
      'messages.0.content.0',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'https://a.example/b.png' }] }] },
    ],
    ['messages.0.content.0', { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] }],
  ])('that asks what it cannot do is refused by name: %s', (param, params) => {
    expect(() => ask(params)).toThrow(expect.objectContaining({ code: 'unsupported_parameter', details: { param } }))
    expect(ask(params, { drop: true }).dropped).toEqual([param])
  })

  it('says that a strict function is taken as another', () => {
    const strict = { ...weather, function: { ...weather.function, strict: true } }
    expect(ask({ tools: [strict] }).dropped).toEqual(['tools.0.function.strict'])
  })
})

describe('tools', () => {
  it('are shown, or not at all', () => {
    const { tools } = ask({ tools: [weather, time] }).body
    expect(tools).toEqual([
      weather,
      { type: 'function', function: { name: 'time', parameters: { type: 'object', properties: {} } } },
    ])
    expect(ask({ tools: [weather], tool_choice: 'none' }).body.tools).toBe(undefined)
    const allowed_tools = { mode: 'auto', tools: [named('time')] }
    expect(
      ask({ tools: [weather, time], tool_choice: { type: 'allowed_tools', allowed_tools } }).body.tools,
    ).toHaveLength(1)
  })

  const answer = (content: string, more = {}) => ({
    message: { role: 'assistant', content },
    done: true,
    done_reason: 'stop',
    ...more,
  })
  const called = {
    id: 'call_request-1_1',
    type: 'function',
    function: { name: 'weather', arguments: '{"city":"Rome"}' },
  }

  it('one of which is forced come as the shape of the answer, and the answer as its call', () => {
    const asked = ask({ tools: [weather, time], tool_choice: named('weather') })
    expect(asked.body).toMatchObject({ format: { type: 'object' } })
    expect(asked.body.tools).toBe(undefined)
    expect(asked.body.messages.at(-1)).toMatchObject({ role: 'system', content: /weather.*of a city/s })
    const { message, finish_reason } = asked.reply(answer('{"city":"Rome"}')).choices[0]
    expect([message.content, message.tool_calls, finish_reason]).toEqual([null, [called], 'tool_calls'])
    const { chunks } = asked.stream({ message: { content: '{"city"' } }, answer(':"Rome"}'))
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', tool_calls: [{ index: 0, ...called }] },
      {},
    ])
  })

  it('any of which is forced come as a choice of shapes', () => {
    const asked = ask({ tools: [weather, time], tool_choice: 'required' })
    expect(
      asked.body.format.anyOf.map((one: { properties: { name: { enum: string[] } } }) => one.properties.name.enum[0]),
    ).toEqual(['weather', 'time'])
    const said = '{"name":"weather","arguments":{"city":"Rome"}}'
    expect(asked.reply(answer(said)).choices[0].message.tool_calls).toEqual([called])
  })

  it('that were forced and not called are a failure, and a call that was cut is no call', () => {
    const asked = ask({ tools: [weather], tool_choice: 'required' })
    expect(() => asked.reply(answer('Sure!'))).toThrow(expect.objectContaining({ code: 'provider_error' }))
    const cut = asked.reply(answer('{"ci', { done_reason: 'length' })).choices[0]
    expect(cut).toMatchObject({ message: { content: '{"ci' }, finish_reason: 'length' })
  })
})

describe('an answer', () => {
  it('has its thoughts, its log probabilities and its bill', () => {
    const logprobs = [{ token: 'Hi', logprob: -0.1, bytes: [72, 105], top_logprobs: [{ token: 'Hi', logprob: -0.1 }] }]
    const json = {
      model: 'llama3.1',
      message: { role: 'assistant', content: 'Hi', thinking: 'Hm' },
      done: true,
      done_reason: 'length',
      prompt_eval_count: 5,
      eval_count: 3,
      logprobs,
    }
    const told = { token: 'Hi', logprob: -0.1, bytes: [72, 105] }
    const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
    expect(ask().reply(json)).toMatchObject({
      id: 'chatcmpl-request-1',
      choices: [
        {
          message: { content: 'Hi', reasoning_content: 'Hm' },
          finish_reason: 'length',
          logprobs: { content: [{ ...told, top_logprobs: [told] }] },
        },
      ],
      usage,
    })
    const { chunks, isDone } = ask({ stream: true }).stream(json)
    expect([isDone, chunks.at(-1).usage]).toEqual([true, usage])
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', reasoning_content: 'Hm' },
      { content: 'Hi' },
      {},
      {},
      undefined,
    ])
  })

  it('whose prompt was not counted tells no bill', () => {
    expect(ask().reply({ message: { content: 'Hi' }, done: true }).usage).toBe(undefined)
  })

  it('that is an error is one, in whatever line it comes', () => {
    expect(() => ask().reply({ error: 'out of memory' })).toThrow(/out of memory/)
    expect(() => ask().stream({ message: { content: 'a' } }, { error: 'out of memory' })).toThrow(/out of memory/)
  })
})

it('embeds each text on its own', () => {
  const asked = asking(
    ollamaDialect,
    { model: 'nomic-embed-text', input: ['a', 'b'], dimensions: 2 },
    { kind: 'embeddings' },
  )
  expect([asked.path, asked.body]).toEqual([
    '/api/embed',
    { model: 'nomic-embed-text', input: ['a', 'b'], dimensions: 2 },
  ])
  const answer = asked.reply({ embeddings: [[0.5], [1]], prompt_eval_count: 2 })
  expect(answer.data.map(({ embedding }: { embedding: number[] }) => embedding)).toEqual([[0.5], [1]])
  expect(answer.usage.prompt_tokens).toBe(2)
})

it('lists its models by name', () => {
  expect(ollamaDialect.models.ids({ models: [{ name: 'llama3.1:latest' }] })).toEqual(['llama3.1:latest'])
})
