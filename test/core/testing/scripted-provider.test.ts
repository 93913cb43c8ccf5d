import { gate, type Script, type ScriptedProvider, scriptedPromptTokens, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

let upstream: ScriptedProvider
beforeAll(async () => {
  upstream = await scriptedProvider()
})
afterEach(() => upstream.reset())
afterAll(() => upstream.close())

const messages = [{ role: 'user', content: 'Twelve bytes' }]

function call(params: Record<string, unknown> = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${upstream.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', messages, ...params }),
    ...init,
  })
}

async function textOf(script: Script, params: Record<string, unknown> = {}): Promise<string> {
  upstream.script(script)
  return (await call(params)).text()
}

describe('the bill', () => {
  it('is exact for a plain answer, and what the answer claims', async () => {
    const answer = JSON.parse(await textOf({ tokens: 9 }))
    expect(answer.usage).toEqual({ prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 })
    expect(upstream.bill).toMatchObject({ attempts: 1, promptTokens: 3, completionTokens: 9, totalTokens: 12 })
    expect(scriptedPromptTokens({ messages })).toBe(3)
  })

  it('counts every choice, and stops at the limit unless told otherwise', async () => {
    await textOf({ tokens: 9 }, { n: 2, max_tokens: 4 })
    await textOf({ tokens: 9, honoursLimit: false }, { max_tokens: 4 })
    expect(upstream.bill.perAttempt.map((one) => [one.limit, one.completionTokens])).toEqual([
      [4, 8],
      [4, 9],
    ])
  })

  it('of a stream counts what was made before the client left', async () => {
    const held = gate()
    upstream.script({ tokens: 1_000, holdAfter: { events: 6, gate: held } })
    const caller = new AbortController()
    await call({ stream: true }, { signal: caller.signal })
    await held.reached
    caller.abort()
    await upstream.requests[0]!.aborted
    held.open()
    await new Promise(setImmediate)
    const [billed] = upstream.bill.perAttempt
    expect(billed!.outcome).toBe('client-closed')
    expect(billed!.completionTokens).toBe(5)
    expect(upstream.requests[0]!.abortedAt).toBeGreaterThan(0)
  })

  it('is nothing for a refusal, and the prompt for a reset before the head', async () => {
    await textOf({ status: 429, headers: { 'retry-after': '2' } })
    expect(upstream.bill.totalTokens).toBe(0)
    upstream.script({ fault: 'reset-before-head' })
    await expect(call()).rejects.toThrow()
    expect(upstream.bill).toMatchObject({ promptTokens: 3, completionTokens: 0 })
  })
})

describe('usage', () => {
  it.each([
    ['missing', undefined],
    ['zero', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
    ['negative', { prompt_tokens: -3, completion_tokens: -4, total_tokens: -7 }],
    ['fractional', { prompt_tokens: 3.5, completion_tokens: 4.5, total_tokens: 8 }],
  ] as const)('%s is a lie the bill does not share', async (usage, said) => {
    const answer = JSON.parse(await textOf({ tokens: 4, usage }))
    expect(answer.usage).toEqual(said)
    expect(upstream.bill.completionTokens).toBe(4)
  })

  it('in a stream comes only where it was asked for, in two frames if need be', async () => {
    expect(await textOf({ tokens: 4 }, { stream: true })).not.toContain('usage')
    const params = { stream: true, stream_options: { include_usage: true } }
    expect((await textOf({ tokens: 4 }, params)).match(/"usage"/g)?.length).toBe(1)
    expect((await textOf({ tokens: 4, usage: 'two-frames' }, params)).match(/"completion_tokens":\d/g)).toEqual([
      '"completion_tokens":1',
      '"completion_tokens":4',
    ])
    expect(await textOf({ tokens: 4, usage: 'unasked' }, { stream: true })).toContain('usage')
  })
})

describe('faults', () => {
  const streamed = { stream: true }
  it('no-done, eof, half-event, error-event and garbage end a stream each in its own way', async () => {
    expect(await textOf({ fault: 'no-done' }, streamed)).toMatch(/"finish_reason":"stop"\}\]\}\n\n$/)
    expect(await textOf({ fault: 'eof' }, streamed)).not.toContain('"stop"')
    expect(await textOf({ fault: 'half-event' }, streamed)).not.toMatch(/\n\n$/)
    expect(await textOf({ fault: 'error-event' }, streamed)).toMatch(/data: \{"error":.*\}\n\n$/)
    expect(await textOf({ fault: 'garbage' }, streamed)).toContain('not an event')
    expect(() => JSON.parse('garbage')).toThrow()
  })

  it('reset and half an announced body break the connection', async () => {
    await expect(textOf({ fault: 'reset' }, streamed)).rejects.toThrow()
    await expect(textOf({ fault: 'half-event' })).rejects.toThrow()
  })

  it('html and eof of a plain answer are no JSON', async () => {
    for (const fault of ['html', 'eof', 'garbage'] as const) {
      const text = await textOf({ fault })
      expect(() => JSON.parse(text)).toThrow()
    }
  })
})

describe('scripts', () => {
  it('are taken in order by the calls that fit, as often as they say', async () => {
    upstream.script({ model: 'other', text: 'for other' }, { text: 'twice', times: 2 })
    const said = async (model: string) => JSON.parse(await (await call({ model })).text()).choices[0].message.content
    expect([await said('m'), await said('other'), await said('m')]).toEqual(['twice', 'for other', 'twice'])
    expect((await said('m')).split(' ').length).toBe(17)
  })

  it('replay recorded bytes, cut anywhere', async () => {
    const body = 'data: {"x":"世界"}\n\ndata: [DONE]\n\n'
    expect(await textOf({ replay: { body, cutAt: [1, 13, 14, 15] } }, { stream: true })).toBe(body)
    expect(await textOf({ replay: { body, cutAt: 'every-byte' } }, { stream: true })).toBe(body)
  })

  it('call a tool', async () => {
    const script: Script = { toolCall: { name: 'f', arguments: '{"a":"bcdefghij"}' } }
    const answer = JSON.parse(await textOf(script))
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'f', arguments: '{"a":"bcdefghij"}' } }] },
    })
    expect(await textOf(script, { stream: true })).toContain('"finish_reason":"tool_calls"')
  })

  it('hold back everything until it is released', async () => {
    upstream.hold()
    const answers = Promise.all([call(), call()])
    await upstream.received(2)
    expect(upstream.bill.perAttempt.every(({ outcome }) => outcome === 'running')).toBe(true)
    upstream.release()
    expect((await answers).map(({ status }) => status)).toEqual([200, 200])
  })

  it('embeddings and models are answered too', async () => {
    const embedded = await fetch(`${upstream.url}/embeddings`, {
      method: 'POST',
      body: JSON.stringify({ model: 'e', input: ['ab', 'cd'] }),
    })
    expect(((await embedded.json()) as { data: unknown[] }).data.length).toBe(2)
    expect(upstream.bill).toMatchObject({ promptTokens: 3, completionTokens: 0 })
    expect(await (await fetch(`${upstream.url}/models`)).json()).toMatchObject({ data: [{ id: 'scripted' }] })
  })
})
