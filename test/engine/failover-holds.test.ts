import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, MEMORY, PROMPT, till } from '../support/money.js'

/** The same prompt for a model whose tokens nobody here can count: bytes, and the template of an open model. */
const BY_BYTES = 28 + 128 + 16
const UNKNOWN = 'a-model-of-our-own'
const OUTPUT = 20

const open = async (tokens: number) => {
  const counter = await till(MEMORY, { pools: { 'user:*': { tokens } } })
  onTestFinished(() => counter.close())
  return counter
}

const body = (stream: boolean) => ask({ model: 'gpt-4o', fallbacks: [UNKNOWN], max_tokens: OUTPUT, stream })

describe.each([
  ['plain', false],
  ['streamed', true],
])('a %s call that fails over', (_, stream) => {
  it('to a model with another tokenizer holds the prompt as that one may count it', async () => {
    const counter = await open(BY_BYTES + OUTPUT)
    // More than the first model's tokenizer counts.
    const usage = { prompt_tokens: 100, completion_tokens: OUTPUT }
    counter.provider.script({ model: 'gpt-4o', status: 500 }, { model: UNKNOWN, tokens: 90, usage })
    const reply = await counter.call(body(stream))
    expect([reply.status, (await reply.text()).includes('"finish_reason":"length"')]).toEqual([200, true])
    expect(await counter.pool()).toMatchObject({ used: { tokens: 100 + OUTPUT }, held: { tokens: 0 } })
    expect(counter.events.map(({ type }) => type)).not.toContain('budget.overrun')
  })

  it('does not where the pool cannot hold that', async () => {
    const counter = await open(BY_BYTES + OUTPUT - 1)
    counter.provider.script({ model: 'gpt-4o', status: 500 })
    const reply = await counter.call(body(stream))
    expect(reply.status).toBe(502)
    expect(await reply.json()).toMatchObject({ error: { code: 'provider_error' } })
    expect(counter.provider.bill.attempts).toBe(1)
    expect(await counter.pool()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })

  it('after an attempt that may have been billed holds both, or does not', async () => {
    for (const [room, attempts] of [
      [2 * PROMPT.counted + OUTPUT, 2],
      [2 * PROMPT.counted + OUTPUT - 1, 1],
    ] as const) {
      const counter = await open(room)
      counter.provider.script({ model: 'gpt-4o', fault: 'reset-before-head' }, { model: 'gpt-4.1', tokens: 90 })
      const reply = await counter.call(ask({ fallbacks: ['gpt-4.1'], max_tokens: OUTPUT, stream }))
      await reply.text()
      expect([reply.status, counter.provider.bill.attempts]).toEqual([attempts === 2 ? 200 : 502, attempts])
      const { used } = await counter.pool()
      expect(used.tokens).toBe(PROMPT.counted + (attempts === 2 ? PROMPT.billed + OUTPUT : 0))
      if (attempts === 1) expect(reply.headers.get('x-should-retry')).toBe('false')
      expect(counter.events.map(({ type }) => type)).not.toContain('budget.overrun')
    }
  })
})

it('a stream that fails over to a model that thinks gives it no more than is held, since thoughts cannot be watched', async () => {
  const counter = await open(3_000)
  counter.provider.script({ model: 'gpt-4o', status: 500 }, { model: 'o3-mini', tokens: 5 })
  const reply = await counter.call({ ...ask({ fallbacks: ['o3-mini'], stream: true }), max_completion_tokens: 2_500 })
  expect(reply.status).toBe(200)
  await reply.text()
  const limits = counter.provider.requests.map(({ body }) => (body as Record<string, unknown>).max_completion_tokens)
  // An answer that can be watched may take what the pool has; one that cannot gets the grant.
  expect(limits).toEqual([2_500, 1_024])
})

it('a model is never asked for more output than it has', async () => {
  const counter = await open(100_000)
  counter.provider.script({ model: 'gpt-4.1', status: 500 })
  await (await counter.call(ask({ model: 'gpt-4.1', fallbacks: ['gpt-3.5-turbo'], max_tokens: 30_000 }))).text()
  const [first, second] = counter.provider.requests.map(({ body }) => (body as { max_tokens?: number }).max_tokens)
  expect(first).toBeGreaterThan(4_096)
  expect(second).toBe(4_096)
})
