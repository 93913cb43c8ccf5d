import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway, type Gateway, type ProviderOptions } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasFixtures, type Recorded, recorded } from '../../support/fixtures.js'
import { identify, people, type Served, serve } from '../../support/mounts.js'
import { randomFrom } from '../../support/random.js'
import { messageOf, type Said, saidBy } from './said.js'

/** How recorded traffic of one dialect is asked for in OpenAI's, and what of it has to come out equal. */
export interface DialectReplay {
  /** As the recordings name it. */
  readonly dialect: string
  readonly type: ProviderOptions['type']
  /** The request of OpenAI's dialect that means the same, or why there is none. */
  toOpenAI(exchange: Recorded): Record<string, unknown> | { readonly uncovered: string }
  /** A request in a form that is equal for requests that mean the same. */
  meaning(request: Record<string, unknown>, exchange: Recorded): unknown
  /** The path that has to be asked. */
  path(exchange: Recorded): string
  /** What the recorded answer says, read by other means than the gateway's. */
  said(exchange: Recorded): Said
  /** For dialects whose answers have to come back as they were: the recorded one, and what a request says of it. */
  readonly back?: {
    answered(exchange: Recorded): unknown
    /** The end of the last turn of the model. */
    sentBack(request: Record<string, unknown>, exchange: Recorded): unknown
  }
}

/** Every recorded exchange of a dialect through a whole gateway; prints what is covered and why the rest is not. */
export function replays(replay: DialectReplay): void {
  const all = recorded(replay.dialect)
  const asked = all.map((exchange) => ({ exchange, params: replay.toOpenAI(exchange) }))
  const covered = asked.filter(({ params }) => !('uncovered' in params))
  const seed = Date.now() % 1_000_000
  const title = hasFixtures
    ? `${covered.length} of ${all.length} exchanges, seed ${seed}`
    : 'skipped: no recordings here'
  describe.skipIf(!hasFixtures)(`${replay.dialect}: ${title}`, () => {
    const wire = replayWire(replay, seed)
    beforeAll(wire.open)
    afterAll(wire.close)

    it('covers at least 95 % of the recordings', () => {
      for (const { exchange, params } of asked)
        if ('uncovered' in params) console.log(`not covered: ${exchange.name}: ${params.uncovered}`)
      for (const provider of new Set(all.map((exchange) => exchange.provider))) {
        const own = asked.filter(({ exchange }) => exchange.provider === provider)
        const there = own.filter(({ params }) => !('uncovered' in params))
        console.log(`${replay.dialect}, ${provider}: ${there.length} of ${own.length} exchanges covered`)
        expect(there.length / own.length).toBeGreaterThanOrEqual(0.95)
      }
    })

    it.each(covered.map(({ exchange, params }) => [exchange.name, exchange, params] as const))(
      '%s',
      async (_name, exchange, params) => {
        const { reply, text, seen } = await wire.exchange(exchange, params)
        expect(seen?.path).toBe(replay.path(exchange))
        expect(replay.meaning(seen!.body, exchange)).toEqual(replay.meaning(exchange.request, exchange))
        if (exchange.status !== 200) return expectRefusal(exchange, reply.status, text)
        expect(reply.status, text).toBe(200)
        expect(reply.headers.get('x-hoosh-dropped')).toBe(null)
        const type = reply.headers.get('content-type') ?? ''
        expect(saidBy(text, type)).toEqual(replay.said(exchange))
        if (replay.back === undefined) return
        const next = await wire.exchange(exchange, { ...params, messages: continued(params, messageOf(text, type)) })
        expect(replay.back.sentBack(next.seen!.body, exchange)).toEqual(replay.back.answered(exchange))
      },
    )
  })
}

/** The conversation with the answer in it, as a client goes on. */
function continued(params: Record<string, unknown>, message: ReturnType<typeof messageOf>): unknown[] {
  const calls = message.tool_calls ?? []
  const rest =
    calls.length === 0
      ? [{ role: 'user', content: 'Go on.' }]
      : calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'done' }))
  return [...(params.messages as unknown[]), message, ...rest]
}

/** A refusal comes as ours with the provider's own words; our own account's trouble is not told. */
function expectRefusal(exchange: Recorded, status: number, text: string): void {
  const theirs = JSON.parse(exchange.body) as { error: { message: string } }
  const { error } = JSON.parse(text) as { error: { message: string } }
  expect(status).toBe(exchange.status)
  expect(error.message).toContain(theirs.error.message)
}

interface Seen {
  readonly path: string
  readonly body: Record<string, unknown>
}

/** A gateway in front of a server that answers with what was recorded, cut at random places. */
function replayWire({ type }: DialectReplay, seed: number) {
  const random = randomFrom(seed)
  let current: Recorded
  let seen: Seen | null = null
  let ai: Gateway
  let served: Served
  const upstream = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    seen = { path: req.url!, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> }
    res.writeHead(current.status, { 'content-type': current.contentType })
    const bytes = Buffer.from(current.body)
    const largest = random.pick([1, 7, 60, 4_000]) * (bytes.length > 50_000 ? 40 : 1)
    for (let at = 0; at < bytes.length; ) {
      const size = random.between(1, largest)
      res.write(bytes.subarray(at, at + size))
      at += size
      if (random.chance(0.2)) await new Promise(setImmediate)
    }
    res.end()
  })
  return {
    async open() {
      await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
      const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
      ai = createGateway({
        providers: [{ type, baseUrl, local: true, apiKey: 'sk-key-of-the-route' }],
        pools: { 'user:*': { tokens: 2 ** 40 } },
        logger: false,
      })
      served = await serve(toNodeHandler(ai, { identify }))
    },
    async close() {
      await served.close()
      await ai.close()
      upstream.closeAllConnections()
      upstream.close()
    },
    async exchange(exchange: Recorded, params: Record<string, unknown>) {
      current = exchange
      seen = null
      const kind = 'messages' in params ? 'chat/completions' : 'embeddings'
      const reply = await fetch(`${served.url}/v1/${kind}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(params),
      })
      return { reply, text: await reply.text(), seen: seen as Seen | null }
    },
  }
}
