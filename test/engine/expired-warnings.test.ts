import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ALL_STORES, ask, type StoreKind, till } from '../support/money.js'

const LEASE_MS = 60_000

/** Two calls that the provider keeps waiting, each held in its user's pool and in the team's, whose leases are over. */
async function overdue(kind: StoreKind, sweepMs: number) {
  const clock = fakeClock()
  const pools = { 'user:*': { tokens: 100_000 }, 'team:red': { tokens: 500 } }
  const counter = await till(kind, { clock: clock.now, pools, budget: { sweepMs } })
  onTestFinished(() => counter.close())
  counter.provider.hold()
  const running = ['ann', 'bob'].map((user) =>
    counter.call(ask({ max_tokens: 180 }), { user, pools: [`user:${user}`, 'team:red'] }),
  )
  onTestFinished(async () => {
    counter.provider.release()
    await Promise.all(running.map(async (reply) => (await reply).text()))
  })
  await counter.provider.received(2)
  const { held } = await counter.pool('team:red')
  expect(held.tokens).toBeGreaterThan(400)
  clock.advance(LEASE_MS)
  const warnings = () =>
    counter.events.flatMap((event) =>
      event.type === 'budget.warning' ? [[event.pool.name, event.threshold, event.pool.used.tokens]] : [],
    )
  const threshold = held.tokens >= 475 ? 95 : 80
  return { ...counter, warnings, expected: [['team:red', threshold, held.tokens]] }
}

describe.each(ALL_STORES)('what expired holds are charged, on $name', (kind) => {
  it('is warned of where a threshold is crossed with it, once for those that end in one sweep', async () => {
    const { warnings, expected } = await overdue(kind, 20)
    await expect.poll(warnings).toEqual(expected)
  })

  it('is warned of where another hold in one of their pools ends them', async () => {
    const { gateway, warnings, expected } = await overdue(kind, 3_600_000)
    const hold = await gateway.as({ user: 'cid', pool: 'team:red' }).budget.reserve({ tokens: 1 })
    await hold.release()
    expect(warnings()).toEqual(expected)
  })
})
