import { gate, type Script, type ScriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, upstream, whoAnswered } from '../support/door.js'
import { settledPool } from '../support/pair.js'

const SOON = 15

async function racing(afterMs: number | null, more: { concurrency?: number; tokens?: number } = {}) {
  const main = await upstream()
  const spare = await upstream()
  const { concurrency, tokens = 1_000_000 } = more
  const to = await door({
    providers: [
      {
        type: 'openai',
        name: 'main',
        baseUrl: main.url,
        priority: 1,
        ...(afterMs !== null && { hedge: { afterMs } }),
        ...(concurrency !== undefined && { concurrency }),
      },
      { type: 'openai', name: 'spare', baseUrl: spare.url, ...(concurrency !== undefined && { concurrency }) },
    ],
    pools: { 'user:*': { tokens } },
  })
  return { to, main, spare }
}

const truth = (...providers: ScriptedProvider[]) => providers.reduce((sum, { bill }) => sum + bill.totalTokens, 0)
const health = async (to: Door) =>
  ((await to.get('/v1/health/providers', { as: 'admin' })).body as { consecutive_failures: number }[]).map(
    (row) => row.consecutive_failures,
  )

describe.each([false, true])('hedging (stream: %s)', (stream) => {
  const ask = { stream, max_tokens: 50 }

  it('a slow first candidate is joined by the second, which wins; both are paid for', async () => {
    const { to, main, spare } = await racing(SOON)
    const held = gate()
    main.script({ holdHead: held })
    const reply = await chat(to, 'm', ask)
    expect(whoAnswered(reply)).toBe('spare')
    await main.requests[0]!.aborted
    held.open()
    expect([main.requests.length, spare.requests.length]).toEqual([1, 1])
    const pool = await settledPool(to)
    expect(pool.used).toBeGreaterThanOrEqual(truth(main, spare))
    expect(pool.used).toBeGreaterThan(spare.bill.totalTokens)
    expect(await health(to)).toEqual([0, 0])
  })

  it('the first candidate may still win; the second is hung up on', async () => {
    const { to, main, spare } = await racing(SOON)
    const [first, second] = [gate(), gate()]
    main.script({ holdHead: first })
    spare.script({ holdHead: second })
    const asking = chat(to, 'm', ask)
    await second.reached
    first.open()
    expect(whoAnswered(await asking)).toBe('main')
    await spare.requests[0]!.aborted
    second.open()
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(truth(main, spare))
    const { entries } = (await to.get('/v1/audit?event=inference.response')).body as {
      entries: { metadata: Record<string, unknown> }[]
    }
    expect(entries[0]!.metadata).toMatchObject({ route: 'main', attempts: 2 })
  })

  it('a first candidate in time is alone, and so is one without `hedge`', async () => {
    for (const afterMs of [60_000, null]) {
      const { to, spare } = await racing(afterMs)
      expect(whoAnswered(await chat(to, 'm', ask))).toBe('main')
      expect(spare.requests).toHaveLength(0)
    }
  })

  it.each<[string, Script]>([
    ['fails free of charge', { status: 503 }],
    ['fails, and may have been billed', { fault: 'reset-before-head' }],
  ])('where one %s the other answers', async (_what, script) => {
    const { to, main, spare } = await racing(SOON)
    const [first, second] = [gate(), gate()]
    main.script({ holdHead: first, ...script })
    spare.script({ holdHead: second })
    const asking = chat(to, 'm', ask)
    await second.reached
    first.open()
    second.open()
    expect(whoAnswered(await asking)).toBe('spare')
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(truth(main, spare))
  })

  it('where both fail the call fails, once', async () => {
    const { to, main, spare } = await racing(SOON)
    const [first, second] = [gate(), gate()]
    main.script({ holdHead: first, status: 503 })
    spare.script({ holdHead: second, status: 503 })
    const asking = chat(to, 'm', ask)
    await second.reached
    first.open()
    second.open()
    const reply = await asking
    expect([reply.status, errorOf(reply).code]).toEqual([502, 'provider_error'])
    expect(await settledPool(to)).toMatchObject({ used: 0, reserved: 0 })
    expect(await health(to)).toEqual([1, 1])
  })

  it('what cannot be held for both is not sent twice', async () => {
    const { to, main, spare } = await racing(SOON, { tokens: 200 })
    main.script({ headAfterMs: 4 * SOON })
    expect(whoAnswered(await chat(to, 'm', ask))).toBe('main')
    expect(spare.requests).toHaveLength(0)
  })

  it('places are given back, whoever wins', async () => {
    const { to, main, spare } = await racing(SOON, { concurrency: 1 })
    const held = gate()
    main.script({ holdHead: held })
    expect(whoAnswered(await chat(to, 'm', ask))).toBe('spare')
    await main.requests[0]!.aborted
    held.open()
    await settledPool(to)
    const { body } = await to.get('/v1/queue/status', { as: 'admin' })
    expect(body).toMatchObject({ queued: 0, processing: 0 })
    expect(spare.requests).toHaveLength(1)
  })

  it('a caller who leaves hangs up on both', async () => {
    const { to, main, spare } = await racing(SOON)
    for (const provider of [main, spare]) provider.script({ fault: 'hang-before-head' })
    const leaving = new AbortController()
    const left = to.gateway
      .as({ user: 'alice', pool: 'user:alice' })
      .fetch('http://hoosh/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...ask }),
        signal: leaving.signal,
      })
      .catch(() => 'left')
    await spare.received(1)
    leaving.abort()
    await Promise.all([main.requests[0]!.aborted, spare.requests[0]!.aborted])
    await left
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(truth(main, spare))
  })

  it('is bounded by the retry budget: a slow provider does not double the load', async () => {
    const { to, main, spare } = await racing(1)
    main.script({ headAfterMs: 30, times: 1_000 })
    spare.script({ headAfterMs: 60, times: 1_000 })
    for (let call = 0; call < 30; call += 1) expect(whoAnswered(await chat(to, 'm', ask))).toBe('main')
    expect(spare.requests.length).toBeGreaterThanOrEqual(3)
    expect(spare.requests.length).toBeLessThanOrEqual(6)
  })
})
