import { type ByteSink, createGateway, type GatewayRequest } from '@hoosh/core'
import { type FetchSettings, toFetchHandler } from '@hoosh/core/fetch'
import { describe, expect, it } from 'vitest'
import { cancel } from '../../../packages/core/src/cancel.js'
import { toResponse } from '../../../packages/core/src/http/web-bridge.js'
import { deferred } from '../../support/deferred.js'
import { fakeGateway, text } from '../../support/fake-gateway.js'

type Routes = Parameters<typeof fakeGateway>[0]

const alice = () => ({ user: 'alice' })

const handling = (routes: Routes, settings: FetchSettings = {}) =>
  toFetchHandler(fakeGateway(routes), { identify: alice, ...settings })

const asked = (path = '/v1/x', init?: RequestInit) => new Request(`http://app.test${path}`, init)
const posted = (
  body: RequestInit['body'] & {},
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
) => asked('/v1/x', { method: 'POST', body, headers, duplex: 'half', signal })

const echo = (maxBytes: number) => ({
  '/v1/x': async ({ body }: GatewayRequest) => text(Buffer.from(await body.bytes(maxBytes)).toString()),
})

describe('a web request', () => {
  it('has the path, the query and the headers that were sent, and no path of its own', async () => {
    const handler = handling({
      '/v1/x': ({ method, query, header, mounted }) =>
        text(JSON.stringify([method, query.getAll('a'), header('x-one'), header('x-none') ?? null, mounted ?? false])),
    })
    const response = await handler(asked('/v1/x?a=1%20&a=2', { method: 'PUT', headers: { 'X-One': 'A' } }))
    expect(await response.json()).toEqual(['PUT', ['1 ', '2'], 'A', null, false])
  })

  it('may end in the slash that frameworks can be told to put there', async () => {
    const handler = handling({ '/v1/x': ({ query }) => text(`x?a=${query.get('a')}`), '/': () => text('front') })
    expect(await (await handler(asked('/v1/x/?a=1'))).text()).toBe('x?a=1')
    expect(await (await handler(asked('/'))).text()).toBe('front')
    expect((await handler(asked('/v1/x//'))).status).toBe(404)
  })

  it('asks the host who calls once at most, and not where nobody wants to know', async () => {
    const requests: Request[] = []
    const identify = (request: Request) => {
      requests.push(request)
      return alice()
    }
    const twice: Routes[string] = async ({ identify: who }) => {
      const [first, second] = [await who(), await who()]
      return text(String(first === second))
    }
    const handler = handling({ '/v1/open': () => text('open'), '/v1/x': twice }, { identify })
    await handler(asked('/v1/open'))
    expect(requests).toEqual([])
    const request = asked()
    expect(await (await handler(request)).text()).toBe('true')
    expect(requests).toEqual([request])
  })
})

describe('the body of a web request', () => {
  it.each([
    ['with its length announced', { 'content-length': '4' }],
    ['without', {}],
  ])('arrives whole, %s', async (_name, headers: Record<string, string>) => {
    const body = new Blob(['ab', 'cd']).stream()
    expect(await (await handling(echo(4))(posted(body, headers))).text()).toBe('abcd')
  })

  it('is refused by its announced length before a byte of it is read', async () => {
    let pulled = 0
    const pull = () => {
      pulled += 1
    }
    const body = new ReadableStream({ pull }, { highWaterMark: 0 })
    expect((await handling(echo(3))(posted(body, { 'content-length': '4' }))).status).toBe(413)
    expect(pulled).toBe(0)
  })

  it.each([
    ['not announced', {}],
    ['announced as less', { 'content-length': '2' }],
  ])('is refused where it is too large and %s', async (_name, headers: Record<string, string>) => {
    expect((await handling(echo(3))(posted(new Blob(['ab', 'cd']).stream(), headers))).status).toBe(413)
  })

  it('that never ends is read no further than to its limit', async () => {
    let pulled = 0
    const body = new ReadableStream<Uint8Array>({
      pull(queue) {
        pulled += 1
        queue.enqueue(new Uint8Array(10))
      },
    })
    expect((await handling(echo(35))(posted(body))).status).toBe(413)
    expect(pulled).toBeLessThan(10)
  })

  it('that somebody has read is refused with the remedy', async () => {
    const request = posted('abc')
    await request.text()
    const response = await handling(echo(9))(request)
    expect([response.status, await response.text()]).toEqual([400, expect.stringMatching(/or a clone of it/)])
  })

  it('that breaks off is the client leaving', async () => {
    const body = new ReadableStream({ start: (queue) => queue.error(new TypeError('the socket has gone')) })
    const response = await handling(echo(9))(posted(body))
    expect([response.status, await response.text()]).toEqual([499, expect.stringMatching(/client_closed/)])
  })
})

describe('a web response', () => {
  it('has no body for HEAD, but its length', async () => {
    const handler = handling({ '/v1/x': () => text('grün') })
    const response = await handler(asked('/v1/x', { method: 'HEAD' }))
    expect([response.body, response.headers.get('content-length')]).toEqual([null, '5'])
  })

  it('has no body for HEAD where it is a stream either, whose writer ends all the same', async () => {
    const closed = deferred<boolean>()
    const handler = handling({ '/v1/x': () => text(async (sink) => closed.resolve(sink.closed)) })
    expect((await handler(asked('/v1/x', { method: 'HEAD' }))).body).toBeNull()
    expect(await closed.promise).toBe(true)
  })

  it('fails at once, and its writer knows, where the client has gone before it began', async () => {
    const leaving = new AbortController()
    const closed = deferred<boolean>()
    const handler = handling({
      '/v1/x': () => {
        leaving.abort(new TypeError('gone'))
        return text(async (sink) => {
          await sink.write('into the void')
          closed.resolve(sink.closed)
        })
      },
    })
    const response = await handler(asked('/v1/x', { signal: leaving.signal }))
    await expect(response.text()).rejects.toThrow('gone')
    expect(await closed.promise).toBe(true)
  })

  it.each(['the request aborts', 'the reader cancels'])('ends with the call when %s', async (how) => {
    const leaving = new AbortController()
    const over = deferred<boolean>()
    const handler = handling({
      '/v1/x': ({ signal }) =>
        text(async (sink) => {
          while (!sink.closed) await sink.write(new Uint8Array(64 * 1024))
          over.resolve(signal.aborted)
        }),
    })
    const reader = (await handler(asked('/v1/x', { signal: leaving.signal }))).body!.getReader()
    await reader.read()
    if (how === 'the reader cancels') await reader.cancel()
    else leaving.abort()
    expect(await over.promise).toBe(true)
  })

  it('counts its reader as gone where nothing is taken for so long, and not while it is read', async () => {
    const gone = cancel()
    const over = deferred()
    const chunk = new Uint8Array(64 * 1_024)
    const write = async (sink: ByteSink) => {
      for (let left = 100; left > 0 && !sink.closed; left -= 1) await sink.write(chunk)
    }
    const response = toResponse(text(write), { method: 'GET', gone, stallMs: 50, ended: over.resolve })
    const reader = response.body!.getReader()
    for (let left = 20; left > 0; left -= 1) expect((await reader.read()).value).toHaveLength(chunk.length)
    expect(gone.aborted).toBe(false)
    await over.promise
    expect(gone.reason).toMatchObject({ code: 'client_closed' })
    await expect(reader.read()).rejects.toMatchObject({ code: 'client_closed' })
  })

  it('tells a server that cancels it of no error: the client had gone, and that is all', async () => {
    const leaving = new AbortController()
    const handler = handling({
      '/v1/x': ({ signal }) =>
        text((sink) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(void sink.write('x'))))),
    })
    const reader = (await handler(asked('/v1/x', { signal: leaving.signal }))).body!.getReader()
    leaving.abort()
    await reader.cancel()
    await reader.closed
    expect(await reader.read()).toMatchObject({ done: true })
  })

  it('keeps the host awake until the call is settled, which is later than its reader leaves', async () => {
    const work: Promise<void>[] = []
    const settle = deferred()
    let settled = false
    const streamed: Routes[string] = () =>
      text(async (sink) => {
        sink.write('first')
        await settle.promise
        settled = true
      })
    const waitUntil = (one: Promise<void>) => void work.push(one)
    const handler = handling({ '/v1/x': streamed, '/v1/plain': () => text('plain') }, { waitUntil })
    await (await handler(asked('/v1/x'))).body!.cancel()
    await handler(asked('/v1/plain'))
    await work[1]
    expect([work.length, settled]).toEqual([2, false])
    settle.resolve()
    await work[0]
    expect(settled).toBe(true)
  })
})

describe('who calls over fetch', () => {
  const options = { providers: [{ type: 'demo' as const }], logger: false as const }
  const models = () => asked('/v1/models')

  it('is nobody without `identify`, and the answer says what to do', async () => {
    const handler = toFetchHandler(options)
    const response = await handler(models())
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({
      error: { code: 'unauthenticated', message: expect.stringMatching(/`identify`.*`dev: true`/) },
    })
    await expect(handler.context(models()).identity()).rejects.toThrow(/`identify`/)
    await handler.gateway.close()
  })

  it.each(['options', 'gateway'])('is `anonymous` with `dev: true` in the %s', async (where) => {
    const handler = toFetchHandler(
      where === 'options' ? { ...options, dev: true } : createGateway({ ...options, dev: true }),
    )
    expect((await handler(models())).status).toBe(200)
    expect(await handler.context(models()).identity()).toMatchObject({ user: 'anonymous' })
    await handler.gateway.close()
  })

  it.each([
    [200, { host: 'localhost:3000' }],
    [200, { host: '127.0.0.1:3000', origin: 'http://localhost:3000' }],
    [200, { host: '192.168.1.5:3000' }],
    [200, { host: '[::1]:3000' }],
    [401, { host: 'evil.example:3000' }],
    [401, { host: 'localhost:3000', origin: 'https://evil.example' }],
    [401, { host: 'localhost:3000', origin: 'null' }],
    [401, { host: 'evil.example', origin: 'http://evil.example' }],
  ])('with `dev: true` no page from elsewhere gets anything: %i for %o', async (status, headers) => {
    const handler = toFetchHandler({ ...options, dev: true })
    expect((await handler(asked('/v1/models', { headers }))).status).toBe(status)
    await handler.gateway.close()
  })

  it('is whom `identify` names, for the context too', async () => {
    const identify = async (request: Request) => ({ user: request.headers.get('x-user')! })
    const handler = toFetchHandler({ ...options, identify })
    const request = asked('/v1/models', { headers: { 'x-user': 'bob' } })
    expect((await handler(request)).status).toBe(200)
    expect(await handler.context(request).identity()).toEqual({ user: 'bob' })
    await handler.gateway.close()
  })
})
