import OpenAI, { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai'
import { beforeAll, expect, it } from 'vitest'
import { describeClient } from './ways.js'

const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const time = {
  type: 'function' as const,
  function: { name: 'get_time', parameters: { type: 'object', properties: {} } },
}

describeClient('the openai package', (reached) => {
  let openai: OpenAI
  let stranger: OpenAI
  beforeAll(() => {
    openai = new OpenAI({ ...reached().alice, maxRetries: 0 })
    stranger = new OpenAI({ ...reached().nobody, maxRetries: 0 })
  })
  const ask = { model: 'demo', messages: [{ role: 'user' as const, content: 'What are you?' }] }

  it('gets a plain answer with usage and what it cost', async () => {
    const answer = await openai.chat.completions.create(ask)
    expect(answer.object).toBe('chat.completion')
    expect(answer.choices[0]!.message.content).toMatch(/demo/i)
    expect(answer.choices[0]!.finish_reason).toBe('stop')
    expect(answer.usage!.total_tokens).toBe(answer.usage!.prompt_tokens + answer.usage!.completion_tokens)
    expect(answer.usage).toMatchObject({ provider: 'demo', cost_micro_usd: 0 })
  })

  it('reads a stream, with usage only where it asked for it', async () => {
    const whole = (await openai.chat.completions.create(ask)).choices[0]!.message.content
    let text = ''
    let usages = 0
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? ''
      if (chunk.usage != null) usages += 1
    }
    expect(text).toBe(whole)
    expect(usages).toBe(0)
    const asked = await openai.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    })
    const seen = []
    for await (const chunk of asked) if (chunk.usage != null) seen.push(chunk.usage)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ provider: 'demo', cost_micro_usd: 0 })
  })

  it('uses the stream helper', async () => {
    const final = await openai.chat.completions.stream(ask).finalChatCompletion()
    expect(final.choices[0]!.message.content).toMatch(/demo/i)
  })

  it('calls a tool, and goes on with its result', async () => {
    const first = await openai.chat.completions.create({ ...ask, tools: [weather] })
    const call = first.choices[0]!.message.tool_calls![0]!
    expect(first.choices[0]!.finish_reason).toBe('tool_calls')
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
    expect(JSON.parse(call.type === 'function' ? call.function.arguments : '')).toHaveProperty('city')
    const second = await openai.chat.completions.create({
      model: 'demo',
      tools: [weather],
      messages: [...ask.messages, first.choices[0]!.message, { role: 'tool', tool_call_id: call.id, content: 'sunny' }],
    })
    expect(second.choices[0]!.message.content).toBeTruthy()
  })

  it('streams tool calls, several in parallel too', async () => {
    const single = await openai.chat.completions.stream({ ...ask, tools: [weather] }).finalChatCompletion()
    expect(single.choices[0]!.message.tool_calls).toHaveLength(1)
    const both = {
      ...ask,
      tools: [weather, time],
      messages: [{ role: 'user' as const, content: 'Use get_weather and get_time.' }],
    }
    const plain = await openai.chat.completions.create(both)
    const streamed = await openai.chat.completions.stream(both).finalChatCompletion()
    expect(plain.choices[0]!.message.tool_calls).toHaveLength(2)
    expect(
      streamed.choices[0]!.message.tool_calls!.map((call) => call.type === 'function' && call.function.name),
    ).toEqual(['get_weather', 'get_time'])
  })

  it('gets JSON of the shape it asked for', async () => {
    const schema = {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
      required: ['name', 'age'],
      additionalProperties: false,
    }
    const answer = await openai.chat.completions.create({
      ...ask,
      response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } },
    })
    const person = JSON.parse(answer.choices[0]!.message.content!)
    expect(typeof person.name).toBe('string')
    expect(Number.isInteger(person.age)).toBe(true)
    const object = await openai.chat.completions.create({ ...ask, response_format: { type: 'json_object' } })
    expect(typeof JSON.parse(object.choices[0]!.message.content!)).toBe('object')
  })

  it('sends an image part, several choices, logprobs and a seed', async () => {
    const answer = await openai.chat.completions.create({
      model: 'demo',
      n: 2,
      seed: 7,
      logprobs: true,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: PIXEL } },
          ],
        },
      ],
    })
    expect(answer.choices).toHaveLength(2)
    const again = await openai.chat.completions.create({ ...ask, seed: 7 })
    expect((await openai.chat.completions.create({ ...ask, seed: 7 })).choices[0]!.message.content).toBe(
      again.choices[0]!.message.content,
    )
  })

  it('aborts a stream, which stops the provider', async () => {
    const { provider, settled } = reached()
    provider.script({ tokens: 5_000, everyMs: 5 })
    const stream = await openai.chat.completions.create({ ...ask, model: 'gpt-4o', stream: true })
    const read = async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) stream.controller.abort()
    }
    await read().catch((error) => expect(error).toBeInstanceOf(APIUserAbortError))
    await provider.requests[0]!.aborted
    await settled()
  })

  it('raises typed errors', async () => {
    await expect(stranger.chat.completions.create(ask)).rejects.toBeInstanceOf(AuthenticationError)
    await expect(openai.chat.completions.create({ ...ask, temperature: 9 })).rejects.toMatchObject({
      status: 400,
      param: 'temperature',
      type: 'invalid_request_error',
    })
    await expect(openai.chat.completions.create({ ...ask, temperature: 9 })).rejects.toBeInstanceOf(BadRequestError)
    await expect(openai.chat.completions.create({ ...ask, model: 'demo-error-429' })).rejects.toBeInstanceOf(
      RateLimitError,
    )
    await expect(openai.chat.completions.create({ ...ask, model: 'demo-error-500' })).rejects.toMatchObject({
      status: 502,
      code: 'provider_error',
    })
    await expect(openai.models.retrieve('no-such-model')).rejects.toBeInstanceOf(NotFoundError)
  })

  it('raises an error for a stream that breaks off', async () => {
    const read = async () => {
      for await (const _chunk of await openai.chat.completions.create({ ...ask, model: 'demo-cutoff', stream: true }));
    }
    await expect(read()).rejects.toThrow()
  })

  it('embeds: similar texts are nearer than others', async () => {
    const { data, usage } = await openai.embeddings.create({
      model: 'demo-embed',
      input: ['the cat sat on the mat', 'a cat sat on a mat', 'quarterly revenue grew'],
    })
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, index) => sum + value * b[index]!, 0)
    expect(data).toHaveLength(3)
    expect(dot(data[0]!.embedding, data[1]!.embedding)).toBeGreaterThan(dot(data[0]!.embedding, data[2]!.embedding))
    expect(usage.prompt_tokens).toBeGreaterThan(0)
  })

  it('lists models and finds one', async () => {
    const ids = []
    for await (const model of openai.models.list()) ids.push(model.id)
    expect(ids).toContain('demo')
    expect(await openai.models.retrieve('demo')).toMatchObject({ id: 'demo', object: 'model', owned_by: 'demo' })
  })
})
