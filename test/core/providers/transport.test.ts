import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { gate, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Provider } from '../../../packages/core/src/providers/provider.js'
import { answered, eventsIn, failed, json, provider, receive, request } from './support.js'

let upstream: ScriptedProvider
let ours: Provider

beforeAll(async () => {
  upstream = await scriptedProvider()
  ours = provider({ baseUrl: upstream.url, apiKey: 'sk-test-key-123456' })
})
afterEach(() => upstream.reset())
afterAll(async () => {
  await ours.close()
  await upstream.close()
})

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Resolves when a figure has stopped growing. */
async function quiet(figure: () => number): Promise<void> {
  for (let before = -1; before !== figure(); ) {
    before = figure()
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
  }
}

describe('an answer', () => {
  it('arrives as the bytes the provider sent, and the request went up as the bytes it was', async () => {
    const answer = await json(ours, request({ max_tokens: 3 }))
    expect(answer.choices[0].message.content).toBe(' one two three')
    expect(upstream.requests[0]!.raw).toBe(request({ max_tokens: 3 }).body)
  })

  it('streams event by event', async () => {
    const { text, error } = await receive(await answered(ours, request({ stream: true, max_tokens: 5 })))
    expect(error).toBe(null)
    expect(
      eventsIn(text)
        .flatMap((event) => event.choices[0].delta.content ?? [])
        .join(''),
    ).toBe(' one two three four five')
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('is the same bytes wherever the network cut it, multibyte characters included', async () => {
    const body = 'data: {"choices":[{"index":0,"delta":{"content":"héllo 世界 🙂"}}]}\n\ndata: [DONE]\n\n'
    upstream.script({ replay: { body, cutAt: 'every-byte' } })
    const { text } = await receive(await answered(ours, request({ stream: true })))
    expect(text).toBe(body)
  })

  it('waits for a consumer that starts late', async () => {
    const reply = await answered(ours, request({ stream: true }))
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    expect((await receive(reply)).text).toContain('[DONE]')
  })

  it('sends nothing of the caller up but the body, and asks for no compression', async () => {
    await json(ours, request({}))
    const { headers } = upstream.requests[0]!
    expect(Object.keys(headers).sort()).toEqual([
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ])
    expect(headers).toMatchObject({
      'accept-encoding': 'identity',
      authorization: 'Bearer sk-test-key-123456',
      accept: 'application/json',
    })
  })

  it('uses its connections again for calls in a row', async () => {
    const ports = new Set<number | undefined>()
    const server = createServer((message, response) => {
      ports.add(message.socket.remotePort)
      message.resume()
      response.setHeader('content-type', 'application/json').end('{}')
    })
    const one = provider({ baseUrl: await listening(server) })
    for (let call = 0; call < 10; call += 1) await json(one, request({}))
    await one.close()
    server.close()
    // Two, since undici gives a connection back one turn of the event loop after its answer.
    expect(ports.size).toBeLessThanOrEqual(2)
  })

  it('takes a missing content type for what was asked for, and 1xx for nothing', async () => {
    const server = createServer((_message, response) => {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</x>; rel=preload' })
      response.end('{"ok":true}')
    })
    const one = provider({ baseUrl: await listening(server) })
    expect(await json(one, request({}))).toEqual({ ok: true })
    await one.close()
    server.close()
  })
})

describe('back-pressure', () => {
  it('a consumer that pauses stops the provider, gets nothing meanwhile, and loses nothing', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    const total = 512 * piece.length
    let written = 0
    const server = createServer(async (_message, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (; written < total; ) {
        written += piece.length
        if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve))
      }
      response.end()
    })
    const one = provider({ baseUrl: await listening(server) })
    const reply = await answered(one, request({ stream: true }))
    const paused = gate()
    let received = 0
    const ended = new Promise<void>((resolve) => {
      reply.body.start({
        data(chunk) {
          const before = received
          received += chunk.length
          if (before >= 1_000_000 || received < 1_000_000) return
          reply.body.pause()
          paused.wait()
        },
        end: resolve,
        fail: () => {},
      })
    })
    await paused.reached
    const atPause = received
    await quiet(() => written)
    expect(received).toBe(atPause)
    // What is on its way is in the buffers of two sockets: megabytes at most, and nothing of it here.
    expect(written).toBeLessThan(total)
    reply.body.resume()
    await ended
    expect(received).toBe(total)
    await one.close()
    server.close()
  })

  it('a consumer that never starts does not make us read on', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    let written = 0
    const server = createServer(async (_message, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const gone = once(response, 'close')
      for (let n = 0; n < 1_024 && !response.destroyed; n += 1) {
        written += piece.length
        if (!response.write(piece)) await Promise.race([once(response, 'drain'), gone])
      }
    })
    const one = provider({ baseUrl: await listening(server) })
    const reply = await answered(one, request({ stream: true }))
    await quiet(() => written)
    expect(written).toBeLessThan(1_024 * piece.length)
    reply.body.abort()
    await one.close()
    server.close()
  })
})

describe('an abort', () => {
  it('before the call is made sends nothing and bills nothing', async () => {
    const failure = await failed(ours, request({}, { signal: AbortSignal.abort() }))
    expect(failure).toMatchObject({ mayBill: false, blameless: true, retryable: false })
    expect(upstream.requests.length).toBe(0)
  })

  it('before the head closes the connection within 250 ms', async () => {
    upstream.script({ fault: 'hang-before-head' })
    const caller = new AbortController()
    const result = failed(ours, request({}, { signal: caller.signal }))
    await upstream.received(1)
    const at = performance.now()
    caller.abort()
    const failure = await result
    await upstream.requests[0]!.aborted
    expect(upstream.requests[0]!.abortedAt! - at).toBeLessThan(250)
    expect(failure).toMatchObject({ mayBill: true, blameless: true, retryable: false })
    expect(failure.error.code).toBe('client_closed')
  })

  it.each(['signal', 'body'] as const)(
    'in the middle, by the %s, closes the connection and delivers nothing more',
    async (by) => {
      const held = gate()
      upstream.script({ tokens: 50, holdAfter: { events: 3, gate: held } })
      const caller = new AbortController()
      const reply = await answered(ours, request({ stream: true }, { signal: caller.signal }))
      const delivered: string[] = []
      reply.body.start({
        data: () => void delivered.push('data'),
        end: () => void delivered.push('end'),
        fail: () => void delivered.push('fail'),
      })
      await held.reached
      while (delivered.length === 0) await new Promise(setImmediate)
      const before = delivered.length
      const at = performance.now()
      if (by === 'signal') caller.abort()
      else reply.body.abort()
      await upstream.requests[0]!.aborted
      expect(upstream.requests[0]!.abortedAt! - at).toBeLessThan(250)
      held.open()
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
      expect(delivered.slice(before).filter((event) => event !== 'data')).toEqual([])
      expect(upstream.bill.perAttempt[0]!.outcome).toBe('client-closed')
    },
  )

  it('while connecting resolves at once and is not sent when the connection comes', async () => {
    const silent = createTcpServer()
    const url = (await listening(silent)).replace('http:', 'https:')
    const one = provider({ baseUrl: url })
    const caller = new AbortController()
    const result = failed(one, request({}, { signal: caller.signal }))
    caller.abort()
    expect(await result).toMatchObject({ mayBill: false })
    await one.close()
    silent.close()
  })

  it('after the end changes nothing', async () => {
    const caller = new AbortController()
    const { text, error } = await receive(await answered(ours, request({ stream: true }, { signal: caller.signal })))
    caller.abort()
    expect(error).toBe(null)
    expect(text).toContain('[DONE]')
  })
})

describe('deadlines', () => {
  it('no connection in time is connect_timeout and bills nothing', async () => {
    // TLS to a server that never says a word: connected, and yet not.
    const sockets = new Set<{ destroy(): void }>()
    const silent = createTcpServer((socket) => void sockets.add(socket))
    const one = provider({ baseUrl: (await listening(silent)).replace('http:', 'https:') }, { connectMs: 60 })
    const failure = await failed(one, request({}))
    expect(failure).toMatchObject({ mayBill: false, retryable: true, blameless: false })
    expect(failure.error.code).toBe('connect_timeout')
    for (const socket of sockets) socket.destroy()
    await one.close()
    silent.close()
  })

  it.each([true, false])('no head in time is first_byte_timeout (stream: %s)', async (stream) => {
    upstream.script({ fault: 'hang-before-head' })
    const failure = await failed(ours, request({ stream }, { firstByteMs: 50 }))
    expect(failure).toMatchObject({ mayBill: true, retryable: true, blameless: false })
    expect(failure.error.code).toBe('first_byte_timeout')
    await upstream.requests[0]!.aborted
  })

  it('a head without a body in time is first_byte_timeout too', async () => {
    const server = createServer((_message, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
    })
    const one = provider({ baseUrl: await listening(server) })
    const { error } = await receive(await answered(one, request({ stream: true }, { firstByteMs: 60 })))
    expect(error!.code).toBe('first_byte_timeout')
    await one.close()
    server.close()
  })

  it('silence between bytes is idle_timeout', async () => {
    upstream.script({ fault: 'hang', faultAfter: 3 })
    const { error, text } = await receive(await answered(ours, request({ stream: true }, { idleMs: 50 })))
    expect(error!.code).toBe('idle_timeout')
    expect(text).toContain('one')
    await upstream.requests[0]!.aborted
  })

  it('idle time does not run while the consumer is slow', async () => {
    const held = gate()
    upstream.script({ tokens: 4, holdAfter: { events: 2, gate: held } })
    const reply = await answered(ours, request({ stream: true }, { idleMs: 40 }))
    let pausedFor = 0
    const result = new Promise<string>((resolve) => {
      let isFirst = true
      reply.body.start({
        data() {
          if (!isFirst) return
          isFirst = false
          reply.body.pause()
          const since = performance.now()
          setTimeout(() => {
            pausedFor = performance.now() - since
            held.open()
            reply.body.resume()
          }, 120)
        },
        end: () => resolve('end'),
        fail: (error) => resolve(error.code),
      })
    })
    expect(await result).toBe('end')
    expect(pausedFor).toBeGreaterThan(40)
  })
})

describe('an answer that is too large or none', () => {
  it('a plain answer stops at 64 MiB', async () => {
    const server = createServer((_message, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const piece = Buffer.alloc(1024 * 1024, ' ')
      const go = () => {
        while (!response.destroyed && response.write(piece));
        if (!response.destroyed) response.once('drain', go)
      }
      go()
    })
    const one = provider({ baseUrl: await listening(server) })
    const failure = await failed(one, request({}))
    expect(failure.error.code).toBe('provider_error')
    expect(failure.received!.length).toBe(1024 * 1024)
    await one.close()
    server.close()
  })

  it.each([
    ['a page', { fault: 'html' }, 'text/html'],
    ['compressed', { headers: { 'content-encoding': 'gzip' } }, 'compressed'],
    ['events instead of JSON', { headers: { 'content-type': 'text/event-stream' } }, 'instead of JSON'],
  ] as const)('%s is a failure that may have been billed', async (_what, script, said) => {
    upstream.script(script)
    const failure = await failed(ours, request({}))
    expect(failure).toMatchObject({ mayBill: true, retryable: true, blameless: false })
    expect(failure.error.code).toBe('provider_error')
    expect(failure.error.message).toContain(said)
  })

  it('JSON where a stream was asked for is passed on, for a provider may answer so', async () => {
    upstream.script({ body: { choices: [] } })
    expect((await receive(await answered(ours, request({ stream: true })))).text).toBe('{"choices":[]}')
  })
})
