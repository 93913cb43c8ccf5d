import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { createGateway } from '@hoosh/core'
import { fromNode, writeReply } from '@hoosh/core/node'
import { gate, scriptedProvider } from '@hoosh/core/testing'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express from 'express'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deferred } from '../support/deferred.js'
import { ask, PRICES, until } from '../support/money.js'
import { serve } from '../support/mounts.js'

const identify = async () => ({ user: 'ada' })
const BUSY = 'The host is busy.'

/** A gateway before a provider, and what is held and used of the caller's pool. */
async function opened() {
  const provider = await scriptedProvider()
  const gateway = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url }],
    pools: { '*': { tokens: 1_000_000 } },
    prices: PRICES,
    logger: false,
  })
  onTestFinished(async () => {
    await gateway.close({ timeoutMs: 0 })
    await provider.close()
  })
  const pool = async () => (await gateway.as({ user: 'ada' }).budget.pools())[0]!
  const settled = async () => {
    await until(async () => (await pool()).held.tokens === 0)
    return pool()
  }
  return { provider, gateway, settled }
}

type Opened = Awaited<ReturnType<typeof opened>>

/** Hosts that answer, or end an answer, as soon as they are told. */
const HOSTS = {
  express({ gateway }: Opened, timeout: (res: ServerResponse) => void) {
    const app = express()
    app.use((_req, res, next) => {
      timeout(res)
      next()
    })
    return serve(app.use(hoosh(gateway, { identify })))
  },
  koa({ gateway }: Opened, timeout: (res: ServerResponse) => void) {
    const app = new Koa()
    app.use((ctx, next) => {
      timeout(ctx.res)
      return next()
    })
    return serve(app.use(koaHoosh(gateway, { identify })).callback())
  },
  node({ gateway }: Opened, timeout: (res: ServerResponse) => void) {
    return serve(async (req, res) => {
      timeout(res)
      await writeReply(res, await gateway.handle(fromNode(req, res, { identify })))
    })
  },
}

const post = (url: string, body: object) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

describe.each(Object.entries(HOSTS))("on %s, a timeout of the host's own", (_, hostOf) => {
  it.each([false, true])('that answers before the provider does ends the call (stream: %s)', async (stream) => {
    const scene = await opened()
    const { provider, settled } = scene
    provider.script({ fault: 'hang-before-head' })
    const host = await hostOf(scene, (res) => {
      void provider.received(1).then(() => res.writeHead(503).end(BUSY))
    })
    onTestFinished(() => host.close())
    const answer = await post(host.url, ask({ stream }))
    expect([answer.status, await answer.text()]).toEqual([503, BUSY])
    await provider.requests[0]!.aborted
    const { used, held } = await settled()
    expect(held.tokens).toBe(0)
    expect(used.tokens).toBeGreaterThanOrEqual(provider.bill.totalTokens)
  })

  it('that ends a stream in its middle ends the call', async () => {
    const scene = await opened()
    const { provider, settled } = scene
    provider.script({ tokens: 100, holdAfter: { events: 5, gate: gate() } })
    const half = deferred<ServerResponse>()
    const host = await hostOf(scene, half.resolve)
    onTestFinished(() => host.close())
    const answer = await post(host.url, ask({ stream: true }))
    const reader = answer.body!.getReader()
    for (let said = ''; !said.includes('" four"'); ) said += Buffer.from((await reader.read()).value!).toString()
    const res = await half.promise
    res.end()
    while (!(await reader.read()).done);
    await provider.requests[0]!.aborted
    expect((await settled()).held.tokens).toBe(0)
  })
})

it('a host that ends a stream whose client does not read is not written to any more', async () => {
  const scene = await opened()
  const { provider, gateway, settled } = scene
  provider.script({ text: Array.from({ length: 2_000 }, () => ` ${'x'.repeat(20_000)}`).join('') })
  const full = deferred<ServerResponse>()
  const errors: unknown[] = []
  const host = await serve(async (req, res) => {
    res.on('error', (error) => errors.push(error))
    const reply = await gateway.handle(fromNode(req, res, { identify }))
    void until(() => res.writableNeedDrain).then(() => full.resolve(res))
    await writeReply(res, reply, { stallMs: 200 })
  })
  onTestFinished(() => host.close())
  const answer = await post(host.url, ask({ stream: true }))
  expect(answer.status).toBe(200)
  const res = await full.promise
  res.end()
  await provider.requests[0]!.aborted
  expect((await settled()).held.tokens).toBe(0)
  expect(errors).toEqual([])
})

describe('requests that were sent ahead on one connection', () => {
  it.each([false, true])('end with it, also those that wait for the answer before (stream: %s)', async (stream) => {
    const scene = await opened()
    const { provider, gateway, settled } = scene
    provider.script(
      { model: 'gpt-4o', fault: 'hang-before-head' },
      { model: 'gpt-4o-mini', fault: stream ? 'hang' : 'hang-before-head' },
    )
    const host = await HOSTS.node(scene, () => {})
    onTestFinished(() => host.close())
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1')
    await once(socket, 'connect')
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: '
    for (const model of ['gpt-4o', 'gpt-4o-mini']) {
      const body = JSON.stringify(ask({ model, stream }))
      socket.write(`${head}${body.length}\r\n\r\n${body}`)
    }
    await provider.received(2)
    socket.destroy()
    await Promise.all(provider.requests.map(({ aborted }) => aborted))
    expect((await settled()).held.tokens).toBe(0)
    await gateway.close()
  })
})
