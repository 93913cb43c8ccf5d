import { createGateway, type Gateway, type GatewayRequest } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { inProcessFetch } from '../../../packages/core/src/http/in-process-fetch.js'
import { deferred } from '../../support/deferred.js'
import { fakeGateway, text } from '../../support/fake-gateway.js'

const alice = { identify: async () => ({ user: 'alice' }), requestId: 'req-7' }

function fetching(handle: (request: GatewayRequest) => ReturnType<Gateway['handle']>, caller = alice): typeof fetch {
  return inProcessFetch(handle, caller)
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('fetch in process', () => {
  it.each([
    ['a text', 'http://hoosh/v1/x?a=1'],
    ['a text without a server', '/v1/x?a=1'],
    ['another server, which does not count', 'https://example.org:8443/v1/x?a=1'],
    ['a URL', new URL('http://hoosh/v1/x?a=1')],
    ['a Request', new Request('http://hoosh/v1/x?a=1', { headers: { 'X-One': 'A' } })],
  ])('takes %s', async (_name, input) => {
    const fetch = fetching(async ({ method, path, query, header, identify, requestId, mounted }) => {
      const { user } = (await identify())!
      return text(JSON.stringify([method, path, query.get('a'), header('x-one'), user, requestId, mounted]), 201)
    })
    const init = input instanceof Request ? undefined : { headers: { 'X-One': 'A' } }
    const response = await fetch(input, init)
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.json()).toEqual(['GET', '/v1/x', '1', 'A', 'alice', 'req-7', true])
  })

  it.each([
    ['a text', () => 'abc'],
    ['bytes', () => Buffer.from('abc')],
    ['a Blob', () => new Blob(['a', 'bc'])],
    ['a stream', () => new Blob(['ab', 'c']).stream()],
    ['nothing', () => undefined],
  ])('sends %s as a body', async (name, body) => {
    const fetch = fetching(async (request) => text(await request.body.bytes(3)))
    const response = await fetch('/v1/x', { method: 'POST', body: body() ?? null, duplex: 'half' })
    expect(await response.text()).toBe(name === 'nothing' ? '' : 'abc')
  })

  it('holds a body to its limit, and reads it once', async () => {
    const { handle } = fakeGateway({ '/v1/x': async ({ body }) => text(await body.bytes(2)) })
    expect((await inProcessFetch(handle, alice)('/v1/x', { method: 'POST', body: 'abc' })).status).toBe(413)
    const twice = fakeGateway({ '/v1/x': async ({ body }) => text(`${await body.bytes(9)}${await body.bytes(9)}`) })
    expect((await inProcessFetch(twice.handle, alice)('/v1/x', { method: 'POST', body: 'abc' })).status).toBe(400)
  })

  it('serves `/v1` wherever the gateway is mounted', async () => {
    const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false, basePath: '/ai' })
    const { fetch } = gateway.as({ user: 'alice' })
    expect((await fetch('http://hoosh/v1/models')).status).toBe(200)
    await gateway.close()
  })

  it('has no body where HTTP has none', async () => {
    const fetch = fetching(async ({ method }) => text('', method === 'GET' ? 204 : 200))
    expect((await fetch('/v1/x')).body).toBeNull()
    expect((await fetch('/v1/x', { method: 'HEAD' })).body).toBeNull()
  })
})

describe('a streamed answer in process', () => {
  it('arrives as it is written', async () => {
    const fetch = fetching(async () =>
      text(async (sink) => {
        for (const part of ['a', Buffer.from('b'), 'ü']) await sink.write(part)
      }),
    )
    expect(await (await fetch('/v1/x')).text()).toBe('abü')
  })

  it('makes its writer wait for a reader that does not read', async () => {
    let written = 0
    const fetch = fetching(async () =>
      text(async (sink) => {
        for (let part = 0; part < 100; part++) {
          await sink.write(new Uint8Array(16 * 1024))
          written++
        }
      }),
    )
    const response = await fetch('/v1/x')
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(written).toBeLessThan(10)
    expect((await response.arrayBuffer()).byteLength).toBe(100 * 16 * 1024)
    expect(written).toBe(100)
  })

  it('tells its writer that the reader has cancelled, even while it waits', async () => {
    const over = deferred<[boolean, boolean]>()
    const fetch = fetching(async ({ signal }) =>
      text(async (sink) => {
        while (!sink.closed) await sink.write(new Uint8Array(64 * 1024))
        over.resolve([sink.closed, signal.aborted])
      }),
    )
    const response = await fetch('/v1/x')
    await response.body!.cancel()
    expect(await over.promise).toEqual([true, true])
  })

  it('fails where its writer fails', async () => {
    const fetch = fetching(async () =>
      text(async (sink) => {
        sink.write('part')
        throw new TypeError('a fault of the writer')
      }),
    )
    await expect((await fetch('/v1/x')).text()).rejects.toThrow('a fault of the writer')
  })

  it('ends with the signal, for the reader and for the writer', async () => {
    const controller = new AbortController()
    const over = deferred()
    const fetch = fetching(async () =>
      text(async (sink) => {
        while (!sink.closed) await sink.write(new Uint8Array(64 * 1024))
        over.resolve()
      }),
    )
    const response = await fetch('/v1/x', { signal: controller.signal })
    controller.abort()
    await expect(response.text()).rejects.toMatchObject({ name: 'AbortError' })
    await over.promise
  })
})

describe('the signal of fetch in process', () => {
  it('that is aborted already keeps the call from happening', async () => {
    let called = false
    const fetch = fetching(async () => {
      called = true
      return text('')
    })
    await expect(fetch('/v1/x', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(called).toBe(false)
  })

  it.each(['init', 'Request', 'caller'])(
    'from the %s rejects the call, which the gateway then settles',
    async (where) => {
      const controller = new AbortController()
      const { signal } = controller
      const reason = new RangeError('my reason')
      const seen = deferred<unknown>()
      const settled = deferred<boolean>()
      const handle = async (request: GatewayRequest) => {
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
        seen.resolve(request.signal.reason)
        return text(async (sink) => settled.resolve(sink.closed))
      }
      const fetch = inProcessFetch(handle, where === 'caller' ? { ...alice, signal } : alice)
      const input = where === 'Request' ? new Request('http://hoosh/v1/x', { signal }) : '/v1/x'
      const answer = fetch(input, where === 'init' ? { signal } : undefined)
      await turn()
      controller.abort(reason)
      await expect(answer).rejects.toBe(reason)
      expect(await seen.promise).toBe(reason)
      expect(await settled.promise).toBe(true)
    },
  )
})
