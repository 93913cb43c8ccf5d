import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { ByteSink, CancelSignal, GatewayRequest, HooshError } from '@hoosh/core'
import { fromNode, toNodeHandler, writeReply } from '@hoosh/core/node'
import { afterEach, describe, expect, it } from 'vitest'
import { deferred } from '../../support/deferred.js'
import { fakeGateway, text } from '../../support/fake-gateway.js'
import { type Served, serve } from '../../support/mounts.js'

const MiB = 1024 * 1024
const servers: Served[] = []

afterEach(async () => {
  for (const served of servers.splice(0)) await served.close()
})

type Routes = Parameters<typeof fakeGateway>[0]

async function serving(routes: Routes): Promise<string> {
  const served = await serve(toNodeHandler(fakeGateway(routes), { identify: () => ({ user: 'u' }) }))
  servers.push(served)
  return served.url
}

/** A client that does exactly what the test says, and no HTTP of its own. */
async function rawClient(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function readAll(socket: Socket): Promise<string> {
  let all = ''
  for await (const chunk of socket.setEncoding('latin1')) all += chunk
  return all
}

const echo = (maxBytes: number) => async (request: GatewayRequest) =>
  text(Buffer.from(await request.body.bytes(maxBytes)).toString())

describe('a request', () => {
  it('has the path, the query and the headers that were sent', async () => {
    const url = await serving({
      '/v1/x': ({ method, query, header, mounted }) =>
        text(
          JSON.stringify([
            method,
            query.get('a'),
            query.getAll('b'),
            header('x-one'),
            header('x-none') ?? null,
            mounted,
          ]),
        ),
    })
    const response = await fetch(`${url}/v1/x?a=1%20&b=2&b=3?`, { method: 'PUT', headers: { 'X-One': 'A' } })
    expect(await response.json()).toEqual(['PUT', '1 ', ['2', '3?'], 'A', null, false])
  })

  it('may name its server in the target, as proxies do', async () => {
    const url = await serving({ '/v1/x': ({ query }) => text(`a=${query.get('a')}`) })
    const socket = await rawClient(url)
    socket.write('GET http://example.org:80/v1/x?a=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(await readAll(socket)).toMatch(/a=1$/)
  })

  it('asks the host who calls once at most, and not where nobody wants to know', async () => {
    let asked = 0
    const gateway = fakeGateway({
      '/v1/open': () => text('open'),
      '/v1/twice': async ({ identify }) => {
        const [first, second] = [await identify(), await identify()]
        return text(String(first === second))
      },
    })
    const served = await serve(
      toNodeHandler(gateway, {
        identify: () => {
          asked++
          return { user: 'u' }
        },
      }),
    )
    servers.push(served)
    await fetch(`${served.url}/v1/open`)
    expect(asked).toBe(0)
    expect(await (await fetch(`${served.url}/v1/twice`)).text()).toBe('true')
    expect(asked).toBe(1)
  })
})

describe('a body', () => {
  it('arrives whole, in however many pieces it came', async () => {
    const url = await serving({ '/v1/echo': echo(MiB) })
    const socket = await rawClient(url)
    socket.write('POST /v1/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n')
    for (const letter of 'abc') socket.write(`1\r\n${letter}\r\n`)
    socket.write('0\r\n\r\n')
    expect(await readAll(socket)).toMatch(/\r\n\r\nabc$/)
  })

  it.each<[string, (req: IncomingMessage) => void]>([
    ['paused', (req) => req.pause()],
    ['told to be text', (req) => req.setEncoding('utf8')],
    ['told to be hexadecimal', (req) => req.setEncoding('hex')],
  ])('that the host has %s arrives whole', { timeout: 5_000 }, async (_what, touch) => {
    const handler = toNodeHandler(fakeGateway({ '/v1/echo': echo(MiB) }), { identify: () => ({ user: 'u' }) })
    const served = await serve((req, res) => {
      touch(req)
      handler(req, res)
    })
    servers.push(served)
    const response = await fetch(`${served.url}/v1/echo`, { method: 'POST', body: 'ü–a' })
    expect(await response.text()).toBe('ü–a')
  })

  it('may be empty', async () => {
    const url = await serving({ '/v1/echo': echo(10) })
    const response = await fetch(`${url}/v1/echo`, { method: 'POST' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })

  it('is refused by its announced length before a byte of it is read', async () => {
    const url = await serving({ '/v1/echo': echo(10) })
    const socket = await rawClient(url)
    socket.write('POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 [\s\S]*body_too_large/)
    socket.destroy()
  })

  it('is refused as soon as it grows too large, and the client that still sends gets its answer', async () => {
    const url = await serving({ '/v1/echo': echo(MiB) })
    const socket = await rawClient(url)
    socket.write('POST /v1/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
    const answer = once(socket, 'data')
    const piece = `100000\r\n${'x'.repeat(MiB)}\r\n`
    for (let sent = 0; sent < 16; sent++) {
      if (!socket.write(piece)) await once(socket, 'drain')
    }
    expect(String(await answer)).toMatch(/^HTTP\/1\.1 413 /)
    // The rest was let go, so the connection serves the next request.
    socket.write('0\r\n\r\nPOST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
    expect(await readAll(socket)).toMatch(/\r\n\r\nok$/)
  })

  it('that stops in the middle is the client leaving', async () => {
    let reading: Promise<unknown> | undefined
    const started = deferred()
    const url = await serving({
      '/v1/echo': async (request) => {
        reading = request.body.bytes(MiB)
        started.resolve()
        await reading
        return text('')
      },
    })
    const socket = await rawClient(url)
    socket.write('POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf')
    await started.promise
    socket.destroy()
    await expect(reading).rejects.toMatchObject({ code: 'client_closed' })
  })

  it('is at hand where a host keeps it, as bytes or as text', async () => {
    for (const left of [Buffer.from('kept'), 'kept']) {
      const served = await serve(async (req, res) => {
        for await (const _ of req);
        const request = fromNode(req, res, { identify: () => null, body: left })
        writeReply(res, await echo(10)(request))
      })
      servers.push(served)
      expect(await (await fetch(served.url, { method: 'POST', body: 'gone' })).text()).toBe('kept')
    }
  })

  it('that was read by somebody who kept nothing is refused with the remedy, not waited for', async () => {
    const served = await serve(async (req, res) => {
      for await (const _ of req);
      const request = fromNode(req, res, { identify: () => null })
      const refusal = await request.body.bytes(10).catch((error: Error) => error.message)
      writeReply(res, text(String(refusal)))
    })
    servers.push(served)
    expect(await (await fetch(served.url, { method: 'POST', body: 'gone' })).text()).toMatch(/mount hoosh before/)
  })
})

describe('an answer', () => {
  it('has its length, keeps the connection, and has no body for HEAD', async () => {
    const url = await serving({ '/v1/x': () => text('grün'), '/v1/none': () => ({ ...text('', 204) }) })
    const socket = await rawClient(url)
    socket.write('HEAD /v1/x HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/none HTTP/1.1\r\nhost: x\r\n\r\n')
    socket.write('GET /v1/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    const [head, none, get] = (await readAll(socket)).split(/(?=HTTP\/1\.1 )/)
    expect(head).toMatch(/content-length: 5\r\n[\s\S]*\r\n\r\n$/i)
    expect(none).not.toMatch(/content-length|transfer-encoding/i)
    expect(Buffer.from(get!.split('\r\n\r\n')[1]!, 'latin1').toString()).toBe('grün')
  })

  it('is left out where the host has answered meanwhile, but its writer still runs', async () => {
    let closed: boolean | undefined
    const served = await serve(async (_req, res) => {
      res.end('timeout')
      writeReply(res, text('late'))
      await writeReply(
        res,
        text(async (sink) => {
          sink.write('late')
          closed = sink.closed
        }),
      )
    })
    servers.push(served)
    expect(await (await fetch(served.url)).text()).toBe('timeout')
    expect(closed).toBe(true)
  })
})

describe('a stream', () => {
  it('sends its headers before its first byte', async () => {
    const finish = deferred()
    const url = await serving({
      '/v1/s': () =>
        text(async (sink) => {
          await finish.promise
          sink.write('done')
        }),
    })
    const response = await fetch(`${url}/v1/s`)
    expect(response.status).toBe(200)
    finish.resolve()
    expect(await response.text()).toBe('done')
  })

  it('is cut off, not ended, where its writer fails', async () => {
    const url = await serving({
      '/v1/s': () =>
        text(async (sink) => {
          sink.write('part')
          throw new TypeError('a fault of the writer')
        }),
    })
    await expect(fetch(`${url}/v1/s`).then((response) => response.text())).rejects.toThrow()
  })

  it('tells its writer that the client has gone, by the sink and by the signal', async () => {
    const seen = deferred<{ code: unknown; closed: boolean }>()
    const url = await serving({
      '/v1/s': ({ signal }) =>
        text(async (sink) => {
          sink.write('first')
          await new Promise<void>((resolve) => signal.addEventListener('abort', resolve))
          seen.resolve({ code: (signal.reason as HooshError).code, closed: sink.closed })
          sink.write('into the void')
        }),
    })
    const socket = await rawClient(url)
    socket.write('GET /v1/s HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    expect(await seen.promise).toEqual({ code: 'client_closed', closed: true })
  })

  it('does not abort because a body has been read, nor after a whole answer', async () => {
    const signals: CancelSignal[] = []
    const url = await serving({
      '/v1/s': async ({ body, signal }) => {
        signals.push(signal)
        await body.bytes(100)
        return text(async (sink) => {
          // The request closes here, long before its client goes.
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
          sink.write(String(signal.aborted))
        })
      },
    })
    expect(await (await fetch(`${url}/v1/s`, { method: 'POST', body: 'x' })).text()).toBe('false')
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  })

  it('finds a signal aborted that is first asked for after the client has gone', async () => {
    const seen = deferred<boolean>()
    const served = await serve((req, res) => {
      const request = fromNode(req, res, { identify: () => null })
      res.once('close', () => seen.resolve(request.signal.aborted))
    })
    servers.push(served)
    const socket = await rawClient(served.url)
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n', () => socket.destroy())
    expect(await seen.promise).toBe(true)
  })
})

describe('a client that does not read', () => {
  const chunk = new Uint8Array(64 * 1024)

  async function pour(sink: ByteSink, limit: number): Promise<number> {
    let poured = 0
    while (!sink.closed && poured < limit) {
      const wait = sink.write(chunk)
      poured += chunk.byteLength
      if (wait !== undefined) await wait
    }
    return poured
  }

  it('makes the writer wait with little queued, and is cut off when it stalls', async () => {
    let poured = 0
    let queued = 0
    const over = deferred<void>()
    const served = await serve(async (_req, res) => {
      const watched = res.write.bind(res) as (piece: Uint8Array) => boolean
      res.write = ((piece: Uint8Array) => {
        const more = watched(piece)
        queued = Math.max(queued, res.writableLength)
        return more
      }) as typeof res.write
      await writeReply(
        res,
        text(async (sink) => {
          poured = await pour(sink, 200 * MiB)
        }),
        { stallMs: 100 },
      )
      over.resolve()
    })
    servers.push(served)
    const socket = await rawClient(served.url)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await over.promise
    expect(poured).toBeLessThan(32 * MiB) // what the kernel's buffers take
    expect(queued).toBeLessThanOrEqual(256 * 1024)
    socket.destroy()
  })

  it('is cut off too while the rest of a whole answer is queued', async () => {
    const gone = deferred()
    const served = await serve((_req, res) => {
      res.once('close', gone.resolve)
      writeReply(res, text('x'.repeat(64 * MiB)), { stallMs: 100 })
    })
    servers.push(served)
    const socket = await rawClient(served.url)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await gone.promise
    expect((await readAll(socket)).length).toBeLessThan(32 * MiB)
  })

  it('that reads slowly gets every byte in order', async () => {
    const url = await serving({
      '/v1/s': () =>
        text(async (sink) => {
          for (let part = 0; part < 200; part++)
            await sink.write(`${String(part).padStart(3, '0')}${'.'.repeat(65_533)}`)
        }),
    })
    const parts: string[] = []
    let rest = ''
    const response = await fetch(`${url}/v1/s`)
    for await (const piece of response.body!) {
      rest += Buffer.from(piece).toString('latin1')
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (let at = 0; at < rest.length; at += 65_536) parts.push(rest.slice(at, at + 3))
    expect(parts).toEqual(Array.from({ length: 200 }, (_, part) => String(part).padStart(3, '0')))
  })
})
