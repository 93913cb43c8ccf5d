import { budgetStoreCases, joinedBudgetCases } from '@hoosh/core/conformance'
import {
  type BudgetStore,
  decide,
  freezing,
  memoryAudit,
  memoryBudgets,
  type ReserveRequest,
} from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'
import { type Broken, failing, shown, turn } from './shown.js'

const tokens = (count: number) => ({ tokens: count, nanoUsd: 0 })

/** Holds more without being asked, under a name that nobody knows. */
async function leak(store: BudgetStore, pool: string, count: number): Promise<void> {
  const ask = { fixed: tokens(count), each: tokens(0), floor: 0, wish: 0, atMost: 0 }
  const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
  const call = { owner: 'nobody', phase: 'sent', leaseMs: 3_600_000, now: 0, onExpire: 'charge' } as const
  await store.reserve({ id: `leak ${Math.random()}`, pools: [{ name: pool, terms }], ask, ...call })
}

async function hasRoom(store: BudgetStore, { pools, ask, now }: ReserveRequest): Promise<boolean> {
  try {
    return decide(ask, await store.read(pools, now)).granted
  } catch {
    return false
  }
}

const uncapped = (request: ReserveRequest): ReserveRequest => ({
  ...request,
  pools: request.pools.map(({ name, terms }) => ({ name, terms: terms && { ...terms, capacity: {} } })),
})

const BUDGETS: readonly Broken<BudgetStore>[] = [
  {
    how: 'looks first and writes later',
    told: [
      'two processes ask for the last 100 tokens: one holds them, the other is told which pool is empty',
      'of forty calls side by side exactly as many are granted as the pool can pay',
      'holds over several pools, named in any order, neither lock each other out nor hold in half of them',
      'an override that goes at the moment of a reserve takes nothing from the window that counts again',
    ],
    breakIt: (store) => ({
      ...store,
      async reserve(request) {
        const looked = await hasRoom(store, request)
        await turn()
        try {
          return await store.reserve(request)
        } catch (error) {
          if (looked && (error as { code?: string }).code === 'budget_exceeded') return store.reserve(uncapped(request))
          throw error
        }
      },
    }),
  },
  {
    how: 'charges a settle that is repeated once more',
    told: [
      'the same settle again has the same outcome and charges nothing; with another amount it is a conflict',
      'the same settle from two processes charges once, two different ones never both',
    ],
    breakIt: (store) => ({
      ...store,
      async settle(id, actual) {
        const settlement = await store.settle(id, actual)
        if (settlement.repeated && settlement.outcome === 'settled')
          await leak(store, settlement.pools[0]!.name, actual.tokens)
        return settlement
      },
    }),
  },
  {
    how: 'does not free what was released',
    told: [
      'a release ends the hold at zero; again it changes nothing, and a settle after it is a conflict',
      'every step answers how its pools stand after it, in the order they were asked for, as a read says it',
      'what a pool holds when it is frozen is settled and released as ever, but holds no more; unfrozen it goes on where it was',
    ],
    breakIt: (store) => ({
      ...store,
      async release(id) {
        const settlement = await store.release(id)
        if (!settlement.repeated && settlement.outcome === 'released') await leak(store, settlement.pools[0]!.name, 1)
        return settlement
      },
    }),
  },
  {
    how: 'takes its own clock for the window',
    told: [
      "a window is chosen by the gateway's clock, and a new one begins empty",
      'a hold belongs to the window it was taken in, whenever it ends',
      'an extension is held in the window of its hold, and judged by what is left there',
      'a refusal says when to try again only where the window opens within a minute',
      'what a lifetime has used is not forgotten while an override divides it into hours',
      'a refused extension says as much as a refused reserve: what is left in both units, and when to come again',
    ],
    breakIt: (store) => ({
      ...store,
      reserve: (request) => store.reserve({ ...request, now: 1_700_000_000_000 }),
    }),
  },
  {
    how: "finds what is another owner's",
    told: ['the oldest open reservation of an owner is found by its pool and exact amount in both units'],
    breakIt: (store) => ({
      ...store,
      find: async (query) =>
        (await store.find(query)) ?? ('id' in query ? null : await store.find({ ...query, owner: 'bob' })),
    }),
  },
  {
    how: 'holds no more where there is plenty',
    told: [
      'where every pool has eight times as much left, `plenty` is held in place of `fixed`',
      'that is so in each unit, and of an extension',
    ],
    breakIt: (store) => ({
      ...store,
      reserve: ({ ask: { plenty: _plenty, ...ask }, ...request }) => store.reserve({ ...request, ask }),
    }),
  },
  {
    how: 'holds what is no amount',
    told: ['an ask that comes to no whole amount is refused and held nowhere'],
    breakIt: (store) => ({
      ...store,
      reserve: (request) =>
        store.reserve(
          Number.isNaN(request.ask.fixed.tokens) ? { ...request, ask: { ...request.ask, fixed: tokens(0) } } : request,
        ),
    }),
  },
  {
    how: 'charges in full what is to be charged as counted',
    told: [
      'an expiry by what was counted charges the prompts and the last heartbeat, never above the hold',
      'a correction above what the expiry charged is an overrun by that much',
    ],
    breakIt: (store) => ({ ...store, expire: (policy) => store.expire({ ...policy, onExpire: 'charge' }) }),
  },
  {
    how: 'forgets what a lost call cost',
    told: [
      'an expired call comes with a usage record that costs what it was charged; a hold of the host has none',
      'what was extended counts as prompt',
      'that record says of the call what was said when it was held',
      'of a lost call whose usage is kept elsewhere it only tells, also of what takes that back, and keeps neither',
      'a settle or a release after the expiry says what takes that record back, and says it again',
    ],
    breakIt: (store) => ({
      ...store,
      expire: async (policy) => (await store.expire(policy)).map(({ usage: _usage, ...expired }) => expired),
    }),
  },
  {
    how: 'keeps nothing in the stores that it names',
    told: [
      'records that come with a step are in the stores that `persists` names once it is done, and are so once',
      'of a lost call whose usage is kept elsewhere it only tells, also of what takes that back, and keeps neither',
    ],
    breakIt: (store) => ({ ...store, persists: { usage: memoryUsage(), audit: memoryAudit() } }),
  },
  {
    how: 'gives a credit again that comes twice',
    told: [
      'a credit that comes twice by one id, from two processes at once, is one; with other values it is a conflict',
    ],
    breakIt: (store) => ({
      ...store,
      async credit(pool, credit, now) {
        const given = await store.credit(pool, credit, now)
        return given.repeated ? store.credit(pool, { ...credit, id: `${credit.id} again` }, now) : given
      },
    }),
  },
  {
    how: 'refunds again what comes twice',
    told: ['a refund that comes twice by one id is one; with other values it is a conflict'],
    breakIt: (store) => ({
      ...store,
      async refund(refund) {
        const given = await store.refund(refund)
        return given.repeated ? store.refund({ ...refund, id: `${refund.id} again` }) : given
      },
    }),
  },
  {
    how: 'says that a pool is gone in which something is held',
    told: ['a pool in which something is held takes nothing new, and is forgotten once that has ended'],
    breakIt: (store) => ({
      ...store,
      async forget(pool) {
        await store.forget(pool)
        return pool === 'run:1' || store.forget(pool)
      },
    }),
  },
  {
    how: 'reads what a pool is before it freezes that',
    told: ['of a freeze and an override at the same moment neither is lost: the pool is left with the new terms'],
    breakIt: (store) => ({
      ...store,
      async freeze(pool, frozen) {
        const found = (await store.overrides()).find(({ name }) => name === pool.name)
        await turn()
        const terms = freezing(pool, found?.terms ?? null, frozen)
        await store.define(pool.name, terms)
        return terms
      },
    }),
  },
  {
    how: 'sees no freeze that a template says',
    told: [
      'a frozen pool takes no hold, not even of nothing, and is told of before one that is empty',
      'every step answers how its pools stand after it, in the order they were asked for, as a read says it',
      'of several refusals the first in order is given: conflict, too many, unknown pool, frozen, exceeded',
      'the terms of a pool come back whole, limits and what to do with unknown prices too, from template and override',
    ],
    breakIt: (store) => ({
      ...store,
      reserve: (request) =>
        store.reserve({
          ...request,
          pools: request.pools.map(({ name, terms }) => ({ name, terms: terms && { ...terms, frozen: false } })),
        }),
    }),
  },
]

describe('budgets', () => {
  const harnessOf = (breakIt: (store: BudgetStore) => BudgetStore) => {
    const clock = fakeClock(1_700_000_000_000)
    const store = breakIt(memoryBudgets({ clock: clock.now }))
    return { open: () => store, now: clock.now, advance: (ms: number) => void clock.advance(ms) }
  }
  shown(budgetStoreCases, harnessOf, BUDGETS)
})

describe("steps in the host's transaction", () => {
  it('a store that does them outside of it: told by the names of the promises', async () => {
    const harness = () => {
      const clock = fakeClock(1_700_000_000_000)
      const budgets = memoryBudgets({ clock: clock.now })
      return {
        open: () => ({ ...budgets, join: () => budgets }),
        now: clock.now,
        advance: (ms: number) => void clock.advance(ms),
        begin: () => ({ transaction: {}, commit: () => {}, rollback: () => {} }),
      }
    }
    expect(await failing(joinedBudgetCases, harness)).toEqual([
      'what was held in a transaction that is rolled back was never there: nothing is held, and its id is not known',
      'a settle or a release that is rolled back leaves the hold as it was, to be ended later',
      'nobody gets what an open transaction holds: he waits for its end, or is told to come again',
      'a reserve in a transaction first ends overdue holds; if it is rolled back they are there, to be told of again',
      'what is no transaction is refused, and told by the name of the field',
    ])
  })
})
