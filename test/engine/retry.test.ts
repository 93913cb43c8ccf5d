import type { Script } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { againAfter } from '../../packages/core/src/inference/retry.js'
import { failureOfConnection } from '../../packages/core/src/providers/failures.js'
import { retryBudget } from '../../packages/core/src/routing/retry-budget.js'
import { chat, door, errorOf, upstream, whoAnswered } from '../support/door.js'
import { pair, poolOf, settledPool } from '../support/pair.js'

const STREAMED = [false, true]
const soon = (status: number, ms = 20, more: Script = {}): Script => ({
  status,
  headers: { 'retry-after-ms': String(ms) },
  ...more,
})

const single = async (...scripts: Script[]) => {
  const provider = await upstream()
  provider.script(...scripts)
  const to = await door({ providers: [{ type: 'openai', name: 'main', baseUrl: provider.url }] })
  return { to, provider }
}

describe.each(STREAMED)('the same route once more (stream: %s)', (stream) => {
  it.each([429, 503, 529])('after a %s that says soon', async (status) => {
    const { to, provider } = await single(soon(status))
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('main')
    expect(provider.requests).toHaveLength(2)
    expect((await settledPool(to)).used).toBe(provider.bill.totalTokens)
  })

  it.each([429, 500, 503])('never after a %s that says nothing', async (status) => {
    const { to, provider } = await single({ status })
    expect((await chat(to, 'm', { stream })).status).toBeGreaterThanOrEqual(429)
    expect(provider.requests).toHaveLength(1)
  })

  it.each([
    ['0', 2],
    ['0.5', 2],
    ['5', 1],
    ['1000000000', 1],
    ['-3', 1],
    ['soon', 1],
    ['Thu, 01 Jan 2026 00:00:00 GMT', 2],
    ['Thu, 01 Jan 2026 00:10:00 GMT', 1],
  ])('Retry-After: %s makes %s requests', async (header, requests) => {
    const { to, provider } = await single({ status: 429, headers: { 'retry-after': header } })
    await chat(to, 'm', { stream })
    expect(provider.requests).toHaveLength(requests)
  })

  it('a second time it fails for good', async () => {
    const { to, provider } = await single(soon(503), soon(503))
    expect(errorOf(await chat(to, 'm', { stream })).code).toBe('provider_error')
    expect(provider.requests).toHaveLength(2)
  })

  it('only after all others, and with at most three requests for a call', async () => {
    const { to, main, spare } = await pair()
    main.script(soon(503), soon(503))
    spare.script(soon(503), soon(503))
    expect(errorOf(await chat(to, 'm', { stream })).code).toBe('provider_error')
    expect(main.requests.length + spare.requests.length).toBe(3)
  })

  it('nothing is asked again once the answer has begun', async () => {
    const { to, provider } = await single({ tokens: 20, fault: 'reset', faultAfter: 5 })
    await chat(to, 'm', { stream: true })
    expect(provider.requests).toHaveLength(1)
  })
})

describe('what an attempt again costs', () => {
  it('is held before it is sent, where the one before may have been billed', async () => {
    // 502 without JSON may have been billed, and says soon.
    const { to, provider } = await single(soon(502, 10, { body: '<html>' }))
    const first = await poolOf(to)
    expect(first.reserved).toBe(0)
    expect(whoAnswered(await chat(to, 'gpt-4o', { max_tokens: 50 }))).toBe('main')
    const { used } = await settledPool(to)
    expect(used).toBeGreaterThan(provider.bill.totalTokens)
  })

  it('cannot be held: then there is none', async () => {
    const provider = await upstream()
    provider.script(soon(502, 10, { body: '<html>' }))
    const to = await door({
      providers: [{ type: 'openai', name: 'main', baseUrl: provider.url }],
      pools: { 'user:*': { tokens: 80 } },
    })
    const reply = await chat(to, 'gpt-4o', { max_tokens: 100 })
    expect([reply.status, provider.requests.length]).toEqual([502, 1])
  })

  it('of time has to fit into the deadline of the call', async () => {
    const provider = await upstream()
    provider.script(soon(503, 900))
    const to = await door({
      providers: [{ type: 'openai', name: 'main', baseUrl: provider.url }],
      deadlines: { totalMs: 800 },
    })
    expect((await chat(to, 'm')).status).toBe(502)
    expect(provider.requests).toHaveLength(1)
  })
})

describe('which failures come again', () => {
  const candidate = {} as never
  const context = { routeName: 'main', clean: (text: string) => text }
  const lost = (code: string, sent: boolean) =>
    againAfter(failureOfConnection(Object.assign(new Error('x'), { code }), sent, context), candidate, 7)

  it('a connection that went away before anything was sent', () => {
    for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
      expect(lost(code, false)).toEqual({ candidate, at: 7 })
  })

  it('not one on which something was sent, nor one that was never made', () => {
    for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']) expect(lost(code, true)).toBe(null)
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT']) expect(lost(code, false)).toBe(null)
  })
})

describe('the retry budget', () => {
  it('lets extra attempts through for less than a tenth of the calls', () => {
    const budget = retryBudget()
    let extra = 0
    for (let call = 0; call < 10_000; call += 1) {
      budget.earn()
      if (budget.spend()) extra += 1
    }
    expect(extra).toBeGreaterThan(700)
    expect(extra).toBeLessThan(900)
  })

  it('has three for a start, and saves up no more than ten', () => {
    const budget = retryBudget()
    expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([true, true, true, false])
    for (let call = 0; call < 10_000; call += 1) budget.earn()
    let saved = 0
    while (budget.spend()) saved += 1
    expect(saved).toBe(10)
  })
})

it('who comes while all are left alone is told of the first that may be asked again, whichever was asked', async () => {
  const { to, main, spare } = await pair()
  main.script(soon(429, 30_000), soon(429, 30_000))
  spare.script(soon(429, 7_000))
  const waits = [await chat(to, 'm'), await chat(to, 'm')].map(({ headers }) => headers.get('retry-after'))
  expect(waits).toEqual(['7', '7'])
})
