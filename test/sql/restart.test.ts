import { createGateway, type Gateway } from '@hoosh/core'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sqliteFile } from '../support/sqlite.js'

const LEASE_MS = 60_000

/** Gateways on one file, one after the other or side by side; each is cut off without a word, as by a kill. */
const open = () => {
  const clock = fakeClock()
  const sqlite = sqliteFile({ clock: clock.now })
  const gateways: Gateway[] = []
  onTestFinished(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()))
    await sqlite.remove()
  })
  return {
    clock,
    sqlite,
    async gateway(options: { sweepMs?: number } = {}) {
      const gateway = createGateway({
        storage: await sqlite.open(),
        providers: [{ type: 'demo' }],
        pools: { '*': { tokens: 1_000 } },
        budget: { sweepMs: 3_600_000, ...options },
        clock: clock.now,
        logger: false,
      })
      gateways.push(gateway)
      return {
        gateway,
        ann: gateway.as({ user: 'ann', pool: 'ann' }),
        async pool(name = 'ann') {
          const [state] = await gateway.as({ user: 'ann', pool: name }).budget.pools()
          return { used: state!.used.tokens, held: state!.held.tokens }
        },
      }
    },
  }
}

describe('after a restart', () => {
  it('a hold is as it was, and its end is told to the new process', async () => {
    const { gateway, sqlite } = open()
    const before = await gateway()
    const { id } = await before.ann.budget.reserve({ tokens: 300 })
    const after = await gateway()
    expect(await after.pool()).toEqual({ used: 0, held: 300 })
    await (await sqlite.open()).budgets.settle(id, { tokens: 120, nanoUsd: 0 })
    expect(await after.pool()).toEqual({ used: 120, held: 0 })
  })

  it('a hold within its lease survives the start, and is charged by the next reserve once it is overdue', async () => {
    const { gateway, clock } = open()
    await (await gateway()).ann.budget.reserve({ tokens: 300 })
    clock.advance(LEASE_MS - 1)
    const after = await gateway()
    await after.gateway.ready()
    expect(await after.pool()).toEqual({ used: 0, held: 300 })
    clock.advance(1)
    await after.ann.budget.reserve({ tokens: 5 })
    expect(await after.pool()).toEqual({ used: 300, held: 5 })
  })

  it('an overdue hold is charged at the start, in pools that nobody asks for', async () => {
    const { gateway, clock } = open()
    await (await gateway()).ann.budget.reserve({ tokens: 300 })
    clock.advance(LEASE_MS)
    const after = await gateway()
    await after.gateway.ready()
    expect(await after.pool()).toEqual({ used: 300, held: 0 })
  })

  it('a hold that becomes overdue later is charged by a sweep, though nobody calls', async () => {
    const { gateway, clock } = open()
    await (await gateway()).ann.budget.reserve({ tokens: 300 })
    const after = await gateway({ sweepMs: 10 })
    await after.gateway.ready()
    clock.advance(LEASE_MS)
    await expect.poll(() => after.pool()).toEqual({ used: 300, held: 0 })
  })

  it('overrides, what was used and what it cost are there', async () => {
    const { gateway } = open()
    const admin = { user: 'root', pool: 'ann', roles: ['admin'] }
    const before = (await gateway()).gateway.as(admin)
    const terms = {
      method: 'PUT',
      body: '{"tokens":7000,"window":"day"}',
      headers: { 'content-type': 'application/json' },
    }
    expect((await before.fetch('http://hoosh/v1/tokens/pools/ann', terms)).status).toBe(200)
    await before.chat({ model: 'demo', messages: [{ role: 'user', content: 'hi' }] })
    const read = async (from: typeof before, path: string) => (await from.fetch(`http://hoosh/v1/${path}`)).json()
    const after = (await gateway()).gateway.as(admin)
    for (const path of ['tokens/pools', 'costs']) expect(await read(after, path)).toEqual(await read(before, path))
    expect(await read(after, 'tokens/pools')).toMatchObject([{ name: 'ann', capacity: 7_000, window: 'day' }])
    expect(await read(after, 'costs')).toMatchObject({ total_requests: 1 })
  })
})
