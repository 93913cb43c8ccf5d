import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createGateway } from '@hoosh/core'
import { fromNode, writeReply } from '@hoosh/core/node'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { loadTokenizer } from '../../packages/core/src/context/tokenizer.js'
import { deferred } from '../support/deferred.js'
import { ask, identify, MEMORY, PROMPT, STORES, till } from '../support/money.js'
import { serve } from '../support/mounts.js'

const MiB = 1024 * 1024
/** How soon a provider hears that its caller has gone, ms. */
const SOON = 250
/** A machine that does other things too may miss it once. */
const BUSY = { retry: 2 }

// The provider of these tests lives in the gateway's process, which loading stops for a while.
beforeAll(() => loadTokenizer('o200k_base').then(() => undefined))

/** A client that does exactly what the test says. */
async function rawCall(url: string, body: Record<string, unknown>): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  const text = JSON.stringify(body)
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  )
  return socket
}

async function untilItSaid(socket: Socket, text: string): Promise<void> {
  let said = ''
  while (!said.includes(text)) said += String((await once(socket, 'data'))[0])
}

describe.each(STORES)('a client that hangs up, on $name', (store) => {
  const open = async () => {
    const counter = await till(store, { pools: { 'user:*': { tokens: 1_000_000 } } })
    onTestFinished(() => counter.close())
    return counter
  }

  it.each([
    ['before the head of a plain answer', false, { fault: 'hang-before-head' }, null, PROMPT.bytes],
    ['before the head of a stream', true, { fault: 'hang-before-head' }, null, PROMPT.bytes],
    ['in the middle of a stream', true, { fault: 'hang', faultAfter: 6 }, 'five', PROMPT.counted + 5],
    ['before the first word of a stream', true, { fault: 'hang', faultAfter: 1 }, 'assistant', PROMPT.counted],
  ] as const)(
    '%s ends the provider at once and is charged what was made',
    BUSY,
    async (_, stream, script, said, charge) => {
      const counter = await open()
      counter.provider.script(script)
      const socket = await rawCall(counter.url, ask({ stream }))
      await counter.provider.received(1)
      if (said !== null) await untilItSaid(socket, said)
      const left = performance.now()
      socket.destroy()
      await counter.provider.requests[0]!.aborted
      expect(counter.provider.requests[0]!.abortedAt! - left).toBeLessThan(SOON)
      const { used } = await counter.settled()
      expect(used.tokens).toBe(charge)
      expect(used.tokens).toBeGreaterThanOrEqual(counter.provider.bill.totalTokens)
      expect(counter.vault.records()).toMatchObject([{ outcome: 'aborted' }])
    },
  )

  it('while the key of the provider is fetched holds nothing any more, and reaches no provider', async () => {
    const asked = deferred()
    const apiKey = () => {
      asked.resolve()
      return new Promise<string>(() => {})
    }
    const provider = { type: 'openai' as const, baseUrl: 'http://127.0.0.1:9/v1', apiKey }
    const counter = await till(store, { providers: [provider], pools: { 'user:*': { tokens: 1_000_000 } } })
    onTestFinished(() => counter.close())
    const socket = await rawCall(counter.url, ask())
    await asked.promise
    socket.destroy()
    expect(await counter.settled()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })

  it('before the request has arrived costs nothing and never reaches the provider', async () => {
    const counter = await open()
    const socket = connect(Number(new URL(counter.url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"model":"gpt-4o",')
    socket.destroy()
    await (await counter.call(ask())).text()
    expect(counter.provider.bill.attempts).toBe(1)
    expect((await counter.settled()).used.tokens).toBe(counter.provider.bill.totalTokens)
  })
})

describe('a client that does not read', () => {
  const word = 'x'.repeat(16_384)
  const event = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [{ index: 0, delta: { content: word }, finish_reason: null }] })}\n\n`

  /** A provider that pushes as long as somebody takes, up to far more than all buffers on the way can hold. */
  async function pushing() {
    const gone = deferred<number>()
    const full = deferred()
    let taken = 0
    const server = createServer(async (req, res) => {
      let closed = false
      res.on('close', () => {
        closed = true
        gone.resolve(performance.now())
      })
      for await (const _ of req);
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      while (!closed && taken < 128 * MiB) {
        taken += event.length
        if (res.write(event)) continue
        // Nobody has taken anything for so many turns: all the way to the client is full.
        let turns = 0
        const isDrained = await new Promise<boolean>((resolve) => {
          const look = () => {
            turns += 1
            if (res.writableNeedDrain && turns < 20_000 && !closed) setImmediate(look)
            else resolve(!res.writableNeedDrain)
          }
          look()
        })
        if (isDrained) continue
        full.resolve()
        await once(res, 'drain').catch(() => {})
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      full: full.promise,
      gone: gone.promise,
      taken: () => taken,
    }
  }

  it('is sent no more than buffers hold, and hangs up as fast as any other', async () => {
    const provider = await pushing()
    const counter = await till(MEMORY, {
      providers: [{ type: 'openai', baseUrl: provider.url }],
      pools: { 'user:*': { tokens: 1_000_000_000 } },
    })
    onTestFinished(() => counter.close())
    const socket = await rawCall(counter.url, ask({ stream: true }))
    socket.pause()
    await provider.full
    expect(provider.taken()).toBeLessThan(32 * MiB) // what the kernel's buffers take, two connections long
    const left = performance.now()
    socket.destroy()
    expect((await provider.gone) - left).toBeLessThan(SOON)
    const { used, held } = await counter.settled()
    expect(held.tokens).toBe(0)
    expect(used.tokens).toBeGreaterThan(PROMPT.counted)
    expect(counter.vault.records()).toMatchObject([{ outcome: 'aborted' }])
  })

  it('is cut off when it stalls, and the provider with it', async () => {
    const provider = await pushing()
    const { storage } = await MEMORY.open()
    const gateway = createGateway({
      providers: [{ type: 'openai', baseUrl: provider.url }],
      pools: { 'user:*': { tokens: 1_000_000_000 } },
      storage,
      logger: false,
    })
    const served = await serve(async (req, res) => {
      const reply = await gateway.handle(fromNode(req, res, { identify: () => identify(req) }))
      await writeReply(res, reply, { stallMs: 100 })
    })
    onTestFinished(async () => {
      await served.close()
      await gateway.close()
    })
    const socket = await rawCall(served.url, ask({ stream: true }))
    socket.pause()
    await provider.gone
    expect(provider.taken()).toBeLessThan(32 * MiB)
    socket.destroy()
  })
})
