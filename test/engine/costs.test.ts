import type { Script } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, STORES, till } from '../support/money.js'
import { randomFrom } from '../support/random.js'

const SEEDS = process.env.HOOSH_LONG === '1' ? 100 : 5
const CALLS = 30
const CAP = 4_000

const good: Script[] = [
  {},
  { tokens: 40 },
  { usage: 'missing' },
  { usage: 'two-frames' },
  { tokens: 120, honoursLimit: false },
  { usage: { prompt_tokens: 7, completion_tokens: 900 } },
]
const bad: Script[] = [
  { status: 400 },
  { status: 500 },
  { status: 429 },
  { fault: 'reset-before-head' },
  { fault: 'reset', faultAfter: 6 },
  { fault: 'eof', faultAfter: 6 },
  { fault: 'html' },
]

interface Costs {
  total_requests: number
  total_prompt_tokens: number
  total_completion_tokens: number
  total_cost_nano_usd: number
  records: {
    total_input_tokens: number
    total_output_tokens: number
    request_count: number
    total_cost_nano_usd: number
  }[]
}

const sum = (figures: readonly number[]) => figures.reduce((all, one) => all + one, 0)

describe.each(STORES)('after a random mix of calls, on $name', (store) => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'the costs are what the usage records say and what the pool has used (seed %s)',
    async (seed) => {
      const random = randomFrom(seed)
      const counter = await till(store, { pools: { 'user:*': { tokens: CAP, usd: 1 } } })
      onTestFinished(() => counter.close())
      const one = async () => {
        const leaving = new AbortController()
        const leaves = random.chance(0.1)
        // Some calls fail over to another model.
        const [fails, failsOver] = [random.chance(0.4), random.chance(0.3)]
        const scripts = [...(fails ? [random.pick(bad)] : []), random.pick(good), random.pick(good)]
        counter.provider.reset()
        counter.provider.script(...(leaves ? [{ fault: 'hang', faultAfter: 6 } as const] : scripts))
        const isEmbedding = random.chance(0.2)
        const body = isEmbedding
          ? { model: 'text-embedding-3-small', input: 'Say something about the sea.' }
          : ask({
              stream: random.chance(0.5),
              ...(random.chance(0.5) && { max_tokens: random.between(1, 60) }),
              ...(failsOver && { fallbacks: ['gpt-4.1', 'gpt-4'] }),
            })
        const call = counter.call(body, {
          signal: leaving.signal,
          ...(isEmbedding && { path: 'embeddings' }),
        })
        if (leaves) {
          await Promise.race([counter.provider.received(1), call])
          leaving.abort()
          await call.then((reply) => reply.text()).catch(() => {})
        } else await (await call).text()
        // After a failure, so that no three stand side by side and open the route's circuit.
        counter.provider.reset()
        await (await counter.call(ask({ max_tokens: 1 }))).text()
      }
      for (let call = 0; call < CALLS; call += 1) await one()

      const { used, held } = await counter.settled()
      expect(held).toEqual({ tokens: 0, nanoUsd: 0 })
      const records = counter.vault.records()
      const costs = await counter.get<Costs>('/v1/costs')
      const tokens = sum(records.flatMap(({ usage }) => Object.values(usage)))
      expect({
        requests: costs.total_requests,
        tokens: costs.total_prompt_tokens + costs.total_completion_tokens,
        nanoUsd: costs.total_cost_nano_usd,
      }).toEqual({ requests: records.length, tokens, nanoUsd: sum(records.map(({ nanoUsd }) => nanoUsd)) })
      expect({ tokens, nanoUsd: costs.total_cost_nano_usd }).toEqual(used)
      expect(sum(costs.records.map(({ request_count }) => request_count))).toBe(costs.total_requests)
      expect(sum(costs.records.map((row) => row.total_input_tokens + row.total_output_tokens))).toBe(tokens)
      expect(used.tokens).toBeGreaterThan(CAP / 8)
    },
  )
})
