import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ProviderOptions } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { providerFacts } from '../../../../packages/core/src/providers/catalog.js'
import { connectionOf } from '../../../../packages/core/src/providers/connection.js'
import { createInflow } from '../../../../packages/core/src/providers/inflow.js'
import type { Provider } from '../../../../packages/core/src/providers/provider.js'
import { eventBody } from '../../../../packages/core/src/providers/translated/bodies.js'
import { chunkWriter, DONE } from '../../../../packages/core/src/providers/translated/chunks.js'
import type { Dialect } from '../../../../packages/core/src/providers/translated/dialect.js'
import { translatedProvider } from '../../../../packages/core/src/providers/translated/provider.js'
import { usageOf } from '../../../../packages/core/src/providers/translated/usage.js'
import { answered, eventsIn, failed, json, receive, request } from '../support.js'

/** The smallest dialect there is: `{ ask }` in, `{ say }` out, in a stream one a line and `{ bye }` at the end. */
const toy: Dialect = {
  version: '/v7',
  framing: 'ndjson',
  headers: { 'toy-version': '1' },
  keyHeader: (key) => ['x-toy-key', key],
  translate(ask) {
    if (ask.params.seed != null) ask.cannot('seed', 'it has no dice')
    const head = { id: ask.requestId, created: ask.created, model: ask.model }
    return {
      path: `/talk${ask.stream ? '?live=1' : ''}`,
      body: JSON.stringify({ ask: (ask.params.messages as { content: string }[])[0]!.content }),
      reply(said) {
        const { say, oops } = said as { say: string; oops?: string }
        if (oops !== undefined) throw ask.refused(429, JSON.stringify({ error: oops }))
        const message = { role: 'assistant', content: say.toUpperCase() }
        return { ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }
      },
      stream() {
        const write = chunkWriter(head)
        return {
          event(said) {
            const { say, bye, oops } = said as { say: string; bye?: number; oops?: string }
            if (oops !== undefined) throw ask.refused(529, JSON.stringify({ error: oops }))
            if (bye === undefined) return write.text(say.toUpperCase())
            return `${write.finish('stop')}${write.usage(usageOf({ prompt: 3, completion: bye, cached: 1 }))}${DONE}`
          },
        }
      },
    }
  },
  models: { path: '/list', ids: (list) => (list as { all: string[] }).all },
}

/** A provider of that dialect in front of a server. */
async function speaking(listener: RequestListener): Promise<Provider> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config: ProviderOptions = { type: 'openai', name: 'toy-1', apiKey: 'sk-toy-secret', baseUrl }
  const provider = translatedProvider({
    config,
    connection: connectionOf(config, baseUrl, { connectMs: 5_000, environment: {} }),
    facts: providerFacts('openai'),
    dialect: toy,
    clock: () => 5_000,
  })
  onTestFinished(async () => {
    await provider.close()
    server.closeAllConnections()
    server.close()
  })
  return provider
}

const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('')
const stream = (text: string, type = 'application/x-ndjson') =>
  speaking((_req, res) => void res.writeHead(200, { 'content-type': type }).end(text))
const asked = { stream: true }

describe('what goes up', () => {
  it("is the dialect's own request with its key, and nothing of the caller's", async () => {
    const seen: unknown[] = []
    const provider = await speaking((req, res) => {
      const body: Buffer[] = []
      req.on('data', (chunk) => void body.push(chunk))
      req.on('end', () => {
        const { authorization, 'x-toy-key': key, 'toy-version': version } = req.headers
        seen.push([req.method, req.url, authorization, key, version, Buffer.concat(body).toString()])
        res.writeHead(200, { 'content-type': 'application/json' }).end('{"say":"hi"}')
      })
    })
    await json(provider, request({}))
    expect(seen).toEqual([['POST', '/v7/talk', undefined, 'sk-toy-secret', '1', '{"ask":"Hello there"}']])
  })

  it('is nothing where a field asks for what it cannot do; another may', async () => {
    const provider = await speaking(() => expect.unreachable())
    const failure = await failed(provider, request({ seed: 7 }))
    expect(failure).toMatchObject({ retryable: true, mayBill: false, blameless: true })
    expect(failure.error).toMatchObject({ code: 'unsupported_parameter', status: 400, details: { param: 'seed' } })
    expect(failure.error.message).toContain('it has no dice')
  })

  it('leaves that out where the caller said so, and tells it', async () => {
    const provider = await speaking((_req, res) => void res.end('{"say":"hi"}'))
    expect(await provider.send(request({ seed: 7 }, { dropUnsupported: true }))).toMatchObject({
      ok: true,
      dropped: ['seed'],
    })
  })

  it('asks for the models at its own path', async () => {
    const provider = await speaking((req, res) => void res.end(JSON.stringify({ all: [req.url] })))
    expect(await provider.models(new AbortController().signal)).toEqual(['/v7/list'])
  })
})

describe('a plain answer', () => {
  it('is translated', async () => {
    const provider = await speaking((_req, res) => void res.end('{"say":"hi"}'))
    const answer = await json(provider, request({}))
    expect(answer).toMatchObject({ id: 'request-1', created: 5, choices: [{ message: { content: 'HI' } }] })
  })

  it.each([
    ['garbage', '<html>', 'provider_error'],
    ['another shape', '{"say":7}', 'provider_error'],
    ['an error with status 200', '{"oops":"slow down"}', 'provider_rate_limited'],
  ])('that is %s fails, with its bytes for the bill', async (_what, text, code) => {
    const provider = await speaking(
      (_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end(text),
    )
    const failure = await failed(provider, request({}))
    expect(failure.error).toMatchObject({ code })
    expect(failure.received!.toString()).toBe(text)
  })
})

describe('a stream', () => {
  it('is translated event by event, the role first', async () => {
    const provider = await stream(lines({ say: 'a' }, { say: 'b\n"' }, { bye: 2 }))
    const { text, error, chunks } = await receive(await answered(provider, request(asked)))
    expect(error).toBe(null)
    expect(text.endsWith(DONE)).toBe(true)
    expect(eventsIn(text).map(({ choices }) => choices[0]?.delta ?? null)).toEqual([
      { role: 'assistant', content: 'A' },
      { content: 'B\n"' },
      {},
      null,
    ])
    expect(eventsIn(text).at(-1).usage).toEqual({
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
    })
    expect(chunks.length).toBe(1)
  })

  it.each([
    ['an error event', lines({ say: 'a' }, { oops: 'full' }), { code: 'provider_error', message: /529: full/ }],
    ['garbage', `${lines({ say: 'a' })}<html>\n`, { code: 'provider_error', message: /no answer/ }],
    ['half an event', `${lines({ say: 'a' })}{"say":`, { code: 'provider_error', message: /broke off/ }],
    ['another shape', lines({ say: 'a' }, { say: 7 }), { code: 'provider_error', message: /no answer/ }],
  ])('that turns into %s fails after what was said', async (_what, wire, { code, message }) => {
    const { text, error } = await receive(await answered(await stream(wire), request(asked)))
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(eventsIn(text).map(({ choices }) => choices[0].delta.content)).toEqual(['A'])
  })

  it('of another type is no answer', async () => {
    expect((await failed(await stream('<html>', 'text/html'), request(asked))).error.code).toBe('provider_error')
  })

  it('delivers nothing while paused, and nothing after an abort', () => {
    const seen: string[] = []
    const source = createInflow({
      pause: () => void seen.push('pause'),
      resume: () => void seen.push('resume'),
      abort: () => void seen.push('abort'),
      over: () => expect.unreachable(),
    })
    const body = eventBody(
      source.body,
      { event: (json) => `${(json as { say: string }).say};` },
      { routeName: 'toy', framing: 'ndjson', refused: () => expect.unreachable() },
    )
    body.start({
      data: (chunk) => void seen.push(Buffer.from(chunk).toString()),
      end: () => expect.unreachable(),
      fail: () => expect.unreachable(),
    })
    const push = (...events: object[]) => source.push(Buffer.from(lines(...events)))
    push({ say: 'a' }, { say: 'b' })
    body.pause()
    push({ say: 'c' })
    body.resume()
    push({ say: 'd' })
    body.abort()
    push({ say: 'e' })
    expect(seen).toEqual(['a;b;', 'pause', 'c;', 'resume', 'd;', 'abort'])
  })
})
