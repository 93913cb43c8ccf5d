import type { HooshEvent } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, STORES, till } from '../support/money.js'

const CHAIN = ['user:alice', 'team:red', 'tenant:acme']

/** What whoever reads of an error over the wire is told of pools. */
const toldOf = async (reply: Response) => {
  const text = await reply.text()
  const { error } = JSON.parse(text) as { error: { code: string; pool?: string } }
  return { code: error.code, pool: error.pool, names: [...new Set(text.match(/(?:user|team|tenant):\w+/g))].sort() }
}

describe.each(STORES)('a user in a team in a tenant, with budgets in $name', (kind) => {
  const open = async (caps: readonly [user: number, team: number, tenant: number]) => {
    const [user, team, tenant] = caps
    const counter = await till(kind, {
      pools: { 'user:*': { tokens: user }, 'team:*': { tokens: team }, 'tenant:*': { tokens: tenant } },
    })
    onTestFinished(() => counter.close())
    return counter
  }

  it('is charged at each level, and each warns at 80 and 95 % of its own cap', async () => {
    const counter = await open([1_000, 2_000, 4_000])
    const me = counter.gateway.as({ user: 'alice', pool: CHAIN })
    const spend = async (tokens: number, who = me) => (await who.budget.reserve({ tokens })).settle({ tokens })
    const mate = counter.gateway.as({ user: 'bob', pool: ['user:bob', ...CHAIN.slice(1)] })
    const other = counter.gateway.as({ user: 'eve', pool: ['user:eve', 'team:blue', 'tenant:acme'] })
    await spend(799)
    await spend(1)
    await spend(150)
    await spend(660, mate)
    await spend(295, mate)
    await spend(900, other)
    await spend(50, other)
    const warned = counter.events.flatMap((event: HooshEvent) =>
      event.type === 'budget.warning' ? [`${event.pool.name} ${event.threshold} ${event.pool.used.tokens}`] : [],
    )
    expect(warned).toEqual([
      'user:alice 80 800',
      'user:alice 95 950',
      'team:red 80 1610',
      'user:bob 95 955',
      'team:red 95 1905',
      'user:eve 80 900',
      'user:eve 95 950',
    ])
    expect((await counter.pool('tenant:acme')).used.tokens).toBe(2_855)
  })

  it.each([
    ['user:alice', [60, 10_000, 10_000]],
    ['team:red', [10_000, 60, 10_000]],
    ['tenant:acme', [10_000, 10_000, 60]],
  ] as const)('is refused by %s where that is the tightest, and told of no other', async (tightest, caps) => {
    const counter = await open(caps)
    await counter.gateway.as({ user: 'bob', pool: [tightest] }).budget.reserve({ tokens: 50 })
    const refused = await toldOf(await counter.call(ask({ max_tokens: 100 }), { pools: CHAIN }))
    expect(refused).toEqual({ code: 'budget_exceeded', pool: tightest, names: [tightest] })
    const stranger = await counter.call(ask({ pool: tightest }), { user: 'eve', pools: ['user:eve'] })
    expect(await toldOf(stranger)).toEqual({ code: 'pool_not_allowed', pool: undefined, names: [tightest] })
    for (const name of CHAIN.filter((other) => other !== tightest))
      expect(await counter.pool(name)).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })
})
