import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasFixtures, type Recorded, recorded } from '../support/fixtures.js'
import { identify, people, type Served, serve } from '../support/mounts.js'

const exchanges = [...recorded('openai-chat'), ...recorded('openai-embeddings')]

/**
 * What does not come out as it went in, and why.
 * - `usage` gains `cost_micro_usd` and `provider`: the two fields that say what the call cost.
 * - A chunk that is nothing but usage is left out where the caller had not asked for usage.
 * - A refusal keeps its status, message, code and param, in our own envelope; a provider's 429 comes as our 429.
 */
const withoutCost = (value: unknown): unknown => {
  const usage = (value as { usage?: Record<string, unknown> } | null)?.usage
  if (usage == null) return value
  const { cost_micro_usd: _cost, provider: _provider, ...rest } = usage
  return { ...(value as object), usage: rest }
}

/** What went up, but for the usage that is always asked of a stream. */
function withoutOurs(sent: Record<string, unknown>, asked: Record<string, unknown>): Record<string, unknown> {
  const { stream_options: options, ...rest } = sent
  if (asked.stream_options !== undefined || options === undefined) return sent
  expect(options).toEqual({ include_usage: true })
  return rest
}

const dataOf = (text: string): string[] =>
  text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .flatMap((event) => event.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:')))
    .map((line) => line.slice(5).trim())

const asked = (request: Record<string, unknown>) =>
  (request.stream_options as { include_usage?: boolean } | undefined)?.include_usage === true
const onlyUsage = (chunk: { usage?: unknown; choices?: unknown[] }) =>
  chunk.usage != null && (chunk.choices ?? []).length === 0

describe.skipIf(!hasFixtures)(
  `recorded exchanges come out equal (${hasFixtures ? exchanges.length : 'skipped: no recorded traffic beside the repository'})`,
  () => {
    let current: Recorded
    let sent: Record<string, unknown>
    let cut = 1
    let upstreamUrl: string
    let served: Served
    const upstream = createServer((req, res) => {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', async () => {
        sent = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
        res.writeHead(current.status, { 'content-type': current.contentType })
        const bytes = Buffer.from(current.body)
        for (let at = 0; at < bytes.length; ) {
          const size = Math.max(1, Math.min(cut, bytes.length - at))
          res.write(bytes.subarray(at, at + size))
          at += size
          cut = ((cut * 7 + 3) % 61) + 1
          if (bytes.length < 20_000 && current.contentType.startsWith('text/event-stream'))
            await new Promise(setImmediate)
        }
        res.end()
      })
    })
    const gateway = () =>
      createGateway({
        providers: [{ type: 'openai', baseUrl: upstreamUrl, local: true }],
        pools: { 'user:*': { tokens: 2 ** 40 } },
        logger: false,
      })
    let ai: ReturnType<typeof gateway>

    beforeAll(async () => {
      await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
      upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
      ai = gateway()
      served = await serve(toNodeHandler(ai, { identify }))
    })
    afterAll(async () => {
      await served.close()
      await ai.close()
      upstream.closeAllConnections()
      upstream.close()
    })

    it.each(exchanges.map((exchange) => [exchange.name, exchange] as const))('%s', async (_name, exchange) => {
      current = exchange
      const kind = exchange.dialect === 'openai-embeddings' ? 'embeddings' : 'chat/completions'
      const reply = await fetch(`${served.url}/v1/${kind}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(exchange.request),
      })
      const text = await reply.text()
      expect(reply.status).toBe(exchange.status)
      expect(withoutOurs(sent, exchange.request)).toEqual(exchange.request)
      if (exchange.status !== 200) {
        const theirs = JSON.parse(exchange.body).error
        const ours = JSON.parse(text).error
        if (exchange.status === 429) return expect(ours.type).toBe('rate_limit_error')
        expect(ours).toMatchObject({ message: theirs.message, code: theirs.code, param: theirs.param ?? null })
        return
      }
      if (!exchange.contentType.startsWith('text/event-stream')) {
        expect(withoutCost(JSON.parse(text))).toEqual(withoutCost(JSON.parse(exchange.body)))
        return
      }
      const keep = (chunk: object) => asked(exchange.request) || !onlyUsage(chunk)
      const parse = (data: string) => (data === '[DONE]' ? data : withoutCost(JSON.parse(data)))
      const recordedEvents = dataOf(exchange.body)
        .map(parse)
        .filter((chunk) => chunk === '[DONE]' || keep(chunk as object))
      expect(dataOf(text).map(parse)).toEqual(recordedEvents)
    })

    it('covers every one of them', () => {
      const providers = new Set(exchanges.map(({ provider }) => provider))
      for (const provider of providers) {
        const count = exchanges.filter((exchange) => exchange.provider === provider).length
        console.log(`OpenAI's dialect, ${provider}: ${count} of ${count} exchanges covered`)
      }
      expect(exchanges.length).toBeGreaterThan(200)
    })
  },
)
