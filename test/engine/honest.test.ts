import fc from 'fast-check'
import { request } from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { promptBound } from '../../packages/core/src/context/estimate.js'
import { tokenFacts } from '../../packages/core/src/context/token-facts.js'
import { headersOf, MEMORY, till } from '../support/money.js'

const LONG = process.env.HOOSH_LONG === '1'
const RUNS = LONG ? 1_000 : 50
/** Calls in one pool, which mostly is too small for them. */
const CALLS = 20

/** One tokenizer is known, one is not; one model thinks before it speaks. */
const MODELS = ['gpt-4o', 'a-model-of-our-own', 'o3-mini']

const oneCall = fc.record({
  model: fc.constantFrom(...MODELS),
  stream: fc.boolean(),
  words: fc.integer({ min: 1, max: 30 }),
  limit: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
  choices: fc.constantFrom(1, 1, 1, 3),
  answer: fc.integer({ min: 1, max: 120 }),
  /** It does not wait for the ones before it. */
  atOnce: fc.boolean(),
})

type OneCall = typeof oneCall extends fc.Arbitrary<infer Call> ? Call : never

const bodyOf = ({ model, stream, words, limit, choices }: OneCall) => ({
  model,
  stream,
  messages: [{ role: 'user', content: 'sea '.repeat(words).trim() }],
  ...(choices > 1 && { n: choices }),
  ...(limit !== undefined && { max_completion_tokens: limit }),
})

/** The least that a call takes: its prompt, and the fewest output tokens that are worth it. */
async function leastOf(call: OneCall): Promise<number> {
  const body = bodyOf(call)
  const prompt = await promptBound(body, tokenFacts({ type: 'openai', local: false }, call.model)).exact()
  return prompt + Math.min((call.limit ?? Infinity) * call.choices, Math.max(16, call.choices))
}

it('a provider that honours its limit is never paid more than was held, and whoever could have an answer gets one', async () => {
  const counter = await till(MEMORY, { pools: (name) => ({ tokens: Number(name.split(':')[1]) }), audit: false })
  onTestFinished(() => counter.close())
  const { provider } = counter
  let runs = 0
  let answered = 0
  let refused = 0

  const make = async (call: OneCall, pool: string) => {
    const reply = await request(`${counter.url}/v1/chat/completions`, {
      method: 'POST',
      headers: headersOf({ pools: [pool] }),
      body: JSON.stringify(bodyOf(call)),
    })
    const text = await reply.body.text()
    if (reply.statusCode === 200) answered += 1
    else {
      refused += 1
      const { error } = JSON.parse(text) as { error: { code: string; available: number } }
      expect(error.code).toBe('budget_exceeded')
      expect(error.available).toBeLessThan(await leastOf(call))
    }
  }

  const calls = fc.array(oneCall, { minLength: CALLS, maxLength: CALLS })
  await fc.assert(
    fc.asyncProperty(calls, fc.integer({ min: 100, max: 2_000 }), async (all, cap) => {
      runs += 1
      const pool = `run-${runs}:${cap}`
      provider.reset()
      provider.script(...all.map(({ answer }) => ({ tokens: answer })))
      let running: Promise<void>[] = []
      for (const call of all) {
        if (!call.atOnce) {
          await Promise.all(running)
          running = []
        }
        running.push(make(call, pool))
      }
      await Promise.all(running)
      const { used, held } = await counter.pool(pool)
      expect(held).toEqual({ tokens: 0, nanoUsd: 0 })
      expect(used.tokens).toBeLessThanOrEqual(cap)
      expect(used.tokens).toBeGreaterThanOrEqual(provider.bill.totalTokens)
    }),
    { numRuns: RUNS },
  )
  expect(counter.events.filter(({ type }) => type === 'budget.overrun')).toEqual([])
  expect(answered + refused).toBeGreaterThanOrEqual(RUNS * CALLS)
  expect(Math.min(answered, refused)).toBeGreaterThan(RUNS)
}, 120_000)
