import type { HooshOptions } from '@hoosh/core'
import { fakeClock, type Script } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, STORES, till } from '../support/money.js'

const LEASE_MS = 60_000

describe.each(STORES)('a call whose lease ran out, on $name', (store) => {
  /** One call that the provider keeps waiting, and whose lease is over; whoever comes next ends its hold. */
  const overdue = async (options: Omit<HooshOptions, 'storage'> = {}, script: Script = {}) => {
    const clock = fakeClock()
    const pools = { 'user:*': { tokens: 1_000_000, usd: 50 } }
    const counter = await till(store, { clock: clock.now, pools, ...options })
    onTestFinished(() => counter.close())
    const { gateway, provider } = counter
    const admin = gateway.as({ user: 'root', roles: ['admin'] })
    const read = async (path: string) => (await admin.fetch(`http://hoosh/v1/${path}`)).json() as Promise<never>
    provider.script(script)
    provider.hold()
    const running = counter.call(ask({ max_tokens: 200 }))
    await provider.received(1)
    const reserved = (await counter.pool()).held.tokens
    clock.advance(LEASE_MS)
    return {
      ...counter,
      read,
      running,
      reserved,
      /** Somebody holds in the same pool, and nothing of it stays. */
      async next() {
        const hold = await gateway.as({ user: 'alice', pool: 'user:alice' }).budget.reserve({ tokens: 1 })
        await hold.release()
      },
      /** What the pool has used, and what the costs add up to. */
      async books() {
        const [pool] = await gateway.as({ user: 'alice', pool: 'user:alice' }).budget.pools()
        type Costs = Record<`total_${'requests' | 'prompt_tokens' | 'completion_tokens' | 'cost_nano_usd'}`, number>
        const costs = (await read('costs')) as Costs
        const tokens = costs.total_prompt_tokens + costs.total_completion_tokens
        return {
          used: pool!.used,
          costs: { tokens, nanoUsd: costs.total_cost_nano_usd },
          requests: costs.total_requests,
        }
      },
    }
  }

  it('is in the costs with what it was charged, under the model and the route it was sent to', async () => {
    const { next, books, read, running, reserved, provider } = await overdue()
    await next()
    const { used, costs, requests } = await books()
    expect(used.tokens).toBe(reserved)
    expect(used.nanoUsd).toBeGreaterThan(0)
    expect({ costs, requests }).toEqual({ costs: used, requests: 1 })
    const about = { provider: 'openai', model: 'gpt-4o' }
    expect(await read('costs')).toMatchObject({
      records: [{ ...about, route: 'openai', user: 'alice', pool: 'user:alice', total_output_tokens: 200 }],
    })
    await expect
      .poll(() => read('audit?event=inference.lost'))
      .toMatchObject({
        total: 1,
        entries: [{ ...about, subject: 'alice', pool: 'user:alice', metadata: { charged_tokens: reserved } }],
      })
    provider.release()
    await (await running).text()
  })

  it('is there without an audit log too', async () => {
    const { next, books, running, reserved, provider } = await overdue({ audit: false })
    await next()
    const { used, costs, requests } = await books()
    expect([used.tokens, costs, requests]).toEqual([reserved, used, 1])
    provider.release()
    await (await running).text()
  })

  it("charged by the last heartbeat, it costs the prompt's bound", async () => {
    const { next, books, running, reserved, provider } = await overdue({ budget: { onExpire: 'counted' } })
    await next()
    const { used, costs, requests } = await books()
    expect([used.tokens, costs, requests]).toEqual([reserved - 200, used, 1])
    provider.release()
    await (await running).text()
  })

  it('that is answered after all costs what the provider bills, as one request', async () => {
    const { next, books, running, provider } = await overdue({}, { tokens: 30 })
    await next()
    provider.release()
    expect((await running).status).toBe(200)
    const { used, costs, requests } = await books()
    expect(used.tokens).toBe(provider.bill.totalTokens)
    expect({ costs, requests }).toEqual({ costs: used, requests: 1 })
  })

  it('that fails after all, and for free, has cost nothing', async () => {
    const refusal = { status: 400, body: { error: { message: 'no', type: 'x', code: null } } }
    const { next, books, running, provider } = await overdue({}, refusal)
    await next()
    expect((await books()).used.tokens).toBeGreaterThan(0)
    provider.release()
    expect((await running).status).toBe(400)
    expect(await books()).toEqual({
      used: { tokens: 0, nanoUsd: 0 },
      costs: { tokens: 0, nanoUsd: 0 },
      requests: 0,
    })
  })
})
