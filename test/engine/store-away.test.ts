import { type BudgetStore, HooshError } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { streamed, words } from '../support/answers.js'
import { ask, billed, PROMPT, STORES, type StoreKind, type Till, till, until } from '../support/money.js'

type Operation = 'reserve' | 'extend' | 'settle' | 'release'

/** A store that fails as long as it is told to, in one of its operations. */
function faulty(budgets: BudgetStore, fails: (operation: Operation, id: string) => HooshError | null): BudgetStore {
  const guarded =
    <Args extends unknown[], Result>(
      operation: Operation,
      id: (...args: Args) => string,
      run: (...args: Args) => Result,
    ) =>
    (...args: Args): Result => {
      const error = fails(operation, id(...args))
      if (error !== null) throw error
      return run(...args)
    }
  return {
    ...budgets,
    reserve: guarded('reserve', ({ id }) => id, budgets.reserve),
    extend: guarded('extend', (id) => id, budgets.extend),
    settle: guarded('settle', (id) => id, budgets.settle),
    release: guarded('release', (id) => id, budgets.release),
  }
}

const away = () => new HooshError('store_unavailable')

describe.each(STORES)('a store that is away, on $name', (store) => {
  it.each([false, true])(
    'when a call would be held refuses it at once, and nobody is asked (stream: %s)',
    { retry: 2 }, // 250 ms are much, but this machine may do other things
    async (stream) => {
      const counter = await open(store, (operation) => (operation === 'reserve' ? away() : null))
      const asked = performance.now()
      const reply = await counter.call(ask({ stream }))
      expect(performance.now() - asked).toBeLessThan(250)
      expect(reply.status).toBe(503)
      expect(await reply.json()).toMatchObject({ error: { code: 'store_unavailable', type: 'api_error' } })
      expect(counter.provider.bill.attempts).toBe(0)
    },
  )

  it.each([
    ['plain', false],
    ['streamed', true],
  ])('at the end of a %s call is asked again until it takes the charge, once', async (_, stream) => {
    let refusals = 2
    const counter = await open(store, (operation) => {
      if (operation !== 'settle' || refusals === 0) return null
      refusals -= 1
      return away()
    })
    const reply = await counter.call(ask({ stream }))
    expect([reply.status, (await reply.text()).includes('"finish_reason":"stop"')]).toEqual([200, true])
    expect((await counter.pool()).held.tokens).toBeGreaterThan(0)
    const { used, held } = await counter.settled()
    expect([refusals, used, held.tokens]).toEqual([0, billed(counter.provider.bill), 0])
    await until(() => counter.vault.records().length > 0)
    expect(counter.vault.records()).toMatchObject([{ outcome: 'ok', nanoUsd: used.nanoUsd }])
    const { total_requests } = await counter.get<{ total_requests: number }>('/v1/costs')
    expect(total_requests).toBe(1)
  })

  it('at the end of a call that cost nothing is asked again too', async () => {
    let refusals = 2
    const counter = await open(store, (operation) => (operation === 'release' && refusals-- > 0 ? away() : null))
    counter.provider.script({ status: 400 })
    expect((await counter.call(ask())).status).toBe(400)
    expect(await counter.settled()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
  })

  it('at the close is asked once more', async () => {
    let isAway = true
    const counter = await open(store, (operation) => (operation === 'settle' && isAway ? away() : null))
    await (await counter.call(ask())).text()
    isAway = false
    await counter.gateway.close()
    const [state] = await counter.vault.storage.budgets.list({ limit: 1, now: Date.now() })
    expect(state).toMatchObject({ used: billed(counter.provider.bill), held: { tokens: 0 } })
  })

  it('for one call, which it never takes, does not keep the others waiting', async () => {
    let first: string | null = null
    let isAway = true
    const counter = await open(store, (operation, id) => {
      if (operation !== 'settle') return null
      first ??= id
      if (isAway) return away()
      return id === first ? new HooshError('reservation_conflict') : null
    })
    for (let call = 0; call < 3; call += 1) await (await counter.call(ask())).text()
    isAway = false
    const others = 2 * (PROMPT.billed + 16)
    await until(async () => (await counter.pool()).used.tokens === others)
    expect((await counter.pool()).used.tokens).toBe(others)
  })

  it('in mid-stream ends no stream: it goes on within its lease, and the truth is charged', async () => {
    let extensions = 0
    const counter = await open(store, (operation) => {
      if (operation !== 'extend') return null
      extensions += 1
      return away()
    })
    counter.provider.script({ tokens: 600 })
    const { isDone, said } = await streamed(counter, ask({ max_tokens: 600 }))
    expect([isDone, words(said)]).toEqual([true, 600])
    expect(extensions).toBeGreaterThan(0)
    expect(extensions).toBeLessThan(5)
    expect(await counter.settled()).toMatchObject({ used: billed(counter.provider.bill), held: { tokens: 0 } })
  })

  it('when a call is settled late still tells what the charge means', async () => {
    let refusals = 1
    const counter = await open(store, (operation) => (operation === 'settle' && refusals-- > 0 ? away() : null), 100)
    counter.provider.script({ tokens: 200, honoursLimit: false })
    await (await counter.call(ask())).text()
    await counter.settled()
    expect(counter.events.map(({ type }) => type)).toEqual(expect.arrayContaining(['budget.warning', 'budget.overrun']))
  })
})

async function open(
  store: StoreKind,
  fails: (operation: Operation, id: string) => HooshError | null,
  tokens = 10_000,
): Promise<Till> {
  const counter = await till(store, {
    pools: { 'user:*': { tokens } },
    storage: (opened) => ({ ...opened, budgets: faulty(opened.budgets, fails) }),
  })
  onTestFinished(() => counter.close())
  await counter.gateway.ready()
  return counter
}
