import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createGateway, type Gateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { gate } from '@hoosh/core/testing'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express from 'express'
import Koa from 'koa'
import { request } from 'undici'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { takenApart } from '../support/answers.js'
import { deferred } from '../support/deferred.js'
import {
  ask,
  headersOf,
  identify,
  MEMORY,
  PROMPT,
  STORES,
  type StoreKind,
  type Till,
  till,
  until,
} from '../support/money.js'
import { serve } from '../support/mounts.js'

const open = async (kind: StoreKind = MEMORY, more: Parameters<typeof till>[1] = {}) => {
  const counter = await till(kind, { pools: { 'user:*': { tokens: 10_000 } }, ...more })
  onTestFinished(() => counter.close())
  return counter
}

/** The pool by its store: the gateway itself answers no more. */
async function poolOf({ vault }: Till) {
  const [state] = await vault.storage.budgets.list({ limit: 1, now: Date.now() })
  return { used: state?.used.tokens ?? 0, held: state?.held.tokens ?? 0 }
}

it.each(STORES)(
  'a gateway that closes lets a running stream finish, and takes no new call, on $name',
  async (store) => {
    const counter = await open(store)
    const middle = gate()
    counter.provider.script({ holdAfter: { events: 6, gate: middle } })
    const running = await counter.call(ask({ stream: true }))
    await middle.reached
    const closing = counter.gateway.close()
    for (const body of [ask(), ask({ stream: true })]) {
      const refused = await counter.call(body)
      expect(refused.status).toBe(503)
      expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down', type: 'api_error' } })
      expect(refused.headers.get('retry-after')).toBe('1')
    }
    middle.open()
    const { said, isDone } = takenApart(running, await running.text())
    expect([said.split(' ').length - 1, isDone]).toEqual([16, true])
    await closing
    expect(counter.provider.bill.attempts).toBe(1)
  },
)

it('a plain call that runs is answered too', async () => {
  const counter = await open()
  counter.provider.hold()
  const running = counter.call(ask())
  await counter.provider.received(1)
  const closing = counter.gateway.close()
  counter.provider.release()
  expect((await running).status).toBe(200)
  await closing
  expect(await poolOf(counter)).toEqual({ used: counter.provider.bill.totalTokens, held: 0 })
})

it('what still runs at the limit ends: a stream with an error that clients raise, charged what was made', async () => {
  const counter = await open()
  counter.provider.script({ fault: 'hang', faultAfter: 6 })
  const running = await counter.call(ask({ stream: true }))
  await counter.provider.received(1)
  const text = running.text()
  await until(() => counter.provider.bill.completionTokens === 5)
  await counter.gateway.close({ timeoutMs: 50 })
  expect(takenApart(running, await text)).toMatchObject({ isDone: false, error: { code: 'shutting_down' } })
  await counter.provider.requests[0]!.aborted
  expect(await poolOf(counter)).toEqual({ used: PROMPT.counted + 5, held: 0 })
  expect(counter.vault.records()).toMatchObject([{ outcome: 'error' }])
})

it('and a plain call with an error that nobody repeats, as it may have been billed', async () => {
  const counter = await open()
  counter.provider.script({ fault: 'hang-before-head' })
  const running = counter.call(ask())
  await counter.provider.received(1)
  await counter.gateway.close({ timeoutMs: 50 })
  const reply = await running
  expect(reply.status).toBe(503)
  expect(await reply.json()).toMatchObject({ error: { code: 'shutting_down' } })
  expect(reply.headers.get('x-should-retry')).toBe('false')
  expect(await poolOf(counter)).toEqual({ used: PROMPT.bytes, held: 0 })
})

describe.each(STORES)('a call that the close meets on its way, on $name', (store) => {
  const meeting = async (where: 'beforeCall' | 'reserve', audit: false | object) => {
    const met = gate()
    const counter = await open(store, {
      audit,
      ...(where === 'beforeCall' && { hooks: { beforeCall: () => met.wait() } }),
      storage: (opened) => ({
        ...opened,
        budgets: {
          ...opened.budgets,
          async reserve(request) {
            if (where === 'reserve') await met.wait()
            return opened.budgets.reserve(request)
          },
        },
      }),
    })
    return { counter, met }
  }

  it.each([
    ['before its hold', 'beforeCall', {}],
    ['while it takes its hold', 'reserve', {}],
    ['before its hold, without an audit log', 'beforeCall', false],
  ] as const)('%s, is waited for', async (_, where, audit) => {
    const { counter, met } = await meeting(where, audit)
    const running = counter.call(ask())
    await met.reached
    const closing = counter.gateway.close()
    met.open()
    expect((await running).status).toBe(200)
    await closing
    expect(await poolOf(counter)).toEqual({ used: counter.provider.bill.totalTokens, held: 0 })
  })
})

it('a call that is still on its way at the limit never reaches the provider', async () => {
  const met = gate()
  const counter = await open(MEMORY, { audit: false, hooks: { beforeCall: () => met.wait() } })
  const running = counter.call(ask())
  await met.reached
  await counter.gateway.close({ timeoutMs: 20 })
  met.open()
  const reply = await running
  expect([reply.status, counter.provider.bill.attempts]).toEqual([503, 0])
  expect(await reply.json()).toMatchObject({ error: { code: 'shutting_down' } })
  expect(await poolOf(counter)).toEqual({ used: 0, held: 0 })
})

it('a call whose body comes after the close is refused like any other', async () => {
  const counter = await open()
  const [known, sent] = [deferred(), gate()]
  const served = await serve(
    toNodeHandler(counter.gateway, {
      identify: (req) => {
        known.resolve()
        return identify(req)
      },
    }),
  )
  onTestFinished(() => served.close())
  const body = JSON.stringify(ask())
  const running = request(`${served.url}/v1/chat/completions`, {
    method: 'POST',
    headers: headersOf(),
    body: Readable.from(
      (async function* () {
        yield Buffer.from(body.slice(0, 10))
        await sent.wait()
        yield Buffer.from(body.slice(10))
      })(),
    ),
  })
  await known.promise
  const closing = counter.gateway.close()
  sent.open()
  const reply = await running
  await closing
  expect([reply.statusCode, counter.provider.bill.attempts]).toEqual([503, 0])
})

it('closing twice is closing once', async () => {
  const counter = await open()
  await (await counter.call(ask())).text()
  await Promise.all([counter.gateway.close(), counter.gateway.close()])
  await counter.gateway.close()
  expect((await counter.call(ask())).status).toBe(503)
})

describe('the connection of whoever is refused', () => {
  const closed = async () => {
    const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false })
    await gateway.close()
    return gateway
  }

  it.each([
    ['Express', (gateway: Gateway) => express().use(hoosh(gateway))],
    ['Koa', (gateway: Gateway) => new Koa().use(koaHoosh(gateway)).callback()],
    ['node:http', (gateway: Gateway) => toNodeHandler(gateway)],
  ])('is given up, so that his next request goes to another instance, on %s', async (_name, listener) => {
    const { url, close } = await serve(listener(await closed()))
    onTestFinished(close)
    const { status, headers } = await fetch(`${url}/v1/models`)
    expect([status, headers.get('connection')]).toEqual([503, 'close'])
    const alive = await fetch(`${url}/v1/health`)
    expect([alive.status, alive.headers.get('connection')]).toEqual([200, 'keep-alive'])
  })

  it('is left alone over HTTP/2, which has no such header', async () => {
    const handler = toNodeHandler(await closed())
    const server = createServer((req, res) => handler(req as never, res as never))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      session.destroy()
      server.close()
    })
    const warned = vi.fn()
    process.on('warning', warned)
    const stream = session.request({ ':path': '/v1/models' })
    const [headers] = await once(stream, 'response')
    stream.resume()
    await once(stream, 'end')
    process.off('warning', warned)
    expect([headers[':status'], headers.connection, warned.mock.calls]).toEqual([503, undefined, []])
  })
})
