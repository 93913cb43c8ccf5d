import { describe, expect, it, onTestFinished } from 'vitest'
import { streamed, words } from '../support/answers.js'
import { ask, MEMORY, nanoUsdOf, PROMPT, type Till, till } from '../support/money.js'

/** What the prompt of `ask` is held as where there is no tokenizer: its bytes, and the template of an open model. */
const BY_BYTES = 28 + 128 + 16
const UNKNOWN = 'a-model-of-our-own'

const open = async (tokens: number): Promise<Till> => {
  const counter = await till(MEMORY, { pools: { 'user:*': { tokens } } })
  onTestFinished(() => counter.close())
  return counter
}

// Stands first: no tokenizer has been loaded in this process.
it('an honest stream that empties its pool ends with its last token, though nothing was counted at its begin', async () => {
  const counter = await open(1_500)
  counter.provider.script({ tokens: 3_000 })
  const { said, finishes } = await streamed(counter, ask())
  expect(counter.provider.requests[0]!.body).toMatchObject({ max_tokens: 1_500 - PROMPT.bytes })
  expect(words(said)).toBe(1_500 - PROMPT.bytes)
  expect(finishes).toEqual(['length'])
  expect(await counter.pool()).toMatchObject({
    used: { tokens: counter.provider.bill.totalTokens },
    held: { tokens: 0 },
  })
})

it.each([
  ['whose tokens can be counted', 'gpt-4o', PROMPT.counted],
  ['whose tokens nobody here can count', UNKNOWN, BY_BYTES],
])('an honest stream of a model %s takes all that a nearly empty pool has', async (_, model, prompt) => {
  const counter = await open(prompt + 100)
  counter.provider.script({ tokens: 150 })
  const { said, finishes } = await streamed(counter, ask({ model }))
  expect([words(said), finishes]).toEqual([100, ['length']])
  expect(await counter.pool()).toMatchObject({
    used: { tokens: counter.provider.bill.totalTokens },
    held: { tokens: 0 },
  })
  expect(counter.events.map(({ type }) => type)).not.toContain('budget.cutoff')
})

describe.each([false, true])(
  'a provider that ignores its limit on a nearly empty pool (usage asked for: %s)',
  (asked) => {
    const asking = asked ? { stream_options: { include_usage: true } } : {}

    it.each([
      ['of a token an event', { tokens: 1_000 }],
      ['of several tokens an event', { text: 'internationalization straightforwardness '.repeat(400) }],
    ])('has its stream %s ended inside the protocol, at most one event over the hold', async (_, script) => {
      const cap = PROMPT.counted + 60
      const counter = await open(cap)
      counter.provider.script({ ...script, honoursLimit: false })
      const { finishes, usage, facts } = await streamed(counter, ask({ max_tokens: 500, ...asking }))
      await counter.provider.requests[0]!.aborted
      const { used, held } = await counter.pool()
      expect(held).toEqual({ tokens: 0, nanoUsd: 0 })
      // The event that would have passed the hold is the one that the caller does not get.
      expect(used.tokens).toBeLessThanOrEqual(cap)
      expect(used.tokens).toBeGreaterThan(cap - 8)
      expect(finishes).toEqual(['length'])
      expect(usage).toEqual(
        asked
          ? [
              {
                prompt_tokens: PROMPT.counted,
                completion_tokens: used.tokens - PROMPT.counted,
                total_tokens: used.tokens,
                cost_micro_usd: used.nanoUsd / 1_000,
                provider: 'openai',
              },
            ]
          : [],
      )
      expect(facts).toMatchObject({
        cost_micro_usd: used.nanoUsd / 1_000,
        budget_remaining: cap - used.tokens,
        limited_by: 'budget',
      })
      expect(counter.events.map(({ type }) => type)).toContain('budget.cutoff')
      expect(counter.events.map(({ type }) => type)).not.toContain('budget.overrun')
    })
  },
)

it('a stream whose tokens nobody here can count is ended by its events, each of which is one at least', async () => {
  const counter = await open(BY_BYTES + 60)
  counter.provider.script({ tokens: 1_000, honoursLimit: false })
  const { said, finishes, isDone } = await streamed(counter, ask({ model: UNKNOWN }))
  expect([words(said), finishes, isDone]).toEqual([60, ['length'], true])
  expect(await counter.pool()).toMatchObject({ used: { tokens: BY_BYTES + 60 }, held: { tokens: 0 } })
})

it('a plain answer beyond its limit is charged as it was, and flagged with what was not held', async () => {
  const cap = PROMPT.counted + 60
  const counter = await open(cap)
  counter.provider.script({ tokens: 200, honoursLimit: false })
  const reply = await counter.call(ask())
  expect(reply.status).toBe(200)
  const truth = PROMPT.billed + 200
  expect((await counter.pool()).used.tokens).toBe(truth)
  const overrun = { tokens: truth - cap, nanoUsd: nanoUsdOf(PROMPT.billed, 200) - nanoUsdOf(PROMPT.counted, 60) }
  expect(counter.events).toContainEqual({
    type: 'budget.overrun',
    requestId: reply.headers.get('x-request-id'),
    ...overrun,
  })
  const [entry] = await counter.vault.storage.budgets.entries('user:alice', { limit: 1 })
  expect(entry).toMatchObject({ kind: 'settled', amount: { tokens: truth }, overrun })
  expect((await counter.call(ask())).status).toBe(429)
})
