import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createGateway, type HooshContext } from '@hoosh/core'
import { toFetchHandler } from '@hoosh/core/fetch'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express from 'express'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deferred } from '../support/deferred.js'
import { chatOf, upstream } from '../support/door.js'
import { serve } from '../support/mounts.js'

const ask = chatOf('m')

const USES: [name: string, use: (context: HooshContext, signal?: AbortSignal) => Promise<unknown>][] = [
  ['chat', (context, signal) => context.chat(ask, signal && { signal })],
  [
    'stream',
    async (context, signal) => {
      for await (const _chunk of context.stream(ask, signal && { signal }));
    },
  ],
  ['embed', (context, signal) => context.embed({ model: 'm', input: 'x' }, signal && { signal })],
  [
    'fetch',
    (context, signal) =>
      context.fetch('http://hoosh/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(ask),
        ...(signal && { signal }),
      }),
  ],
  [
    'chat in a run',
    async (context, signal) => (await context.budget.run({ tokens: 10_000 })).chat(ask, signal && { signal }),
  ],
]

async function opened() {
  const provider = await upstream()
  const gateway = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url }],
    prices: { m: { input: '1', output: '2' } },
    logger: false,
  })
  onTestFinished(() => gateway.close({ timeoutMs: 0 }))
  return { gateway, provider }
}
const identify = async () => ({ user: 'ada' })

describe.each(USES)('the signal of a context, while %s runs,', (name, use) => {
  it.each(['the context', 'the call'])('ends it where it is that of %s, and nothing stays held', async (whose) => {
    const { gateway, provider } = await opened()
    provider.script({ fault: 'hang-before-head' })
    const [own, call] = [new AbortController(), new AbortController()]
    const context = gateway.context({ identify, signal: own.signal })
    const leaving = whose === 'the context' ? own : call
    void provider.received(1).then(() => leaving.abort(new Error('gone')))
    const ended = name === 'fetch' ? { message: 'gone' } : { code: 'client_closed' }
    await expect(use(context, call.signal)).rejects.toMatchObject(ended)
    await provider.requests[0]!.aborted
    await expect.poll(async () => (await gateway.as({ user: 'ada' }).budget.pools())[0]!.held.tokens).toBe(0)
  })

  it('that is over already, asks nobody', async () => {
    const { gateway, provider } = await opened()
    const context = gateway.context({ identify, signal: AbortSignal.abort() })
    await expect(use(context)).rejects.toThrow()
    expect(provider.requests).toHaveLength(0)
  })
})

it('a context leaves nothing behind on the signal of its caller', async () => {
  const { gateway } = await opened()
  const { signal } = new AbortController()
  let listeners = 0
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  signal.addEventListener = (...[type, listener]: Parameters<typeof add>) => {
    listeners += 1
    add(type, listener)
  }
  signal.removeEventListener = (...[type, listener]: Parameters<typeof remove>) => {
    listeners -= 1
    remove(type, listener)
  }
  for (const [, use] of USES) {
    const answer = await use(gateway.context({ identify, signal }))
    if (answer instanceof Response) await answer.text()
  }
  expect(listeners).toBe(0)
})

it('what is asked by fetch in process carries the id of its context', async () => {
  const { gateway } = await opened()
  const named = gateway.context({ identify, requestId: 'order-7' })
  expect((await named.fetch('http://hoosh/v1/models')).headers.get('x-request-id')).toBe('order-7')
  const unnamed = gateway.as({ user: 'ada' })
  expect((await unnamed.fetch('http://hoosh/v1/models')).headers.get('x-request-id')).toBe(unnamed.requestId)
})

describe('a client that leaves ends what the host asks for it', () => {
  const mounts = {
    'req.hoosh of Express': (gateway: ReturnType<typeof createGateway>, use: (context: HooshContext) => void) =>
      express()
        .use(hoosh(gateway, { identify }))
        .get('/run', (req) => use(req.hoosh)),
    'ctx.hoosh of Koa': (gateway: ReturnType<typeof createGateway>, use: (context: HooshContext) => void) =>
      new Koa()
        .use(koaHoosh(gateway, { identify }))
        .use(async (ctx) => {
          use(ctx.hoosh)
          await new Promise(() => {})
        })
        .callback(),
    'the context of node:http': (gateway: ReturnType<typeof createGateway>, use: (context: HooshContext) => void) => {
      const handler = toNodeHandler(gateway, { identify })
      return (req: IncomingMessage, res: ServerResponse) => use(handler.context(req, res))
    },
  }

  it.each(Object.entries(mounts))('by %s', async (_name, listening) => {
    const { gateway, provider } = await opened()
    provider.script({ fault: 'hang-before-head' })
    const ended = deferred<unknown>()
    const { url, close } = await serve(
      listening(gateway, (context) => void context.chat(ask).catch((thrown) => ended.resolve(thrown))),
    )
    onTestFinished(close)
    const sending = httpRequest(`${url}/run`).on('error', () => {})
    sending.end()
    await provider.received(1)
    sending.destroy()
    expect(await ended.promise).toMatchObject({ code: 'client_closed' })
    await provider.requests[0]!.aborted
  })

  it('by the context of a web request', async () => {
    const { gateway, provider } = await opened()
    provider.script({ fault: 'hang-before-head' })
    const leaving = new AbortController()
    const request = new Request('http://app.example/run', { signal: leaving.signal })
    const asked = toFetchHandler(gateway, { identify }).context(request).chat(ask)
    void provider.received(1).then(() => leaving.abort())
    await expect(asked).rejects.toMatchObject({ code: 'client_closed' })
  })

  it('but not once it has its answer', async () => {
    const { gateway, provider } = await opened()
    provider.script({ headAfterMs: 100 })
    const told = deferred<unknown>()
    const app = express().use(hoosh(gateway, { identify }))
    app.get('/run', (req, res) => {
      void req.hoosh.chat(ask).then(told.resolve, told.resolve)
      res.end()
    })
    const { url, close } = await serve(app)
    onTestFinished(close)
    await (await fetch(`${url}/run`, { headers: { connection: 'close' } })).text()
    expect(await told.promise).toMatchObject({ object: 'chat.completion' })
  })
})
