import { type AuditStore, memoryAudit, type Storage } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { memoryUsage } from '../../packages/core/src/cost/memory-store.js'
import { ask, JOINT_STORES, till } from '../support/money.js'

describe.each(JOINT_STORES)("budgets of $name beside the host's own stores", (kind) => {
  const open = async (own: Partial<Pick<Storage, 'usage' | 'audit'>>, more: Parameters<typeof till>[1] = {}) => {
    let opened: Partial<Storage> = {}
    const counter = await till(kind, {
      pools: { 'user:*': { tokens: 1_000_000 }, 'team:*': { tokens: 1_000_000 } },
      ...more,
      storage: (storage) => {
        opened = storage
        return { ...storage, ...own }
      },
    })
    onTestFinished(() => counter.close())
    return { ...counter, opened: opened as Storage }
  }
  const staged = async (store: AuditStore) => await store.staged({ before: Number.MAX_SAFE_INTEGER, limit: 100 })

  it('keep what calls cost in the usage store that is mounted, and in no other', async () => {
    const usage = memoryUsage()
    const { call, get, opened } = await open({ usage })
    await (await call(ask())).text()
    const [total] = await usage.totals({})
    expect(total).toMatchObject({ requests: 1, user: 'alice' })
    expect(await get('/v1/costs')).toMatchObject({ total_requests: 1, total_cost_nano_usd: total!.nanoUsd })
    expect(await opened.usage.totals({})).toEqual([])
  })

  it('keep what was done in the log that is mounted, and leave nothing behind in their own', async () => {
    const audit = memoryAudit()
    const { call, gateway, get, opened } = await open({ audit })
    await (await call(ask())).text()
    const root = gateway.as({ user: 'root', roles: ['admin'], pool: 'user:alice' })
    await (await root.budget.reserve({ tokens: 1 })).settle({ tokens: 1 })
    await root.budget.credit('user:alice', { tokens: 5 })
    await root.budget.run({ tokens: 5 })
    for (const event of [
      'inference.request',
      'inference.response',
      'budget.reserved',
      'budget.settled',
      'budget.run_opened',
    ])
      await expect.poll(() => get(`/v1/audit?event=${event}`)).toMatchObject({ total: 1 })
    await expect.poll(() => get('/v1/audit?event=admin.pool_credited')).toMatchObject({ total: 1 })
    expect(await staged(opened.audit)).toEqual([])
  })

  it.each([{}, { slices: { pools: ['team:*'] } }])(
    'tell a call that was lost, and that was answered after all, to the mounted stores alone (%j)',
    async (budget) => {
      const clock = fakeClock()
      const [usage, audit] = [memoryUsage(), memoryAudit()]
      const counter = await open({ usage, audit }, { clock: clock.now, budget })
      const { call, gateway, get, opened, provider } = counter
      provider.hold()
      const running = call(ask({ max_tokens: 200 }), { pools: ['user:alice', 'team:red'] })
      await provider.received(1)
      clock.advance(60_000)
      // Whoever comes next ends what is overdue.
      const hold = await gateway.as({ user: 'alice', pool: 'user:alice' }).budget.reserve({ tokens: 1 })
      await hold.release()
      expect((await usage.totals({}))[0]).toMatchObject({ requests: 1, completionTokens: 200 })
      await expect.poll(() => get('/v1/audit?event=inference.lost')).toMatchObject({ total: 1 })
      provider.release()
      await (await running).text()
      const { completionTokens } = provider.bill
      await expect.poll(async () => (await usage.totals({}))[0]).toMatchObject({ requests: 1, completionTokens })
      expect(await opened.usage.totals({})).toEqual([])
      expect(await staged(opened.audit)).toEqual([])
    },
  )
})
