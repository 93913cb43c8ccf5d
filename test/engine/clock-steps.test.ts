import { type BudgetStore, HooshError, memoryBudgets, type PoolTerms, windowAt } from '@hoosh/core/storage'
import { fakeClock, gate } from '@hoosh/core/testing'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DATABASES } from '../support/databases.js'
import { ask, billed, STORES, till } from '../support/money.js'
import { redisLedger, redisMissing } from '../support/redis.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = '2026-10-24T22:30:00Z'
const RUNS = process.env.HOOSH_LONG === undefined ? 4 : 100

const tokens = (count: number) => ({ tokens: count, nanoUsd: 0 })
const nothing = tokens(0)
const exactly = (count: number) => ({ fixed: tokens(count), each: nothing, floor: 0, wish: 0, atMost: 0 })

type Step =
  | { readonly do: 'reserve' | 'clock'; readonly by: number }
  | { readonly do: 'extend' | 'settle' | 'release' | 'expire'; readonly which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reserve' as const), by: fc.integer({ min: 1, max: 50 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('clock' as const), by: fc.constantFrom(HOUR, -HOUR, DAY, -DAY, 60_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'extend' as const,
        'settle' as const,
        'settle' as const,
        'release' as const,
        'expire' as const,
      ),
      which: fc.nat(9),
    }),
  },
)

interface Kind {
  readonly name: string
  readonly missing: string | null
  open(clock: () => number): Promise<{ budgets: BudgetStore; remove(): Promise<void> }>
}

const KINDS: readonly Kind[] = [
  {
    name: 'memory',
    missing: null,
    open: async (clock) => ({ budgets: memoryBudgets({ clock }), remove: async () => {} }),
  },
  ...DATABASES.map(
    ({ name, missing, make }): Kind => ({
      name,
      missing,
      async open(clock) {
        const database = make({ clock })
        return { budgets: (await database.open()).budgets, remove: () => database.remove() }
      },
    }),
  ),
  {
    name: 'Redis',
    missing: await redisMissing(),
    async open(clock) {
      const ledger = redisLedger({ clock })
      return { budgets: (await ledger.open()).budgets, remove: () => ledger.remove() }
    },
  },
]

/** A refusal is an answer like any other; what is no refusal fails the test. */
async function tried(work: () => unknown): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (error instanceof HooshError && error.code !== 'store_unavailable') return false
    throw error
  }
}

describe.each(KINDS)('clocks of gateway and store that step back and forth, on $name', ({ name, missing, open }) => {
  it.skipIf(missing !== null)(
    'leave each hold in exactly one window, with one end and at most one correction',
    async () => {
      const clock = fakeClock(START)
      const { budgets, remove } = await open(clock.now)
      onTestFinished(remove)
      const terms: PoolTerms = {
        capacity: { tokens: 500 },
        window: 'hour',
        timeZone: 'Europe/Berlin',
        unpriced: 'refuse',
      }
      let round = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
          round += 1
          const pool = { name: `p${round}`, terms }
          const born = new Map<string, number>()
          for (const [index, one] of steps.entries()) {
            const id = `${round}.${'which' in one ? one.which : index}`
            if ('by' in one && one.do === 'clock') clock.advance(one.by)
            else if (one.do === 'expire') await budgets.expire({ limit: 3, onExpire: 'charge' })
            else if (one.do === 'extend') await tried(() => budgets.extend(id, exactly(5)))
            else if (one.do === 'settle') await tried(() => budgets.settle(id, tokens(index)))
            else if (one.do === 'release') await tried(() => budgets.release(id))
            else if ('by' in one) {
              const own = `${round}.${born.size}`
              const call = {
                owner: 'ann',
                phase: 'sent',
                leaseMs: 60_000,
                now: clock.now(),
                onExpire: 'charge',
              } as const
              const made = { ...call, id: own, pools: [pool], ask: exactly(one.by) }
              if (await tried(() => budgets.reserve(made))) born.set(own, windowAt(terms, clock.now()).start)
            }
          }
          const entries = await budgets.entries(pool.name, { limit: 1_000 })
          const sums = new Map<number, number>()
          for (const { reservation, windowStart, amount } of entries) {
            expect(windowStart).toBe(born.get(reservation!))
            sums.set(windowStart!, (sums.get(windowStart!) ?? 0) + amount.tokens)
          }
          const ends = entries.filter(({ kind }) => kind !== 'correction').map(({ reservation }) => reservation)
          const mends = entries.filter(({ kind }) => kind === 'correction').map(({ reservation }) => reservation)
          expect([new Set(ends).size, new Set(mends).size]).toEqual([ends.length, mends.length])
          for (const start of new Set(born.values())) {
            const [state] = await budgets.read([pool], start)
            // Of windows that are over, memory knows the last ones.
            if (name !== 'memory') expect(state!.used.tokens).toBe(sums.get(start) ?? 0)
            const found = await Promise.all(
              [...born].map(async ([id, at]) => (at === start ? budgets.find({ id }) : null)),
            )
            const open = found.filter((one) => one?.state === 'held')
            expect(state!.held.tokens).toBe(open.reduce((sum, one) => sum + one!.holds[0]!.amount.tokens, 0))
          }
        }),
        { numRuns: RUNS },
      )
    },
  )
})

describe.each(STORES)('a clock that steps under a running call, with budgets in $name', (kind) => {
  it.each([
    ['an hour ahead', HOUR, true],
    ['an hour back', -HOUR, false],
    ['a day ahead', DAY, false],
    ['a day back', -DAY, true],
  ])(
    '%s: the call is charged in the window it began in, once, and the next one in its own',
    async (_how, by, stream) => {
      const clock = fakeClock(START)
      const terms: PoolTerms = { capacity: { tokens: 10_000 }, window: 'hour', timeZone: 'UTC', unpriced: 'refuse' }
      const counter = await till(kind, {
        clock: clock.now,
        pools: { '*': { tokens: 10_000, window: 'hour' } },
        budget: { sweepMs: HOUR },
      })
      onTestFinished(() => counter.close())
      const open = gate()
      counter.provider.script({ holdHead: open, tokens: 30 }, { tokens: 20 })
      const running = counter.call(ask({ stream }))
      await counter.provider.received(1)
      const began = clock.now()
      clock.advance(by)
      await (await counter.call(ask({ stream }))).text()
      open.open()
      expect((await running).status).toBe(200)
      await (await running).text()
      const { budgets } = counter.vault.storage
      const figures = async (at: number) => {
        const [state] = await budgets.read([{ name: 'user:alice', terms }], at)
        return [state!.used, state!.held]
      }
      const [first, second] = counter.provider.bill.perAttempt
      expect(await figures(began)).toEqual([billed(first!), nothing])
      expect(await figures(began + by)).toEqual([billed(second!), nothing])
      const entries = await budgets.entries('user:alice', { limit: 10 })
      const ended = entries.filter(({ kind: how }) => how !== 'correction').map(({ reservation }) => reservation)
      expect([ended.length, new Set(ended).size]).toEqual([2, 2])
    },
  )
})
