import { type BudgetStore, HooshError, type ReserveRequest } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ALL_STORES, ask, billed, JOINT_STORES, type StoreKind, till, until } from '../support/money.js'

const lost = () => new HooshError('store_unavailable')

/** A store of which a test says what becomes of a reserve, and that tells what it was asked to give back. */
async function open(kind: StoreKind, reserve: (request: ReserveRequest, budgets: BudgetStore) => unknown) {
  const released: string[] = []
  const counter = await till(kind, {
    pools: { 'user:*': { tokens: 10_000 } },
    storage: ({ budgets, ...others }) => ({
      ...others,
      budgets: {
        ...budgets,
        reserve: async (request) => (await reserve(request, budgets)) as never,
        release(id, records) {
          released.push(id)
          return budgets.release(id, records)
        },
      },
    }),
  })
  onTestFinished(() => counter.close())
  return { ...counter, released }
}

describe.each(ALL_STORES)('a hold that was taken while its caller was told of a failure, on $name', (kind) => {
  /** The answers of the first `times` are lost, the steps being done. */
  const deaf = (times: number) => {
    let left = times
    return open(kind, async (request, budgets) => {
      const grant = await budgets.reserve(request)
      if (left-- > 0) throw lost()
      return grant
    })
  }

  it.each([false, true])('is given back, of a call (stream: %s)', async (stream) => {
    const counter = await deaf(1)
    const reply = await counter.call(ask({ stream }))
    expect([reply.status, counter.provider.bill.attempts]).toEqual([503, 0])
    expect((await counter.pool()).held.tokens).toBeGreaterThan(0)
    const { used, held } = await counter.settled()
    expect([used.tokens, held.tokens]).toEqual([0, 0])
    await (await counter.call(ask({ stream }))).text()
    expect((await counter.settled()).used).toEqual(billed(counter.provider.bill))
  })

  it.runIf(JOINT_STORES.includes(kind))('has an end in the log, where its begin was recorded with it', async () => {
    const counter = await deaf(1)
    await counter.call(ask(), { requestId: 'q-1' })
    await counter.settled()
    for (const event of ['inference.request', 'inference.error'])
      await expect
        .poll(() => counter.get(`/v1/audit?event=${event}`))
        .toMatchObject({ total: 1, entries: [{ subject: 'alice', pool: 'user:alice', requestId: 'q-1' }] })
  })

  it('is given back, of a reservation over the wire and of one in process', async () => {
    const counter = await deaf(2)
    const wire = await counter.call({ tokens: 300, pool: 'user:alice' }, { path: 'tokens/reserve' })
    expect(wire.status).toBe(503)
    const { budget } = counter.gateway.as({ user: 'alice', pool: 'user:alice' })
    await expect(budget.reserve({ tokens: 400 })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await counter.pool()).held.tokens).toBe(700)
    expect(await counter.settled()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })

  it('is given back also where it is taken after the store was first asked for it', async () => {
    let late: (() => unknown) | undefined
    const counter = await open(kind, (request, budgets) => {
      if (late !== undefined) return budgets.reserve(request)
      late = () => budgets.reserve(request)
      throw lost()
    })
    expect((await counter.call(ask())).status).toBe(503)
    await until(() => counter.released.length > 0)
    await late!()
    expect((await counter.pool()).held.tokens).toBeGreaterThan(0)
    expect(await counter.settled()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })
})

describe('a hold that was refused', () => {
  it.each(['budget_exceeded', 'reservation_conflict'] as const)('is not given back: %s', async (code) => {
    const counter = await open(ALL_STORES[0]!, () => {
      throw new HooshError(code)
    })
    await counter.call(ask())
    // Whatever is given back is so before the end.
    await counter.gateway.close()
    expect(counter.released).toEqual([])
  })
})
