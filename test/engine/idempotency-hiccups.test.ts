import { HooshError, memoryCache } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ALL_STORES, ask, billed, till, until } from '../support/money.js'

/** An answer that has come to its end. */
async function whole(reply: Promise<Response>) {
  const { status, headers } = await reply
  await (await reply).text()
  return { status, isReplay: headers.get('x-hoosh-replay') === '1' }
}

describe.each(ALL_STORES)('a key whose call was never sent, since the storage hiccuped, on $name', (kind) => {
  const away = () => new HooshError('store_unavailable')
  /** A storage of which a step fails once, done or not; the looks and clean-ups right after it fail too. */
  const hiccuping = async (step: 'reserve' | 'claim' | 'release', isDone: boolean) => {
    let fails = 0
    const failing = <Args extends unknown[], Result>(run: (...args: Args) => Result, begins = false) => {
      return async (...args: Args): Promise<Awaited<Result>> => {
        if (begins && fails === 0) {
          fails = 1
          if (isDone) await run(...args)
          throw away()
        }
        if (!begins && fails > 0 && fails < 4) {
          fails += 1
          throw away()
        }
        return await run(...args)
      }
    }
    const counter = await till(kind, {
      pools: { 'user:*': { tokens: 1_000_000 } },
      storage: ({ budgets, cache = memoryCache(), ...others }) => ({
        ...others,
        budgets: {
          ...budgets,
          reserve: step === 'reserve' ? failing(budgets.reserve, true) : budgets.reserve,
          release: failing(budgets.release, step === 'release'),
          find: failing(budgets.find),
        },
        cache: {
          ...cache,
          putIfAbsent: step === 'claim' ? failing(cache.putIfAbsent, true) : cache.putIfAbsent,
          delete: failing(cache.delete),
        },
      }),
    })
    onTestFinished(() => counter.close())
    return counter
  }

  it.each([
    ['reserve', false],
    ['reserve', true],
    ['claim', false],
    ['claim', true],
    ['release', false],
    ['release', true],
  ] as const)('is free again, and one call is made (at the %s, done: %s)', async (step, isDone) => {
    const counter = await hiccuping(step, isDone)
    if (step === 'release') counter.provider.script({ status: 400, body: { error: { message: 'no', type: 'x' } } })
    const first = await whole(counter.call(ask(), { key: 'k' }))
    const refused = step === 'release' ? 400 : 503
    expect([first.status, counter.provider.bill.totalTokens]).toEqual([refused, 0])
    const told = new Set<number>()
    let last = first
    await until(async () => {
      last = await whole(counter.call(ask(), { key: 'k' }))
      told.add(last.status)
      return last.status === 200
    })
    for (const status of [refused, 503]) told.delete(status)
    expect([[...told], last.isReplay]).toEqual([[200], false])
    expect((await whole(counter.call(ask(), { key: 'k' }))).isReplay).toBe(true)
    expect((await counter.settled()).used).toEqual(billed(counter.provider.bill))
  })
})
