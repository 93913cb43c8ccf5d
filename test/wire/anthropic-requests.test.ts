import { describe, expect, it } from 'vitest'
import { door, errorOf, upstream } from '../support/door.js'
import { type Asked, recordingUpstream } from './dialects/upstream.js'

const MODEL = 'claude-sonnet-4-5'
const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: MODEL,
  content: [{ type: 'text', text: 'Hi.' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 5, output_tokens: 2 },
}

/** Asks a gateway before Anthropic; gives its reply and what went up. */
async function ask(params: Record<string, unknown>, answer: Record<string, unknown> = {}) {
  const { url, asked } = await recordingUpstream(() => ({ body: JSON.stringify({ ...message, ...answer }) }))
  const to = await door({ providers: [{ type: 'anthropic', baseUrl: url, apiKey: 'sk-ant-key' }] })
  const body = { model: MODEL, messages: [{ role: 'user', content: 'Hello' }], ...params }
  const reply = await to.post('/v1/chat/completions', body)
  return { reply, asked, up: asked[0] as Asked }
}

const text = (text: string) => ({ type: 'text', text })
const user = (content: unknown) => ({ role: 'user', content })
const weather = {
  type: 'function',
  function: { name: 'get_weather', description: 'Of a city', parameters: { type: 'object', properties: {} } },
}
const weatherTool = { name: 'get_weather', description: 'Of a city', input_schema: { type: 'object', properties: {} } }
const schema = {
  type: 'object',
  properties: { age: { type: 'integer' } },
  required: ['age'],
  additionalProperties: false,
}
const shaped = (more: object = {}) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'person', schema, ...more } },
})

describe('what goes up', () => {
  it('carries the key and the version, and nothing of the caller', async () => {
    const { up } = await ask({ betas: ['context-1m-2025-08-07', 'x'] })
    expect(up.path).toBe('/v1/messages')
    expect(up.headers).toMatchObject({
      'x-api-key': 'sk-ant-key',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-1m-2025-08-07,x',
    })
    expect(up.headers.authorization).toBe(undefined)
    expect(up.body).toEqual({ model: MODEL, max_tokens: 64_000, messages: [user([text('Hello')])] })
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['a limit', { max_tokens: 7 }, { max_tokens: 7 }],
    ['the newer limit', { max_completion_tokens: 8 }, { max_tokens: 8 }],
    ['one stop', { stop: 'a' }, { stop_sequences: ['a'] }],
    ['several', { stop: ['a', 'b'] }, { stop_sequences: ['a', 'b'] }],
    ['sampling', { temperature: 0.3 }, { temperature: 0.3 }],
    ['the first of both where the second says nothing', { temperature: 0.3, top_p: 1 }, { temperature: 0.3 }],
    [
      'both, to older models',
      { model: 'claude-sonnet-4-0', temperature: 0.3, top_p: 0.9 },
      { temperature: 0.3, top_p: 0.9 },
    ],
    ['instructions alone', { messages: [{ role: 'system', content: 'Hi' }] }, { messages: [user([text('Hi')])] }],
    [
      'an answer to go on with',
      { messages: [user('a'), { role: 'assistant', content: 'So: ' }] },
      { messages: [user([text('a')]), { role: 'assistant', content: [text('So:')] }] },
    ],
    ['the user', { user: 'u-1' }, { metadata: { user_id: 'u-1' } }],
    ['its newer name', { safety_identifier: 'u-2' }, { metadata: { user_id: 'u-2' } }],
    ['a tier', { service_tier: 'default' }, { service_tier: 'standard_only' }],
    ['tools', { tools: [weather] }, { tools: [weatherTool] }],
    [
      'a strict tool',
      { tools: [{ ...weather, function: { ...weather.function, strict: true } }] },
      { tools: [{ ...weatherTool, strict: true }] },
    ],
    ['no choice of tools', { tools: [weather], tool_choice: 'none' }, { tool_choice: { type: 'none' } }],
    ['any tool', { tools: [weather], tool_choice: 'required' }, { tool_choice: { type: 'any' } }],
    [
      'one tool',
      { tools: [weather], tool_choice: { type: 'function', function: { name: 'get_weather' } } },
      { tool_choice: { type: 'tool', name: 'get_weather' } },
    ],
    [
      'one call at a time',
      { tools: [weather], parallel_tool_calls: false },
      { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    ],
    [
      'some of the tools',
      {
        tools: [weather, { type: 'function', function: { name: 'other' } }],
        tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [weather] } },
      },
      { tools: [weatherTool], tool_choice: { type: 'any' } },
    ],
    [
      "Anthropic's own tools",
      { tools: [{ type: 'bash_20250124', name: 'bash' }] },
      { tools: [{ type: 'bash_20250124', name: 'bash' }] },
    ],
    [
      'a search on the web',
      { web_search_options: { user_location: { type: 'approximate', approximate: { city: 'Rome' } } } },
      {
        tools: [
          { type: 'web_search_20250305', name: 'web_search', user_location: { type: 'approximate', city: 'Rome' } },
        ],
      },
    ],
    [
      'effort, as a budget',
      { reasoning_effort: 'medium', max_tokens: 20_000 },
      { thinking: { type: 'enabled', budget_tokens: 8_192 } },
    ],
    [
      'effort, within the limit',
      { reasoning_effort: 'high', max_tokens: 8_000 },
      { thinking: { type: 'enabled', budget_tokens: 7_000 } },
    ],
    [
      'effort, where it adapts',
      { model: 'claude-opus-4-8', reasoning_effort: 'minimal' },
      { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'low' } },
    ],
    [
      'the highest effort',
      { model: 'claude-opus-4-6', reasoning_effort: 'xhigh' },
      { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } },
    ],
    ['no thinking', { reasoning_effort: 'none' }, { thinking: { type: 'disabled' } }],
    ['a strict schema', shaped({ strict: true }), { output_config: { format: { type: 'json_schema', schema } } }],
    [
      'fields of its own',
      { top_k: 3, thinking: { type: 'disabled' }, cache_control: { type: 'ephemeral' } },
      { top_k: 3, thinking: { type: 'disabled' }, cache_control: { type: 'ephemeral' } },
    ],
    [
      'values that ask for nothing',
      { n: 1, logprobs: false, seed: null, frequency_penalty: 0, logit_bias: {}, store: false, prompt_cache_key: 'k' },
      {},
    ],
  ])('says %s', async (_what, params, expected) => {
    const { reply, up } = await ask(params)
    expect(reply.status, reply.text).toBe(200)
    expect(reply.headers.get('x-hoosh-dropped')).toBe(null)
    expect(up.body).toMatchObject(expected)
  })

  it('has instructions in front, or in place where the model takes them', async () => {
    const messages = [
      { role: 'system', content: 'One.' },
      user('Hello'),
      { role: 'developer', content: [{ type: 'text', text: 'Two.', cache_control: { type: 'ephemeral' } }] },
      { role: 'assistant', content: 'Hi.' },
      { role: 'system', content: 'Three.' },
      user('Again'),
    ]
    const two = { ...text('Two.'), cache_control: { type: 'ephemeral' } }
    expect((await ask({ messages })).up.body).toMatchObject({ system: [text('One.'), two, text('Three.')] })
    const inPlace = (await ask({ messages, model: 'claude-opus-4-8' })).up.body
    expect(inPlace.system).toEqual([text('One.')])
    expect(inPlace.messages).toEqual([
      user([text('Hello')]),
      { role: 'system', content: [two] },
      { role: 'assistant', content: [text('Hi.')] },
      user([text('Again')]),
      { role: 'system', content: [text('Three.')] },
    ])
  })

  it('has pictures and files, by address and in full', async () => {
    const data = (type: string, bytes: string) => `data:${type};base64,${Buffer.from(bytes).toString('base64')}`
    const { up } = await ask({
      messages: [
        user([
          text('Look'),
          { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'high' } },
          { type: 'image_url', image_url: { url: data('image/PNG', 'p') }, cache_control: { type: 'ephemeral' } },
          { type: 'file', file: { file_data: data('application/pdf', 'd'), filename: 'd.pdf' } },
          { type: 'file', file: { file_data: data('text/csv;charset=utf-8', 'a,ä') } },
          { type: 'file', file: { file_data: 'https://example.com/d.pdf' } },
          { type: 'file', file: { file_id: 'file_1' } },
          { type: 'file', file: { file_data: data('image/webp', 'w') } },
          text(''),
        ]),
      ],
    })
    const base64 = (type: string, bytes: string) => ({
      type: 'base64',
      media_type: type,
      data: Buffer.from(bytes).toString('base64'),
    })
    expect(up.body.messages).toEqual([
      user([
        text('Look'),
        { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
        { type: 'image', source: base64('image/png', 'p'), cache_control: { type: 'ephemeral' } },
        { type: 'document', source: base64('application/pdf', 'd'), title: 'd.pdf' },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,ä' } },
        { type: 'document', source: { type: 'url', url: 'https://example.com/d.pdf' } },
        { type: 'document', source: { type: 'file', file_id: 'file_1' } },
        { type: 'image', source: base64('image/webp', 'w') },
      ]),
    ])
  })

  it('puts the results of parallel calls into one turn, before what the user says then', async () => {
    const call = (id: string) => ({ id, type: 'function', function: { name: 'get_weather', arguments: '{"a":1}' } })
    const { up } = await ask({
      messages: [
        user('Hello'),
        { role: 'assistant', content: null, tool_calls: [call('c1'), call('c2')] },
        { role: 'tool', tool_call_id: 'c1', content: 'sun' },
        { role: 'tool', tool_call_id: 'c2', content: [text('rain')] },
        user('And?'),
      ],
    })
    expect(up.body.messages).toEqual([
      user([text('Hello')]),
      {
        role: 'assistant',
        content: ['c1', 'c2'].map((id) => ({ type: 'tool_use', id, name: 'get_weather', input: { a: 1 } })),
      },
      user([
        { type: 'tool_result', tool_use_id: 'c1', content: [text('sun')] },
        { type: 'tool_result', tool_use_id: 'c2', content: [text('rain')] },
        text('And?'),
      ]),
    ])
  })
})

describe('a conversation that changes its provider', () => {
  it('comes with ids that are taken', async () => {
    const id = 'functions.look:0'
    const { up } = await ask({
      messages: [
        user('Hello'),
        { role: 'assistant', tool_calls: [{ id, type: 'function', function: { name: 'look', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: id, content: 'x' },
      ],
    })
    expect(JSON.stringify(up.body.messages).match(/functions_look_0/g)).toHaveLength(2)
  })

  it("goes on without what another provider's answers carry, and with everything else", async () => {
    const main = await upstream()
    const to = await door({ providers: [{ type: 'openai', baseUrl: main.url }] })
    const call = { id: 'c', type: 'function', function: { name: 'look', arguments: '{}' } }
    const messages = [
      { ...user('Hello'), extra_content: { anthropic: 'my own' } },
      {
        role: 'assistant',
        content: 'Hi.',
        tool_calls: [
          { ...call, extra_content: { google: { thought_signature: 's' } } },
          { ...call, extra_content: { mine: 1 } },
        ],
        extra_content: { anthropic: { content: [] }, mine: 2 },
      },
    ]
    await to.post('/v1/chat/completions', { model: 'gpt-4o', messages })
    expect(main.requests[0]!.body).toMatchObject({
      messages: [
        messages[0],
        {
          role: 'assistant',
          content: 'Hi.',
          tool_calls: [call, { ...call, extra_content: { mine: 1 } }],
          extra_content: { mine: 2 },
        },
      ],
    })
    expect(JSON.stringify(main.requests[0]!.body)).not.toContain('thought_signature')
  })
})

const UNSUPPORTED: [param: string, params: Record<string, unknown>][] = [
  ['n', { n: 2 }],
  ['seed', { seed: 7 }],
  ['logprobs', { logprobs: true }],
  ['logit_bias', { logit_bias: { 5: 1 } }],
  ['frequency_penalty', { frequency_penalty: 0.5 }],
  ['presence_penalty', { presence_penalty: 0.5 }],
  ['prediction', { prediction: { type: 'content', content: 'x' } }],
  ['modalities', { modalities: ['text', 'audio'] }],
  ['store', { store: true }],
  ['service_tier', { service_tier: 'flex' }],
  ['metadata.team', { metadata: { team: 'red' } }],
  ['tools.0', { tools: [{ type: 'custom', custom: { name: 'x' } }] }],
  ['temperature', { model: 'claude-opus-4-8', temperature: 0.5 }],
  ['top_p', { temperature: 0.5, top_p: 0.9 }],
  ['messages.1.audio', { messages: [user('a'), { role: 'assistant', audio: { id: 'a' } }, user('b')] }],
  ['reasoning_effort', { model: 'claude-3-opus-latest', reasoning_effort: 'low' }],
  ['tool_choice', { tools: [weather], tool_choice: 'required', reasoning_effort: 'low' }],
  [
    'messages.0.content.1',
    { messages: [user([text('Listen'), { type: 'input_audio', input_audio: { data: '', format: 'wav' } }])] },
  ],
  ['something_else', { something_else: 1 }],
]

describe('what it cannot do', () => {
  it.each(UNSUPPORTED)('is refused by name: %s', async (param, params) => {
    const { reply, asked } = await ask(params)
    expect([reply.status, asked.length]).toEqual([400, 0])
    expect(errorOf(reply)).toMatchObject({ code: 'unsupported_parameter', param })
  })

  it.each(UNSUPPORTED)('is left out where the call says so: %s', async (param, params) => {
    const { reply, up } = await ask({ ...params, drop_unsupported: true })
    expect([reply.status, reply.headers.get('x-hoosh-dropped')]).toEqual([200, param])
    expect(up.body).not.toHaveProperty('drop_unsupported')
    if (!param.includes('.')) expect(up.body).not.toHaveProperty(param)
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['who speaks', { messages: [{ ...user('Hello'), name: 'ada' }] }, 'messages.0.name'],
    [
      'that a tool is strict, where none can be',
      { model: 'claude-sonnet-4-0', tools: [{ ...weather, function: { ...weather.function, strict: true } }] },
      'tools.0.function.strict',
    ],
  ])('is told, and no reason to refuse: %s', async (_what, params, param) => {
    const { reply } = await ask(params)
    expect([reply.status, reply.headers.get('x-hoosh-dropped')]).toEqual([200, param])
  })

  it('is told where a value was made smaller', async () => {
    const { reply, up } = await ask({ temperature: 1.5 })
    expect([up.body.temperature, reply.headers.get('x-hoosh-dropped')]).toEqual([1, 'temperature'])
  })

  it('is done by another route of the model', async () => {
    const spare = await upstream()
    const to = await door({
      providers: [
        { type: 'anthropic', baseUrl: 'http://127.0.0.1:9', apiKey: 'k', priority: 1 },
        { type: 'openai', baseUrl: spare.url, priority: 2 },
      ],
    })
    const body = { model: MODEL, messages: [user('Hello')], seed: 7 }
    const reply = await to.post('/v1/chat/completions', body)
    expect([reply.status, reply.headers.get('x-hoosh-route')]).toEqual([200, 'openai'])
    expect(spare.requests[0]!.body).toMatchObject({ seed: 7 })
  })

  it.each<[string, Record<string, unknown>, string]>([
    [
      'arguments that are no JSON',
      {
        messages: [
          user('a'),
          { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{' } }] },
        ],
      },
      'messages.1.tool_calls.0.function.arguments',
    ],
    ['a result without its call', { messages: [user('a'), { role: 'tool', content: 'x' }] }, 'messages.1.tool_call_id'],
    [
      'a picture from nowhere',
      { messages: [user([{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }])] },
      'messages.0.content.0.image_url.url',
    ],
    ['names with line breaks', { betas: ['a\r\nx: y'] }, 'betas'],
  ])('as nobody could read it is the request at fault: %s', async (_what, params, param) => {
    const { reply, asked } = await ask(params)
    expect(asked.length).toBe(0)
    expect(errorOf(reply)).toMatchObject({ code: 'invalid_request', param })
  })

  it('is embeddings', async () => {
    const to = await door({ providers: [{ type: 'anthropic', baseUrl: 'http://127.0.0.1:9', apiKey: 'k' }] })
    const reply = await to.post('/v1/embeddings', { model: MODEL, input: 'x', drop_unsupported: true })
    expect(errorOf(reply)).toMatchObject({ code: 'unsupported_parameter', param: 'input' })
  })
})
