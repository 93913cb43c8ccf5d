import { readFileSync } from 'node:fs'
import type { ProviderType } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CatalogEntry } from '../../../packages/core/src/config/provider-catalog.js'
import { factsOf, limitField } from '../../../packages/core/src/providers/catalog.js'
import { connectionOf } from '../../../packages/core/src/providers/connection.js'
import { mendingFor } from '../../../packages/core/src/providers/mending.js'
import { openaiCompatible } from '../../../packages/core/src/providers/openai-compatible.js'
import { chat, type Door, door, upstream, whoAnswered } from '../../support/door.js'
import { settledPool } from '../../support/pair.js'
import { answered, eventsIn, json, receive, request } from './support.js'

/** The entry that CONTRIBUTING.md shows; it is also compiled there. */
const acme = {
  baseUrl: 'https://api.acme.example',
  maxCompletionTokens: /^acme-/,
  reasoningField: 'thoughts',
  environment: { keys: ['ACME_API_KEY'], models: ['acme-*'] },
} as const satisfies CatalogEntry

const made = async (entry: CatalogEntry) => {
  const server = await upstream()
  const facts = factsOf('acme' as ProviderType, entry)
  const config = { type: 'acme' as ProviderType, baseUrl: server.url }
  const connection = connectionOf(config, server.url, { connectMs: 5_000, environment: {} })
  const provider = openaiCompatible({ config, facts, connection, clock: Date.now })
  onTestFinished(() => provider.close())
  return { provider, server, facts }
}

const chunk = (delta: object, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`
const DONE = 'data: [DONE]\n\n'

describe('a provider that is one entry of data', () => {
  it('is the one that CONTRIBUTING shows', () => {
    const text = readFileSync(new URL('../../../CONTRIBUTING.md', import.meta.url), 'utf8')
    for (const [field, value] of Object.entries(acme)) {
      const shown = value instanceof RegExp ? String(value) : typeof value === 'string' ? `'${value}'` : 'ACME_API_KEY'
      expect(text).toContain(field)
      expect(text).toContain(shown)
    }
  })

  it('has its limits under the name it wants', async () => {
    const { facts } = await made(acme)
    expect(limitField(facts, 'acme-large')).toBe('max_completion_tokens')
    expect(limitField(facts, 'other')).toBe('max_tokens')
  })

  it('has its reasoning under the name that callers know, beside its own, plain and streamed', async () => {
    const { provider, server } = await made(acme)
    const message = { role: 'assistant', content: 'Hi', thoughts: 'Hm.' }
    server.script({ replay: { body: JSON.stringify({ id: 'c', choices: [{ index: 0, message }], acme: 1 }) } })
    expect(await json(provider, request({}))).toEqual({
      id: 'c',
      acme: 1,
      choices: [{ index: 0, message: { ...message, reasoning_content: 'Hm.' } }],
    })
    const body = chunk({ thoughts: 'H' }) + chunk({ thoughts: 'm.' }) + chunk({ content: 'Hi' }) + DONE
    server.script({ replay: { body, cutAt: 'every-byte' } })
    const { text, error } = await receive(await answered(provider, request({ stream: true })))
    expect(error).toBe(null)
    expect(eventsIn(text).map(({ choices }) => choices[0].delta)).toEqual([
      { thoughts: 'H', reasoning_content: 'H' },
      { thoughts: 'm.', reasoning_content: 'm.' },
      { content: 'Hi' },
    ])
    expect(text.endsWith(DONE)).toBe(true)
  })
})

describe('loose choices', () => {
  const entry = { baseUrl: 'http://localhost:1', looseChoices: true } as const

  it('get the index and the arguments that clients rely on', async () => {
    const { provider, server } = await made(entry)
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: { x: 1 } } }
    const whole = { id: 'c', choices: [{ message: { role: 'assistant', content: null, tool_calls: [call] } }] }
    server.script({ replay: { body: JSON.stringify(whole) } })
    const mended = { ...call, function: { name: 'f', arguments: '{"x":1}' } }
    expect((await json(provider, request({}))).choices).toEqual([
      { index: 0, message: { role: 'assistant', content: null, tool_calls: [mended] } },
    ])
    server.script({
      replay: { body: `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: [call, call] } }] })}\n\n${DONE}` },
    })
    const { text } = await receive(await answered(provider, request({ stream: true })))
    expect(eventsIn(text)[0]!.choices).toEqual([
      {
        index: 0,
        delta: {
          tool_calls: [
            { ...mended, index: 0 },
            { ...mended, index: 1 },
          ],
        },
      },
    ])
  })

  it('that are as they should be pass as they came', () => {
    const mending = mendingFor(entry)!
    const answer = Buffer.from('{"choices": [ {"index":0, "message":{"content":"x"}} ] }')
    expect(mending.answer(answer)).toBe(answer)
    expect(mending.answer(Buffer.from('no JSON')).toString()).toBe('no JSON')
  })

  it('are nobody else: a provider without such quirks is relayed as bytes', () => {
    expect(mendingFor({ noStreamOptions: true, maxCompletionTokens: /x/, runsOn: 'always' })).toBe(null)
  })
})

describe('what every server of the dialect may do', () => {
  const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }
  const data = (more: object) => `data: ${JSON.stringify({ ...head, ...more })}\n\n`
  const choice = (delta: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason }],
  })
  const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 }
  const text = data(choice({ role: 'assistant', content: 'Hello' })) + data(choice({ content: ' sea' }))
  const end = data(choice({}, 'stop'))

  const streamed = async (body: string): Promise<{ to: Door; said: string; raw: string }> => {
    const provider = await upstream()
    provider.script({ replay: { body, cutAt: [1, 2, 50, 51, 52, 200] } })
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    const reply = await chat(to, 'gpt-4o', { stream: true, stream_options: { include_usage: true } })
    expect(whoAnswered({ ...reply, body: {} })).toBe('openai')
    const said = eventsIn(reply.text.replaceAll('\r\n', '\n'))
      .map(({ choices }) => choices?.[0]?.delta?.content ?? '')
      .join('')
    return { to, said, raw: reply.text }
  }

  it.each<[string, string]>([
    ['usage in the last choice chunk', text + data({ ...choice({}, 'stop'), usage }) + DONE],
    ['usage in x_groq', text + data({ ...choice({}, 'stop'), x_groq: { id: 'r', usage } }) + DONE],
    ['usage beside an empty list', text + end + data({ choices: [], usage }) + DONE],
    [
      'comments between',
      `: OPENROUTER PROCESSING\n\n${text}: processing\n\n${end}${data({ choices: [], usage })}${DONE}`,
    ],
    ['no [DONE]', text + end + data({ choices: [], usage })],
    ['CR LF', (text + end + data({ choices: [], usage }) + DONE).replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${text}${end}${data({ choices: [], usage })}${DONE}`],
  ])('%s', async (_what, body) => {
    const { to, said, raw } = await streamed(body)
    expect(said).toBe('Hello sea')
    expect(raw.trimEnd().endsWith('data: [DONE]')).toBe(true)
    expect(await settledPool(to)).toMatchObject({ used: 9, reserved: 0 })
  })

  it('a 200 with an error in it is a failure, and the next candidate answers', async () => {
    const provider = await upstream()
    provider.script({ body: { error: { message: 'overloaded', code: 500 } } })
    const to = await door({
      providers: [
        { type: 'openrouter', baseUrl: provider.url, priority: 1 },
        { type: 'demo', name: 'spare' },
      ],
    })
    expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
  })
})

describe('what a hang-up costs', () => {
  const left = async (type: ProviderType) => {
    const provider = await upstream()
    provider.script({ fault: 'hang', faultAfter: 4 })
    const to = await door({ providers: [{ type, baseUrl: provider.url, local: false }] })
    const leaving = new AbortController()
    const context = to.gateway.as({ user: 'alice', pool: 'user:alice' })
    const reply = await context.fetch('http://hoosh/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'Say something about the sea.' }],
        stream: true,
        max_tokens: 400,
      }),
      signal: leaving.signal,
    })
    await reply.body!.getReader().read()
    leaving.abort()
    await provider.requests[0]!.aborted
    return (await settledPool(to)).used
  }

  it('is what had come, where hanging up ends the work, and all that was asked for where it does not', async () => {
    expect(await left('deepseek')).toBeLessThan(250)
    expect(await left('openrouter')).toBeLessThan(250)
    expect(await left('groq')).toBeGreaterThanOrEqual(400)
    expect(await left('mistral')).toBeGreaterThanOrEqual(400)
  })
})
