import { randomUUID } from 'node:crypto'
import { type Amount, type BudgetStore, memoryBudgets, nothing, type PoolAsk, slicedBudgets } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, MEMORY, STORES, till } from '../../support/money.js'
import { randomFrom } from '../../support/random.js'

const tokens = (count: number): Amount => ({ tokens: count, nanoUsd: 0 })

const acme: PoolAsk = {
  name: 'tenant:acme',
  terms: { capacity: { tokens: 1_000_000 }, window: 'hour', timeZone: 'UTC', unpriced: 'refuse' },
}

/** A process with slices on a store that counts what it is asked to write. */
function processOn(store: BudgetStore, clock: () => number) {
  let writes = 0
  const counted =
    <Args extends unknown[], T>(step: (...args: Args) => T) =>
    (...args: Args): T => {
      writes += 1
      return step(...args)
    }
  const { reserve, settle, extend, release } = store
  const slices = slicedBudgets({
    store: {
      ...store,
      reserve: counted(reserve),
      settle: counted(settle),
      extend: counted(extend),
      release: counted(release),
    },
    pools: ['tenant:*'],
    clock,
    leaseMs: 60_000,
    onExpire: 'charge',
    ids: randomUUID,
  })
  const hold = async (id: string, count: number, pools: readonly PoolAsk[] = [acme]) =>
    slices.budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools,
      ask: { fixed: tokens(count), each: nothing, floor: 0, wish: 0, atMost: 0 },
      leaseMs: 60_000,
      now: clock(),
      onExpire: 'charge',
    })
  return { ...slices, hold, writes: () => writes }
}

function ledger() {
  const clock = fakeClock(Date.UTC(2026, 10, 28, 10, 30))
  const store = memoryBudgets({ clock: clock.now })
  const inStore = (at = clock.now()) => {
    const [state] = store.read([acme], at)
    return { used: state!.used.tokens, held: state!.held.tokens }
  }
  return { clock, store, inStore, process: processOn(store, clock.now) }
}

describe('slices', () => {
  it('grant and settle thousands of calls with few writes', async () => {
    const { process, inStore } = ledger()
    for (let call = 0; call < 5_000; call += 1) {
      await process.hold(`r${call}`, 100)
      await process.budgets.settle(`r${call}`, tokens(40))
    }
    expect(process.writes()).toBeLessThan(100)
    await process.close()
    expect(inStore()).toEqual({ used: 200_000, held: 0 })
  })

  it('go back when idle, and what runs keeps what it holds', async () => {
    const { process, inStore } = ledger()
    await process.hold('a', 100)
    await process.hold('b', 50)
    await process.budgets.settle('b', tokens(20))
    expect(inStore().held).toBeGreaterThan(150)
    for (const _beat of [1, 2]) await process.beat()
    expect(inStore()).toEqual({ used: 20, held: 100 })
    await process.budgets.settle('a', tokens(7))
    await process.beat()
    expect(inStore()).toEqual({ used: 27, held: 0 })
  })

  it('belong to one window: a call is charged in that which it began in', async () => {
    const { process, inStore, clock } = ledger()
    const before = clock.now()
    await process.hold('old', 100)
    clock.advance(3_600_000)
    await process.hold('new', 10)
    await process.budgets.settle('old', tokens(60))
    await process.budgets.settle('new', tokens(5))
    for (const _beat of [1, 2]) await process.beat()
    expect([inStore(before), inStore()]).toEqual([
      { used: 60, held: 0 },
      { used: 5, held: 0 },
    ])
  })

  it('cover what a call used beyond its hold before its settle is answered, also past the cap', async () => {
    const { process, inStore } = ledger()
    await process.hold('r', 100)
    const settlement = await process.budgets.settle('r', tokens(1_500_000))
    expect(settlement.overrun).toEqual(tokens(1_499_900))
    const { used, held } = inStore()
    expect(used + held).toBeGreaterThanOrEqual(1_500_000)
    await process.close()
    expect(inStore()).toEqual({ used: 1_500_000, held: 0 })
    await expect(process.hold('s', 1)).rejects.toMatchObject({ code: 'budget_exceeded' })
  })

  it('are known again after a pause longer than their lease: they were charged in full, and are corrected', async () => {
    const { process, inStore, clock, store } = ledger()
    await process.hold('r', 100)
    clock.advance(60_000)
    expect(store.expire({ onExpire: 'counted', limit: 10 })).toHaveLength(1)
    expect(inStore().used).toBeGreaterThanOrEqual(100)
    await process.budgets.settle('r', tokens(30))
    for (const _beat of [1, 2]) await process.beat()
    expect(inStore()).toEqual({ used: 30, held: 0 })
  })

  it('of two processes with pauses never hold less than their calls, and come to the sum of them', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = randomFrom(seed)
      const { clock, store, inStore } = ledger()
      const processes = [processOn(store, clock.now), processOn(store, clock.now)]
      const open = new Map<string, { owner: number; held: number }>()
      let used = 0
      for (let step = 0; step < 300; step += 1) {
        const owner = random.between(0, 1)
        const one = processes[owner]!
        const [oldest] = open
        if (oldest !== undefined && random.chance(0.4)) {
          const actual = random.between(0, oldest[1].held)
          await processes[oldest[1].owner]!.budgets.settle(oldest[0], tokens(actual))
          open.delete(oldest[0])
          used += actual
        } else if (random.chance(0.1)) {
          clock.advance(random.pick([1_000, 20_000, 70_000]))
          if (random.chance(0.5)) await one.beat()
          for (const late of store.expire({ onExpire: 'charge', limit: 10 })) expect(late.owner).toBe('slices')
        } else {
          const held = random.between(1, 3_000)
          const told = await one.hold(`r${step}`, held).catch(({ code }) => code as string)
          if (told === 'budget_exceeded') continue
          open.set(`r${step}`, { owner, held })
        }
        // The hour may be another one by now; the sums are looked at below.
        const now = inStore(Date.UTC(2026, 10, 28, 10, 30))
        expect(now.used + now.held, `seed ${seed}, step ${step}`).toBeLessThanOrEqual(1_000_000)
      }
      for (const [id, { owner, held }] of open) {
        await processes[owner]!.budgets.settle(id, tokens(held))
        used += held
      }
      for (const one of processes) await one.close()
      let [sum, rest] = [0, 0]
      for (let hour = 0; hour < 30; hour += 1) {
        const at = inStore(Date.UTC(2026, 10, 28, 10 + hour, 30))
        sum += at.used
        rest += at.held
      }
      expect([sum, rest], `seed ${seed}`).toEqual([used, 0])
    }
  })
})

describe.each(STORES.filter(({ name }) => name !== MEMORY.name))('a gateway with slices on $name', (kind) => {
  it('charges pools, costs and log as the provider bills, and warns once', async () => {
    const { gateway, provider, call, vault, events, settled } = await opened()
    provider.script({ tokens: 30 }, { tokens: 300 }, { tokens: 600 })
    await (await call(ask())).text()
    await (await call(ask({ stream: true, stream_options: { include_usage: true } }))).text()
    await (await call(ask())).text()
    const used = provider.bill.totalTokens
    expect((await settled()).used.tokens).toBe(used)
    await gateway.close()
    const [state] = await vault.storage.budgets.read([{ name: 'user:alice', terms: SPENT }], Date.now())
    expect([state!.used.tokens, state!.held.tokens]).toEqual([used, 0])
    const records = vault.records()
    expect(records.map(({ usage }) => usage.input + usage.output).reduce((a, b) => a + b)).toBe(used)
    expect(records).toHaveLength(3)
    expect(events.filter(({ type }) => type === 'budget.warning')).toHaveLength(1)
  })

  const SPENT = { capacity: { tokens: 1_100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const

  async function opened() {
    const made = await till(kind, {
      pools: { 'user:*': { tokens: 1_100 } },
      budget: { slices: { pools: ['user:*'] } },
    })
    onTestFinished(() => made.close())
    return made
  }
})
