import { describe, expect, it } from 'vitest'
import { googleDialect } from '../../../../packages/core/src/providers/google/dialect.js'
import { type AskOptions, asking } from '../translated/asking.js'

const user = { role: 'user', content: 'Hello' }
const ask = (params: Record<string, unknown>, options?: AskOptions) =>
  asking(googleDialect, { model: 'gemini-2.5-flash', messages: [user], ...params }, options)
const refused = (params: Record<string, unknown>, param: string) =>
  expect(() => ask(params)).toThrow(expect.objectContaining({ code: 'unsupported_parameter', details: { param } }))
const weather = { type: 'function', function: { name: 'weather', parameters: { $schema: 'x', type: 'object' } } }

describe('where it goes', () => {
  it.each([
    ['gemini-2.5-flash', '/models/gemini-2.5-flash:generateContent'],
    ['models/gemini-2.5-flash', '/models/gemini-2.5-flash:generateContent'],
    ['tunedModels/mine', '/tunedModels/mine:generateContent'],
    ['../x?key=1', '/models/..%2Fx%3Fkey%3D1:generateContent'],
  ])('%s', (model, path) => expect(ask({ model }).path).toBe(path))
})

describe('messages', () => {
  it('join instructions in front, wherever they stand', () => {
    const messages = [
      { role: 'system', content: 'A' },
      user,
      { role: 'developer', content: [{ type: 'text', text: 'B' }] },
    ]
    expect(ask({ messages }).body).toEqual({
      systemInstruction: { parts: [{ text: 'A' }, { text: 'B' }] },
      contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
    })
  })

  it('that are instructions alone are the question', () => {
    expect(ask({ messages: [{ role: 'system', content: 'Tell a joke.' }] }).body).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'Tell a joke.' }] }],
    })
  })

  it('show pictures, recordings, videos and files, by URL and in place', () => {
    const content = [
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'image_url', image_url: { url: 'https://example.com/cat.JPG?size=1', detail: 'auto' } },
      { type: 'input_audio', input_audio: { format: 'mp3', data: 'BBBB' } },
      {
        type: 'video_url',
        video_url: { url: 'https://youtu.be/x' },
        extra_content: { google: { video_metadata: { fps: 1 } } },
      },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC' } },
      { type: 'file', file: { file_id: 'https://files.example/1', format: 'text/csv' } },
    ]
    expect(ask({ messages: [{ role: 'user', content }] }).body.contents[0].parts).toEqual([
      { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
      { fileData: { mimeType: 'image/jpeg', fileUri: 'https://example.com/cat.JPG?size=1' } },
      { inlineData: { mimeType: 'audio/mpeg', data: 'BBBB' } },
      { fileData: { mimeType: 'video/mp4', fileUri: 'https://youtu.be/x' }, video_metadata: { fps: 1 } },
      { inlineData: { mimeType: 'application/pdf', data: 'CCCC' } },
      { fileData: { mimeType: 'text/csv', fileUri: 'https://files.example/1' } },
    ])
  })

  const called = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }],
  }
  const result = (content: unknown, more = {}) => ({ role: 'tool', tool_call_id: 'c1', content, ...more })
  const response = (message: object, model = 'gemini-3-flash') =>
    ask({ model, messages: [user, called, message] }).body.contents.slice(2)

  it.each([
    ['text', result('sunny'), { output: 'sunny' }],
    ['an object', result('{"sky":"blue"}'), { sky: 'blue' }],
    [
      'a number that a double cannot hold',
      result('{"id":12345678901234567890}'),
      { output: '{"id":12345678901234567890}' },
    ],
    ['an error', result('no such city', { is_error: true }), { error: 'no such city' }],
  ])('give back %s', (_what, message, expected) => {
    expect(response(message)).toEqual([
      { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'weather', response: expected } }] },
    ])
  })

  it('put pictures inside a result where the model takes them, else behind all results', () => {
    const photo = result([
      { type: 'text', text: 'here' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    ])
    const picture = { inlineData: { mimeType: 'image/png', data: 'AAAA' } }
    expect(response(photo)[0].parts[0].functionResponse).toMatchObject({
      response: { output: 'here' },
      parts: [picture],
    })
    expect(response(photo, 'gemini-2.5-pro')).toEqual([
      { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'weather', response: { output: 'here' } } }] },
      { role: 'user', parts: [{ text: 'Files in the result of weather:' }, picture] },
    ])
  })

  it('mark a call that another model made, so that the newest models take it', () => {
    const parts = (model: string) => ask({ model, messages: [user, called, result('x')] }).body.contents[1].parts
    expect(parts('gemini-3-flash')[0].thoughtSignature).toBe('Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv')
    expect(parts('gemini-2.5-flash')[0].thoughtSignature).toBe(undefined)
  })

  it('whose words the caller has changed count as they are now, and carry nothing but what Google made', () => {
    const changed = (parts: object[]) =>
      ask({ messages: [user, { role: 'assistant', content: 'other words', extra_content: { google: { parts } } }] })
        .body.contents[1].parts
    expect(changed([{ length: 3, thoughtSignature: 's' }])).toEqual([{ text: 'other words' }])
    expect(changed([{ length: 11, thoughtSignature: 's' }])).toEqual([{ text: 'other words', thoughtSignature: 's' }])
    expect(changed([{ length: 11 }, { text: 'smuggled' }])).toEqual([{ text: 'other words' }])
  })

  it.each([
    ['a result without its call', [user, result('x')], 'messages.1.tool_call_id'],
    [
      'arguments that are no object',
      [user, { ...called, tool_calls: [{ id: 'c', function: { name: 'f', arguments: '[' } }] }],
      'messages.1.tool_calls.0.function.arguments',
    ],
    [
      'a picture that is none',
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'cat.png' } }] }],
      'messages.0.content.0.image_url.url',
    ],
  ])('with %s are refused by name', (_what, messages, param) => {
    expect(() => ask({ messages })).toThrow(expect.objectContaining({ code: 'invalid_request', details: { param } }))
  })
})

describe('tools', () => {
  const config = (params: Record<string, unknown>) =>
    ask({ tools: [weather], ...params }).body.toolConfig?.functionCallingConfig

  it('are declared with their JSON Schema as it is; Google has its own beside them', () => {
    const { tools } = ask({ tools: [weather, { google_search: {} }], web_search_options: {} }).body
    expect(tools).toEqual([
      { google_search: {} },
      { googleSearch: {} },
      { functionDeclarations: [{ name: 'weather', parametersJsonSchema: { type: 'object' } }] },
    ])
  })

  it.each([
    [undefined, undefined],
    ['auto', undefined],
    ['none', { mode: 'NONE' }],
    ['required', { mode: 'ANY' }],
    [
      { type: 'function', function: { name: 'weather' } },
      { mode: 'ANY', allowedFunctionNames: ['weather'] },
    ],
    [
      { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [weather] } },
      { mode: 'VALIDATED', allowedFunctionNames: ['weather'] },
    ],
  ])('are chosen: %j', (tool_choice, expected) => expect(config({ tool_choice })).toEqual(expected))

  it('that are strict are validated', () => {
    const strict = { ...weather, function: { ...weather.function, strict: true } }
    expect(config({ tools: [strict] })).toEqual({ mode: 'VALIDATED' })
  })
})

describe('an answer in JSON', () => {
  const response_format = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object', title: 'A' } } }

  it('is asked natively', () => {
    expect(ask({ response_format }).body.generationConfig).toEqual({
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'object', title: 'A' },
    })
  })

  it('is a function that has to be called where the model cannot do both, and comes back as the text', () => {
    const asked = ask({ response_format, tools: [weather] })
    expect(asked.body.tools[0].functionDeclarations.map(({ name }: { name: string }) => name)).toEqual([
      'weather',
      'json_answer',
    ])
    expect(asked.body.toolConfig).toEqual({ functionCallingConfig: { mode: 'ANY' } })
    const candidates = [
      { content: { parts: [{ functionCall: { name: 'json_answer', args: { a: 1 } } }] }, finishReason: 'STOP' },
    ]
    expect(asked.reply({ candidates }).choices[0]).toMatchObject({
      message: { content: '{"a":1}' },
      finish_reason: 'stop',
    })
    expect(asked.stream({ candidates }).chunks[0].choices[0].delta.content).toBe('{"a":1}')
    expect(ask({ model: 'gemini-3-flash', response_format, tools: [weather] }).body.generationConfig).toBeDefined()
  })
})

describe('sampling and thinking', () => {
  it('go into generationConfig under their names there', () => {
    const { generationConfig } = ask({
      temperature: 0,
      top_p: 0.5,
      top_k: 40,
      seed: 7,
      presence_penalty: 0.5,
      frequency_penalty: 0,
      max_completion_tokens: 9,
      stop: 'END',
      n: 2,
      logprobs: true,
      top_logprobs: 3,
    }).body
    expect(generationConfig).toEqual({
      temperature: 0,
      topP: 0.5,
      topK: 40,
      seed: 7,
      presencePenalty: 0.5,
      maxOutputTokens: 9,
      stopSequences: ['END'],
      candidateCount: 2,
      responseLogprobs: true,
      logprobs: 3,
    })
  })

  it.each([
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }],
    ['gemini-2.5-flash', 'high', { thinkingBudget: 24_576, includeThoughts: true }],
    ['gemini-3-pro-preview', 'medium', { thinkingLevel: 'high', includeThoughts: true }],
    ['gemini-3-flash-preview', 'minimal', { thinkingLevel: 'minimal', includeThoughts: true }],
    ['gemini-2.0-flash', 'none', undefined],
  ])('%s with the effort %s', (model, reasoning_effort, expected) => {
    expect(ask({ model, reasoning_effort }).body.generationConfig?.thinkingConfig).toEqual(expected)
  })

  it('takes its own settings, beside the messages or where its OpenAI endpoint has them', () => {
    const thinking_config = { thinkingBudget: 5 }
    expect(ask({ thinking_config }).body.generationConfig).toEqual({ thinkingConfig: thinking_config })
    const { generationConfig, cachedContent } = ask({
      extra_body: { google: { thinking_config, cached_content: 'c' } },
    }).body
    expect([generationConfig, cachedContent]).toEqual([{ thinkingConfig: thinking_config }, 'c'])
  })
})

describe('what it cannot do', () => {
  it.each([
    ['logit_bias', { logit_bias: { 1: 1 } }],
    ['parallel_tool_calls', { parallel_tool_calls: false, tools: [weather] }],
    ['reasoning_effort', { model: 'gemini-2.0-flash', reasoning_effort: 'high' }],
    ['reasoning_effort', { model: 'gemini-3-flash', reasoning_effort: 'none' }],
    ['modalities.0', { modalities: ['audio'] }],
    ['service_tier', { service_tier: 'flex' }],
    ['tools.0', { tools: [{ type: 'custom', custom: { name: 'x' } }] }],
    ['messages.0.content.0', { messages: [{ role: 'user', content: [{ type: 'hologram' }] }] }],
    ['extra_body.google.maxOutputTokens', { extra_body: { google: { maxOutputTokens: 1 } } }],
    ['some_field', { some_field: 1 }],
  ])('is refused by name: %s', (param, params) => {
    refused(params, param)
    expect(ask(params, { drop: true }).dropped).toEqual([param])
  })

  it('is not asked by what changes nothing', () => {
    expect(
      ask({ n: 1, logit_bias: {}, store: false, user: 'u1', service_tier: 'auto', stream_options: {} }).body,
    ).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
    })
  })
})

describe('embeddings', () => {
  const embed = (params: Record<string, unknown>) =>
    asking(googleDialect, { model: 'gemini-embedding-001', ...params }, { kind: 'embeddings' })

  it('are one batch', () => {
    const asked = embed({ input: ['a', 'b'], dimensions: 2 })
    expect(asked.path).toBe('/models/gemini-embedding-001:batchEmbedContents')
    expect(asked.body.requests[1]).toEqual({
      model: 'models/gemini-embedding-001',
      content: { parts: [{ text: 'b' }] },
      outputDimensionality: 2,
    })
    expect(asked.reply({ embeddings: [{ values: [0.5, 1] }, { values: [2, 3] }] })).toEqual({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [0.5, 1] },
        { object: 'embedding', index: 1, embedding: [2, 3] },
      ],
      model: 'gemini-embedding-001',
    })
  })

  it('come as base64 where that is asked', () => {
    const { data } = embed({ input: 'a', encoding_format: 'base64' }).reply({ embeddings: [{ values: [0.5, 1] }] })
    const bytes = Buffer.from(data[0].embedding, 'base64')
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([0.5, 1])
  })

  it('are not made of token ids', () => {
    expect(() => embed({ input: [1, 2] })).toThrow(expect.objectContaining({ details: { param: 'input' } }))
  })
})
