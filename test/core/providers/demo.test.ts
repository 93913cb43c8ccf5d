import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { demoTokens } from '../../../packages/core/src/context/demo-tokens.js'
import { promptBound } from '../../../packages/core/src/context/estimate.js'
import { tokenFacts } from '../../../packages/core/src/context/token-facts.js'
import { demoEmbedding } from '../../../packages/core/src/providers/demo/embedding.js'
import { valueFor } from '../../../packages/core/src/providers/demo/schema-value.js'
import { demoPromptTokens } from '../../../packages/core/src/providers/demo/tokens.js'
import { answered, eventsIn, failed, json, provider, receive, request } from './support.js'

const demo = provider({ type: 'demo', name: 'demo' }, { now: 1_770_000_000_000 })
afterAll(() => demo.close())

const ask = (params: Record<string, unknown>, more = {}) => request({ model: 'demo', ...params }, more)
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, unit: { enum: ['C', 'F'] }, days: { type: 'integer', minimum: 2 } },
      required: ['city', 'unit', 'days'],
    },
  },
}
const clock = { type: 'function', function: { name: 'get_time', parameters: { type: 'object', properties: {} } } }

async function streamed(params: Record<string, unknown>) {
  return receive(await answered(demo, ask({ stream: true, ...params })))
}

describe('what it says', () => {
  it('names itself and echoes the question', async () => {
    const { choices } = await json(demo, ask({}))
    expect(choices[0].message.content).toContain("hoosh's built-in demo model")
    expect(choices[0].message.content).toContain('Hello there')
    expect(choices[0].finish_reason).toBe('stop')
  })

  it('is the same for the same request, byte for byte', async () => {
    const once = await streamed({})
    const again = await streamed({})
    expect(again.text).toBe(once.text)
    expect((await streamed({ temperature: 1 })).text).not.toBe(once.text)
  })

  it('reads content in parts, and never cuts a character in two', async () => {
    const content = [
      { type: 'text', text: '🙂'.repeat(300) },
      { type: 'image_url', image_url: { url: 'data:' } },
    ]
    const { choices } = await json(demo, ask({ messages: [{ role: 'user', content }] }))
    expect(choices[0].message.content).toContain(`"${'🙂'.repeat(200)}"`)
  })

  it('answers a request without any message text', async () => {
    expect((await json(demo, ask({ messages: [] }))).choices[0].message.content).toContain('""')
  })

  it('makes n answers and bills all of them', async () => {
    const { choices, usage } = await json(demo, ask({ n: 3 }))
    const texts: string[] = choices.map((choice: { message: { content: string } }) => choice.message.content)
    expect(new Set(texts).size).toBe(3)
    expect(usage.completion_tokens).toBe(texts.reduce((sum, text) => sum + demoTokens(text), 0))
  })

  it('stops before a stop word', async () => {
    const { choices } = await json(demo, ask({ stop: ['demo', 'zzz'] }))
    expect(choices[0].message.content).toBe("I am hoosh's built-in ")
    expect(choices[0].finish_reason).toBe('stop')
  })
})

describe('its bill', () => {
  it('counts its own text', async () => {
    const { choices, usage } = await json(demo, ask({}))
    expect(usage.prompt_tokens).toBe(demoTokens('Hello there'))
    expect(usage.completion_tokens).toBe(demoTokens(choices[0].message.content))
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
  })

  it('for a prompt is never more than what budgets hold for it', async () => {
    const part = fc.record({ type: fc.constant('text'), text: fc.string({ unit: 'grapheme' }) })
    const message = fc.record({
      role: fc.constant('user'),
      content: fc.oneof(fc.string({ unit: 'grapheme' }), fc.array(part, { maxLength: 8 }), fc.constant(null)),
    })
    const params = fc.record({
      messages: fc.array(message, { maxLength: 5 }),
      tools: fc.constantFrom([weather], [weather, clock]),
    })
    await fc.assert(
      fc.asyncProperty(params, async (given) => {
        const bound = await promptBound(given, tokenFacts({ type: 'demo', local: true }, 'demo')).exact()
        expect(demoPromptTokens(given)).toBeLessThanOrEqual(bound)
      }),
    )
  })

  it.each(['max_tokens', 'max_completion_tokens'])('never passes %s', async (field) => {
    for (const limit of [1, 2, 7]) {
      const { choices, usage } = await json(
        demo,
        ask({ [field]: limit, messages: [{ role: 'user', content: '世界' }] }),
      )
      expect(usage.completion_tokens).toBeLessThanOrEqual(limit)
      expect(choices[0].finish_reason).toBe('length')
    }
  })

  it('never passes the limit in the arguments of a tool call either', async () => {
    const { choices, usage } = await json(demo, ask({ max_tokens: 5, tools: [weather] }))
    expect(choices[0].finish_reason).toBe('length')
    expect(usage.completion_tokens).toBeLessThanOrEqual(5)
  })
})

describe('a stream', () => {
  it('says the role first, then words, the reason, and [DONE]', async () => {
    const { text, error } = await streamed({})
    const events = eventsIn(text)
    expect(error).toBe(null)
    expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: '' })
    expect(events.length).toBeGreaterThan(10)
    expect(events.at(-1).choices[0]).toEqual({ index: 0, delta: {}, finish_reason: 'stop' })
    expect(events.every((event) => event.object === 'chat.completion.chunk' && !('usage' in event))).toBe(true)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('adds up to the plain answer, with the same usage where it was asked for', async () => {
    const plain = await json(demo, ask({}))
    const { text } = await streamed({ stream_options: { include_usage: true } })
    const events = eventsIn(text)
    const spoken = events.flatMap((event) => event.choices[0]?.delta.content ?? []).join('')
    expect(spoken).toBe(plain.choices[0].message.content)
    expect(events.at(-1)).toMatchObject({ choices: [], usage: plain.usage })
    expect(events.slice(0, -1).every((event) => event.usage === null)).toBe(true)
  })

  it('streams a tool call as its name and pieces of its arguments', async () => {
    const { text } = await streamed({ tools: [weather] })
    const calls = eventsIn(text).flatMap((event) => event.choices[0].delta.tool_calls ?? [])
    expect(calls[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'get_weather', arguments: '' } })
    expect(calls.length).toBeGreaterThan(2)
    const args = calls.map((call) => call.function.arguments).join('')
    expect(JSON.parse(args)).toEqual({ city: 'demo', unit: 'C', days: 2 })
  })

  it('waits for a slow consumer', async () => {
    const reply = await answered(demo, ask({ stream: true }))
    const chunks: number[] = []
    const ended = new Promise<void>((resolve) => {
      reply.body.start({
        data: (chunk) => {
          chunks.push(chunk.length)
          if (chunks.length === 3) reply.body.pause()
        },
        end: resolve,
        fail: () => {},
      })
    })
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    expect(chunks.length).toBe(3)
    reply.body.resume()
    await ended
    expect(chunks.length).toBeGreaterThan(10)
  })

  it.each(['signal', 'body'])('ends for good when it is aborted by the %s', async (by) => {
    const caller = new AbortController()
    const reply = await answered(demo, ask({ stream: true }, { signal: caller.signal }))
    const seen: string[] = []
    reply.body.start({
      data: () => {
        seen.push('data')
        if (seen.length !== 2) return
        if (by === 'signal') caller.abort()
        else reply.body.abort()
      },
      end: () => void seen.push('end'),
      fail: () => void seen.push('fail'),
    })
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    expect(seen).toEqual(['data', 'data'])
  })
})

describe('tools', () => {
  const calledBy = async (params: Record<string, unknown>) => {
    const { choices } = await json(demo, ask(params))
    return (choices[0].message.tool_calls ?? []).map((call: { function: { name: string } }) => call.function.name)
  }

  it('calls one with arguments that fit its schema', async () => {
    const { choices } = await json(demo, ask({ tools: [weather] }))
    expect(choices[0].finish_reason).toBe('tool_calls')
    expect(choices[0].message.content).toBe(null)
    expect(JSON.parse(choices[0].message.tool_calls[0].function.arguments)).toEqual({
      city: 'demo',
      unit: 'C',
      days: 2,
    })
  })

  it('the one it is made to, those that the question names, else the first', async () => {
    const tools = [weather, clock]
    const both = [{ role: 'user', content: 'get_weather and get_time please' }]
    expect(await calledBy({ tools })).toEqual(['get_weather'])
    expect(await calledBy({ tools, tool_choice: { type: 'function', function: { name: 'get_time' } } })).toEqual([
      'get_time',
    ])
    expect(await calledBy({ tools, messages: both })).toEqual(['get_weather', 'get_time'])
    expect(await calledBy({ tools, messages: both, parallel_tool_calls: false })).toEqual(['get_weather'])
    expect(await calledBy({ tools, tool_choice: 'none' })).toEqual([])
  })

  it('speaks again after a tool has answered', async () => {
    const messages = [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'get_weather', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'sunny' },
    ]
    const { choices } = await json(demo, ask({ tools: [weather], messages }))
    expect(choices[0].message.content).toContain('The tool answered: "sunny"')
  })
})

describe('JSON', () => {
  it('is an object where the format says so', async () => {
    const { choices } = await json(demo, ask({ response_format: { type: 'json_object' } }))
    expect(JSON.parse(choices[0].message.content)).toMatchObject({ model: 'demo' })
  })

  it('fits the schema where one is given', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' }, tags: { type: 'array', items: { type: 'string' } } },
      required: ['ok', 'tags'],
    }
    const { choices } = await json(
      demo,
      ask({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }),
    )
    expect(JSON.parse(choices[0].message.content)).toEqual({ ok: true, tags: ['demo'] })
  })

  it.each([
    [{ type: 'string', format: 'email' }, 'demo@example.com'],
    [{ type: 'string', minLength: 6 }, 'demo..'],
    [{ type: 'string', maxLength: 2 }, 'de'],
    [{ type: ['null', 'integer'], exclusiveMinimum: 4 }, 5],
    [{ type: 'number', multipleOf: 0.5, minimum: 2 }, 2],
    [{ type: 'integer', maximum: -3 }, -3],
    [{ type: 'integer', exclusiveMaximum: 1 }, 0],
    [{ type: 'null' }, null],
    [{ const: 7 }, 7],
    [{ anyOf: [{ enum: ['a'] }, {}] }, 'a'],
    [{ $ref: '#/$defs/n', $defs: { n: { type: 'array', minItems: 2, items: { type: 'integer' } } } }, [1, 1]],
    [
      {
        allOf: [
          { properties: { a: { const: 1 } }, required: ['a'] },
          { properties: { b: { const: 2 } }, required: ['b'] },
        ],
      },
      { a: 1, b: 2 },
    ],
    [{ $ref: '#/nowhere' }, null],
    [undefined, null],
  ])('%j gets a plain value', (schema, value) => {
    expect(valueFor(schema)).toEqual(value)
  })

  it('a schema without a bottom ends', () => {
    const schema = {
      $ref: '#/$defs/node',
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['next'] } },
    }
    expect(JSON.stringify(valueFor(schema)).length).toBeLessThan(500)
    expect(valueFor({ $ref: '#' })).toBe(null)
  })
})

describe('embeddings', () => {
  const embed = async (params: Record<string, unknown>) =>
    json(demo, ask({ model: 'demo-embed', messages: undefined, ...params }, { kind: 'embeddings' }))
  const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * b[at]!, 0)

  it('are unit vectors of 256 numbers, the same for the same text', async () => {
    const { data, usage } = await embed({ input: ['cats and dogs', 'cats and dogs', ''] })
    expect(data.length).toBe(3)
    expect(data[0].embedding).toEqual(data[1].embedding)
    for (const { embedding } of data) {
      expect(embedding.length).toBe(256)
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5)
    }
    expect(usage).toEqual({ prompt_tokens: 8, total_tokens: 8 })
  })

  it('put similar texts nearer than others', () => {
    const near = cosine(demoEmbedding('the cat sat on the mat', 256), demoEmbedding('a cat is sitting on a mat', 256))
    const far = cosine(
      demoEmbedding('the cat sat on the mat', 256),
      demoEmbedding('quarterly revenue fell sharply', 256),
    )
    expect(near).toBeGreaterThan(far + 0.2)
  })

  it('honour dimensions and base64, and bill tokens as tokens', async () => {
    const { data, usage } = await embed({ input: [1, 2, 3], dimensions: 8, encoding_format: 'base64' })
    const bytes = Buffer.from(data[0].embedding, 'base64')
    expect(bytes.length).toBe(32)
    expect(Math.hypot(...new Float32Array(new Uint8Array(bytes).buffer))).toBeCloseTo(1, 5)
    expect(usage.prompt_tokens).toBe(3)
  })

  it.each([{ dimensions: 0 }, { dimensions: 257 }, { input: [] }, { input: null }])('refuse %j', async (params) => {
    const failure = await failed(demo, ask({ model: 'demo-embed', input: 'x', ...params }, { kind: 'embeddings' }))
    expect(failure.error.code).toBe('provider_rejected')
    expect(failure.error.details.param).toBe(Object.keys(params)[0])
  })
})

describe('its other models', () => {
  it('are listed', async () => {
    expect(await demo.models(new AbortController().signal)).toContain('demo-slow')
  })

  it('demo-slow takes its time, and stops at once when it is aborted', async () => {
    const caller = new AbortController()
    const began = performance.now()
    const reply = await answered(demo, ask({ model: 'demo-slow', stream: true }, { signal: caller.signal }))
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      const data = () => {
        if (seen.push('data') === 3) resolve()
      }
      reply.body.start({ data, end: () => void seen.push('end'), fail: () => void seen.push('fail') })
    })
    expect(performance.now() - began).toBeGreaterThan(100)
    caller.abort()
    expect(seen).toEqual(['data', 'data', 'data'])
  })

  it('demo-error-429 and demo-error-500 fail as providers do', async () => {
    const limited = await failed(demo, ask({ model: 'demo-error-429' }))
    expect(limited).toMatchObject({ retryable: true, mayBill: false, retryAfterMs: 1_000 })
    expect(limited.error.code).toBe('provider_rate_limited')
    const broken = await failed(demo, ask({ model: 'demo-error-500' }))
    expect(broken).toMatchObject({ retryable: true, mayBill: false, blameless: false })
    expect(broken.error.code).toBe('provider_error')
  })

  it('demo-cutoff breaks off in the middle of a stream, and of a plain answer', async () => {
    const { text, error } = await streamed({ model: 'demo-cutoff' })
    expect(eventsIn(text).length).toBe(4)
    expect(error!.code).toBe('provider_error')
    expect((await failed(demo, ask({ model: 'demo-cutoff' }))).error.code).toBe('provider_error')
  })

  it('any other name is answered as demo would', async () => {
    expect((await json(demo, ask({ model: 'gpt-4o' }))).model).toBe('gpt-4o')
  })
})
