import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, STORES, till } from '../support/money.js'

const settled = async (pool: () => Promise<{ reserved: number }>) => {
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await pool()).reserved === 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe.each(STORES)('money on $name', (store) => {
  const open = async (tokens: number, more = {}) => {
    const counter = await till(store, { pools: { 'user:*': { tokens } }, ...more })
    onTestFinished(() => counter.close())
    return counter
  }

  it.each([false, true])('of 50 calls at once on a pool for five, five are answered (stream: %s)', async (stream) => {
    const probe = await open(1_000_000)
    probe.provider.hold()
    const one = probe.call(ask({ max_tokens: 256, stream }))
    await probe.provider.received(1)
    const worst = (await probe.pool()).reserved
    probe.provider.release()
    await (await one).text()

    const counter = await open(5 * worst)
    counter.provider.hold()
    const calls = Array.from({ length: 50 }, () => counter.call(ask({ max_tokens: 256, stream })))
    let decided = 0
    for (const call of calls) void call.then(() => (decided += 1))
    await counter.provider.received(5)
    while (decided < 45) await new Promise((resolve) => setTimeout(resolve, 5))
    counter.provider.release()
    const replies = await Promise.all(calls)
    const refused = replies.filter(({ status }) => status === 429)
    await Promise.all(replies.filter(({ status }) => status === 200).map((reply) => reply.text()))
    expect(refused).toHaveLength(45)
    expect(refused[0]!.headers.get('x-should-retry')).toBe('false')
    expect(await refused[0]!.json()).toMatchObject({
      error: { type: 'insufficient_quota', code: 'budget_exceeded', pool: 'user:alice' },
    })
    expect(counter.provider.bill.attempts).toBe(5)
    await settled(counter.pool)
    expect(await counter.pool()).toMatchObject({ reserved: 0, used: counter.provider.bill.totalTokens })
  })

  it.each([false, true])('a finished call costs what the provider bills (stream: %s)', async (stream) => {
    const counter = await open(1_000_000)
    counter.provider.script({ tokens: 40 })
    await (await counter.call(ask({ stream }))).text()
    expect(await counter.pool()).toMatchObject({ reserved: 0, used: counter.provider.bill.totalTokens })
  })

  it('embeddings cost what the provider bills', async () => {
    const counter = await open(1_000_000)
    await (
      await counter.call({ model: 'text-embedding-3-small', input: ['one', 'two words'] }, { path: 'embeddings' })
    ).text()
    expect(await counter.pool()).toMatchObject({ reserved: 0, used: counter.provider.bill.totalTokens })
  })

  it.each([false, true])('a refusal or a fault before the answer costs nothing (stream: %s)', async (stream) => {
    const counter = await open(1_000_000)
    for (const status of [400, 429, 500]) {
      counter.provider.script({ status, body: { error: { message: 'no', type: 'x', code: null } } })
      expect((await counter.call(ask({ stream }))).status).toBeGreaterThanOrEqual(400)
    }
    expect(await counter.pool()).toMatchObject({ reserved: 0, used: 0 })
  })

  it('a stream that breaks off is charged at least what was billed, and ends with an error', async () => {
    const counter = await open(1_000_000)
    counter.provider.script({ tokens: 50, fault: 'reset', faultAfter: 20 })
    const text = await (await counter.call(ask({ stream: true }))).text()
    expect(text).toContain('"error"')
    expect(text).not.toContain('[DONE]')
    await settled(counter.pool)
    const { reserved, used } = await counter.pool()
    expect(reserved).toBe(0)
    expect(used).toBeGreaterThanOrEqual(counter.provider.bill.totalTokens)
    expect(used).toBeLessThanOrEqual(counter.provider.bill.totalTokens + 40)
  })

  it.each([false, true])('a client that leaves closes the provider and leaves no hold (stream: %s)', async (stream) => {
    const counter = await open(1_000_000)
    counter.provider.script({ tokens: 5_000, everyMs: 5, ...(stream ? {} : { headAfterMs: 60_000 }) })
    const leaving = new AbortController()
    const call = counter.call(ask({ stream }), { signal: leaving.signal })
    if (stream) await (await call).body!.getReader().read()
    else await counter.provider.received(1)
    const left = performance.now()
    leaving.abort()
    await call.catch(() => {})
    await counter.provider.requests[0]!.aborted
    expect(counter.provider.requests[0]!.abortedAt! - left).toBeLessThan(1_000)
    await settled(counter.pool)
    const { reserved, used } = await counter.pool()
    expect(reserved).toBe(0)
    expect(used).toBeGreaterThanOrEqual(stream ? counter.provider.bill.promptTokens : 0)
  })

  it('a provider that ignores its limit is cut off inside the protocol, within one event of the hold', async () => {
    const counter = await open(80)
    counter.provider.script({ tokens: 1_000, honoursLimit: false })
    const text = await (await counter.call(ask({ stream: true, max_tokens: 500 }))).text()
    expect(text).toContain('"finish_reason":"length"')
    expect(text).toMatch(/data: \[DONE\]\n\n$/)
    const { reserved, used } = await counter.pool()
    expect(reserved).toBe(0)
    expect(used).toBeLessThanOrEqual(84)
    expect(counter.events.map(({ type }) => type)).toContain('budget.cutoff')
  })

  it('a plain answer beyond its limit is charged as it was and flagged', async () => {
    const counter = await open(80)
    counter.provider.script({ tokens: 200, honoursLimit: false })
    await (await counter.call(ask())).text()
    expect(await counter.pool()).toMatchObject({ reserved: 0, used: counter.provider.bill.totalTokens })
    expect(counter.events.map(({ type }) => type)).toContain('budget.overrun')
  })

  it('a provider that honours its limit never overruns, and nobody is refused who has enough', async () => {
    const counter = await open(3_000)
    const promptTokens = 16
    for (let round = 0; round < 60; round += 1) {
      const stream = round % 2 === 0
      counter.provider.script({ tokens: 1 + ((round * 37) % 150) })
      const { available } = await counter.pool()
      const reply = await counter.call(
        ask({ stream, ...(round % 3 === 0 ? { max_tokens: 1 + ((round * 53) % 200) } : {}) }),
      )
      await reply.text()
      if (available >= promptTokens + 16 + 20) expect(reply.status).toBe(200)
    }
    await settled(counter.pool)
    const { used, reserved } = await counter.pool()
    expect(reserved).toBe(0)
    expect(used).toBeLessThanOrEqual(3_000)
    // A stream that ends with the pool is charged by our own count, which is never below the provider's.
    expect(used).toBeGreaterThanOrEqual(counter.provider.bill.totalTokens)
    expect(counter.events.map(({ type }) => type)).not.toContain('budget.overrun')
  })
})
