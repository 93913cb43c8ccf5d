import { type ClientHttp2Session, connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createGateway, type Gateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { gate, scriptedProvider } from '@hoosh/core/testing'
import { hoosh } from '@hoosh/koa'
import Koa from 'koa'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { question } from './case.js'

type Listener = Parameters<typeof createServer>[1]

const ended: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

async function session(listener: Listener): Promise<ClientHttp2Session> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  ended.push(
    () => server.close(),
    () => client.destroy(),
  )
  return client
}

function sent(client: ClientHttp2Session, path: string, body?: object) {
  const stream = client.request({
    ':path': path,
    ':method': body === undefined ? 'GET' : 'POST',
    'content-type': 'application/json',
  })
  stream.on('error', () => {}) // it is left
  stream.end(body && JSON.stringify(body))
  return stream.setEncoding('utf8')
}

async function answer(client: ClientHttp2Session, path: string, body?: object): Promise<string> {
  let text = ''
  for await (const chunk of sent(client, path, body)) text += chunk
  return text
}

async function started() {
  const provider = await scriptedProvider()
  const gateway = createGateway({
    logger: false,
    providers: [{ type: 'openai', baseUrl: provider.url, apiKey: 'x' }],
    pools: { 'user:*': {} },
  })
  ended.push(
    () => provider.close(),
    () => gateway.close(),
  )
  return { provider, gateway }
}

const identify = () => ({ user: 'ada', pool: 'user:ada' })

const MOUNTS: readonly { name: string; on(gateway: Gateway): Listener }[] = [
  { name: 'node:http2', on: (gateway) => toNodeHandler(gateway, { identify }) as unknown as Listener },
  { name: 'Koa', on: (gateway) => new Koa().use(hoosh(gateway, { identify })).callback() as unknown as Listener },
]

describe.each(MOUNTS)('over HTTP/2, on $name', ({ on }) => {
  it('answers, whole and event by event', async () => {
    const { gateway } = await started()
    const client = await session(on(gateway))
    expect(JSON.parse(await answer(client, '/v1/chat/completions', question()))).toMatchObject({
      object: 'chat.completion',
    })
    expect(await answer(client, '/v1/chat/completions', question({ stream: true }))).toMatch(/data: \[DONE\]\n\n$/)
  })

  it.each([
    ['a stream', { stream: true }],
    ['a plain call', {}],
  ])('who leaves %s ends it at the provider, and nothing is held any more', async (_what, more) => {
    const { gateway, provider } = await started()
    const client = await session(on(gateway))
    const rest = gate()
    onTestFinished(() => rest.open())
    provider.script(
      'stream' in more ? { tokens: 100, holdAfter: { events: 5, gate: rest } } : { fault: 'hang-before-head' },
    )
    const stream = sent(client, '/v1/chat/completions', question(more))
    if ('stream' in more) await once(stream, '" four"')
    else await provider.received(1)
    stream.close()
    await provider.requests[0]!.aborted
    const held = async () => (await gateway.as(identify()).budget.pools())[0]!.held.tokens
    await expect.poll(held).toBe(0)
  })

  it('who leaves a stream without reading it holds nothing any more', async () => {
    const { gateway, provider } = await started()
    const client = await session(on(gateway))
    provider.script({ text: Array.from({ length: 500 }, () => ` ${'.'.repeat(5_000)}`).join('') })
    const stream = sent(client, '/v1/chat/completions', question({ stream: true, max_tokens: 1_000_000 }))
    stream.pause()
    await provider.received(1)
    stream.close()
    await provider.requests[0]!.aborted
    const held = async () => (await gateway.as(identify()).budget.pools())[0]!.held.tokens
    await expect.poll(held).toBe(0)
  })
})

it('a caller on this machine is known over HTTP/2 too', async () => {
  const { gateway } = await started()
  const client = await session(toNodeHandler(gateway) as unknown as Listener)
  expect(JSON.parse(await answer(client, '/v1/models'))).toMatchObject({ object: 'list' })
  const elsewhere = client.request({ ':path': '/v1/models', ':authority': 'app.example.org' }).setEncoding('utf8')
  let text = ''
  for await (const chunk of elsewhere) text += chunk
  expect(JSON.parse(text)).toMatchObject({ error: { code: 'unauthenticated' } })
})

async function once(stream: ReturnType<typeof sent>, text: string): Promise<void> {
  let all = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    all += chunk
    if (all.includes(text)) return
  }
}
