import type { HooshEvent, HooshOptions } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { streamed } from '../support/answers.js'
import { ask, billed, MEMORY, PROMPT, STORES, till } from '../support/money.js'

const open = async (options: Omit<HooshOptions, 'storage'>, store = MEMORY) => {
  const counter = await till(store, options)
  onTestFinished(() => counter.close())
  return counter
}

const WITH_USAGE = { stream_options: { include_usage: true } }
const micro = (nanoUsd: number) => nanoUsd / 1_000

describe.each(STORES)('what an answer says of its bill, on $name', (store) => {
  const pools = { 'user:*': { tokens: 10_000 }, 'team:*': { usd: '0.5', tokens: 2_000 } }
  const chain = ['user:alice', 'team:red']

  it('plain: cost and provider in its usage, cost and what is left in its headers', async () => {
    const counter = await open({ pools }, store)
    counter.provider.script({ tokens: 33 })
    const reply = await counter.call(ask(), { pools: chain })
    const { usage } = (await reply.json()) as { usage: object }
    const bill = billed(counter.provider.bill)
    for (const name of chain) expect((await counter.pool(name)).used).toEqual(bill)
    expect(usage).toMatchObject({
      prompt_tokens: PROMPT.billed,
      completion_tokens: 33,
      total_tokens: bill.tokens,
      cost_micro_usd: micro(bill.nanoUsd),
      provider: 'openai',
    })
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'x-hoosh-cost-micro-usd': String(micro(bill.nanoUsd)),
      'x-hoosh-budget-remaining': String(2_000 - bill.tokens),
      'x-hoosh-budget-remaining-usd': String(0.5 - bill.nanoUsd / 1e9),
      'x-hoosh-cache': 'MISS',
      'x-hoosh-route': 'openai',
    })
    expect(reply.headers.has('x-hoosh-limited-by')).toBe(false)
  })

  it.each([
    ['asked for its usage', WITH_USAGE, 1],
    ['not asked for it', {}, 0],
  ])('streamed, %s: the same in a comment before [DONE]', async (_, more, usages) => {
    const counter = await open({ pools }, store)
    counter.provider.script({ tokens: 33, usage: 'two-frames' })
    const { facts, usage, reply } = await streamed(counter, ask(more), { pools: chain })
    const bill = billed(counter.provider.bill)
    // Before its last words a stream is settled.
    for (const name of chain) expect(await counter.pool(name)).toMatchObject({ used: bill, held: { tokens: 0 } })
    expect(facts).toEqual({
      cost_micro_usd: micro(bill.nanoUsd),
      budget_remaining: 2_000 - bill.tokens,
      budget_remaining_usd: 0.5 - bill.nanoUsd / 1e9,
      cache: 'MISS',
    })
    expect(usage.length > 0).toBe(usages > 0)
    if (usages > 0) expect(usage.at(-1)).toMatchObject({ cost_micro_usd: micro(bill.nanoUsd), provider: 'openai' })
    expect([reply.headers.get('x-hoosh-route'), reply.headers.get('x-hoosh-cache')]).toEqual(['openai', 'MISS'])
  })

  it('embeddings say it as plain answers do', async () => {
    const counter = await open({ pools }, store)
    const reply = await counter.call(
      { model: 'text-embedding-3-small', input: ['one', 'two words'] },
      { path: 'embeddings', pools: chain },
    )
    const bill = billed(counter.provider.bill)
    expect(await reply.json()).toMatchObject({ usage: { cost_micro_usd: micro(bill.nanoUsd), provider: 'openai' } })
    expect(reply.headers.get('x-hoosh-budget-remaining')).toBe(String(2_000 - bill.tokens))
    expect((await counter.pool('team:red')).used).toEqual(bill)
  })
})

it('a pool without a cap has nothing left to tell', async () => {
  const counter = await open({ pools: { 'user:*': {} } })
  const reply = await counter.call(ask())
  expect([...reply.headers.keys()].filter((name) => name.startsWith('x-hoosh-budget'))).toEqual([])
  const { facts } = await streamed(counter, ask())
  expect(Object.keys(facts!)).toEqual(['cost_micro_usd', 'cache'])
})

it.each([
  ['plain', false],
  ['streamed', true],
])('a failover that may have been billed is in the cost that a %s answer says', async (_, stream) => {
  const counter = await open({ pools: { 'user:*': { tokens: 10_000 } } })
  counter.provider.script({ model: 'gpt-4o', fault: 'reset-before-head' }, { tokens: 5 })
  const body = ask({ stream, fallbacks: ['gpt-4.1'], ...(stream && WITH_USAGE) })
  const text = await (await counter.call(body)).text()
  expect(counter.provider.bill.attempts).toBe(2)
  const { used } = await counter.pool()
  expect(used.tokens).toBe(PROMPT.bytes + PROMPT.billed + 5)
  expect(used.nanoUsd).toBe(PROMPT.bytes * 2_500 + PROMPT.billed * 2_500 + 5 * 10_000)
  expect(text.match(/"cost_micro_usd":[\d.]+/g)).toEqual(
    Array.from({ length: stream ? 2 : 1 }, () => `"cost_micro_usd":${micro(used.nanoUsd)}`),
  )
})

describe('an answer that our limit ended', () => {
  const cap = { 'user:*': { tokens: PROMPT.counted + 20 } }

  it('says so, plain', async () => {
    const counter = await open({ pools: cap })
    counter.provider.script({ tokens: 100 })
    const reply = await counter.call(ask({ max_tokens: 90 }))
    expect(counter.provider.requests[0]!.body).toMatchObject({ max_tokens: 20 })
    expect(await reply.json()).toMatchObject({ choices: [{ finish_reason: 'length' }] })
    expect(reply.headers.get('x-hoosh-limited-by')).toBe('budget')
  })

  it.each(['gpt-4o', 'o3-mini'])('says so, streamed by %s', async (model) => {
    const counter = await open({ pools: cap })
    counter.provider.script({ tokens: 100 })
    const { facts, finishes } = await streamed(counter, { ...ask({ model }), max_completion_tokens: 90 })
    expect(finishes).toEqual(['length'])
    expect(facts).toMatchObject({ limited_by: 'budget' })
  })

  it.each([
    ["the caller's own limit ended it", { max_tokens: 10 }, 100],
    ['it ended by itself', {}, 10],
  ])('does not say so where %s', async (_, more, tokens) => {
    const counter = await open({ pools: cap })
    counter.provider.script({ tokens }, { tokens })
    expect((await counter.call(ask(more))).headers.has('x-hoosh-limited-by')).toBe(false)
    const fresh = await open({ pools: cap })
    fresh.provider.script({ tokens })
    expect((await streamed(fresh, ask(more))).facts).not.toHaveProperty('limited_by')
  })
})

describe('warnings', () => {
  const warningsOf = (events: readonly HooshEvent[]) =>
    events.flatMap((event) => (event.type === 'budget.warning' ? [[event.threshold, event.pool.name]] : []))

  it.each([
    ['in tokens', { tokens: 1_000 }],
    ['in dollars', { usd: 0.01 }],
  ])('come once at 80 and once at 95 % of a cap %s, with the pool as it stands', async (_, spec) => {
    const counter = await open({ pools: { 'user:*': spec } })
    let used = 0
    const cap = 'tokens' in spec ? 1_000 : spec.usd * 1e9
    const unit = 'tokens' in spec ? 'tokens' : 'nanoUsd'
    const seen: unknown[] = []
    while (used < 0.95 * cap) {
      counter.provider.script({ tokens: 30 })
      expect((await counter.call(ask({ max_tokens: 40 }))).status).toBe(200)
      const before = used
      used = (await counter.pool()).used[unit]
      for (const threshold of [80, 95])
        if (before < (cap * threshold) / 100 && used >= (cap * threshold) / 100) seen.push([threshold, 'user:alice'])
      expect(warningsOf(counter.events)).toEqual(seen)
    }
    expect(seen).toHaveLength(2)
    const last = counter.events.filter(({ type }) => type === 'budget.warning').at(-1)
    expect(last).toMatchObject({ pool: { name: 'user:alice', held: { [unit]: 0 }, capacity: { [unit]: cap } } })
  })

  it('one call that crosses both lines warns of the higher one, in each pool that it crosses them in', async () => {
    const counter = await open({ pools: { 'user:*': { tokens: 200 }, 'team:*': { tokens: 10_000 } } })
    counter.provider.script({ tokens: 190, honoursLimit: false })
    await (await counter.call(ask(), { pools: ['team:red', 'user:alice'] })).text()
    expect(warningsOf(counter.events)).toEqual([[95, 'user:alice']])
  })
})

describe('soft enforcement', () => {
  const soft = { pools: { 'user:*': { tokens: 60 } }, budget: { enforcement: 'soft' } } as const

  it.each([false, true])('never cuts an answer, charges the truth and flags it (stream: %s)', async (stream) => {
    const counter = await open(soft)
    counter.provider.script({ tokens: 300 })
    const reply = await counter.call(ask({ stream }))
    const text = await reply.text()
    expect(text).toContain('"finish_reason":"stop"')
    expect(counter.provider.requests[0]!.body).not.toHaveProperty('max_tokens')
    const { used, held } = await counter.pool()
    expect({ used, held }).toEqual({ used: billed(counter.provider.bill), held: { tokens: 0, nanoUsd: 0 } })
    const flags = counter.events.map(({ type }) => type)
    expect(flags).toContain('budget.overrun')
    expect(flags).not.toContain('budget.cutoff')
    const [entry] = await counter.vault.storage.budgets.entries('user:alice', { limit: 1 })
    expect(entry!.overrun.tokens).toBeGreaterThan(0)
  })

  it('lets calls in as long as anything is left, and nobody after that', async () => {
    const counter = await open(soft)
    counter.provider.script({ tokens: 52 })
    await (await counter.call(ask())).text()
    expect((await counter.pool()).available).toEqual({ tokens: 1 })
    await (await counter.call(ask())).text()
    const refused = await counter.call(ask())
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ error: { code: 'budget_exceeded', available: 0 } })
  })
})

it.each(['zero', 'negative', 'fractional', 'two-frames'] as const)(
  'an event with nothing but usage (%s) is none of a caller that has not asked for it',
  async (claim) => {
    const counter = await open({ pools: { 'user:*': { tokens: 10_000 } } })
    counter.provider.script({ usage: claim })
    const { usage, events, isDone } = await streamed(counter, ask())
    expect([usage, isDone]).toEqual([[], true])
    expect(events.filter((event) => event.includes('"choices":[]'))).toEqual([])
  },
)
