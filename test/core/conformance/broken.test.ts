import {
  auditCases,
  budgetStoreCases,
  cacheStoreCases,
  joinedBudgetCases,
  keyStoreCases,
  rateStoreCases,
  usageStoreCases,
} from '@hoosh/core/conformance'
import {
  type AuditStore,
  type BudgetStore,
  type CacheStore,
  decide,
  type KeyStore,
  memoryAudit,
  memoryBudgets,
  memoryCache,
  memoryKeys,
  memoryRates,
  type RateStore,
  type ReserveRequest,
  type UsageStore,
} from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'

/** A store that breaks one of its promises, and the cases that say so: first the one that is named after it. */
interface Broken<Store> {
  readonly how: string
  readonly told: readonly [promise: string, ...others: string[]]
  breakIt(store: Store): Store
}

interface Case<Harness> {
  readonly name: string
  run(harness: Harness): Promise<void>
}

async function failing<Harness>(cases: readonly Case<Harness>[], harness: () => Harness): Promise<string[]> {
  const names: string[] = []
  for (const { name, run } of cases) await run(harness()).catch(() => names.push(name))
  return names
}

/** Credits and refunds are built on holds and their ends, so a fault of those may be met there as well. */
const BUILT_ON = /credit|refund|given back/

/** Every case on a store as it should be, and on each that is broken. */
function shown<Store, Harness>(
  cases: readonly Case<Harness>[],
  harnessOf: (broken: (store: Store) => Store) => Harness,
  stores: readonly Broken<Store>[],
): void {
  it('a store that keeps its promises passes all cases', async () => {
    expect(await failing(cases, () => harnessOf((store) => store))).toEqual([])
  })

  it.each(stores)('$how: told by the name of the promise', async ({ told, breakIt }) => {
    const others = (name: string) => told.includes(name) || !BUILT_ON.test(name)
    expect((await failing(cases, () => harnessOf(breakIt))).filter(others).sort()).toEqual([...told].sort())
  })
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
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
    told: ['a release ends the hold at zero; again it changes nothing, and a settle after it is a conflict'],
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
    told: ['where every pool has eight times as much left, `plenty` is held in place of `fixed`'],
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
      'a settle or a release after the expiry says what takes that record back, and says it again',
    ],
    breakIt: (store) => ({
      ...store,
      expire: async (policy) => (await store.expire(policy)).map(({ usage: _usage, ...expired }) => expired),
    }),
  },
  {
    how: 'sees no freeze that a template says',
    told: ['a frozen pool takes no hold, not even of nothing, and is told of before one that is empty'],
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

describe('limits', () => {
  shown<RateStore, { open(): RateStore }>(
    rateStoreCases,
    (breakIt) => {
      const store = breakIt(memoryRates())
      return { open: () => store }
    },
    [
      {
        how: 'takes from one window after the other',
        told: [
          'a take over several windows takes from all or from none, and names the one with the longest wait',
          'an answer says what each window still gives and when it is empty, granted or not, in the order asked',
        ],
        breakIt: (store) => ({
          ...store,
          async take(asks, now) {
            if (asks.length === 1) return store.take(asks, now)
            for (const ask of asks) if (!(await store.take([ask], now)).ok) return store.take(asks, now)
            const free = asks.map((ask) => ({ ...ask, cost: 0 }))
            return { ok: true, at: now, windows: (await store.take(free, now)).windows }
          },
        }),
      },
      {
        how: 'begins its windows at the full minute',
        told: [
          'the window slides: each event is forgotten exactly when its own time is over',
          'a window takes as much as its limit, then says how long to wait',
          'a take over several windows takes from all or from none, and names the one with the longest wait',
          'what is added afterwards is never refused, counts, and may pass the limit',
          'an answer says what each window still gives and when it is empty, granted or not, in the order asked',
          'what may pass the limit is granted while anything is left, and counts in full',
          'what is given back is free again, once, and never more than was taken',
        ],
        breakIt: (store) => ({ ...store, take: (asks, now) => store.take(asks, now - (now % 60_000)) }),
      },
      {
        how: 'lets who has left come back by renewing',
        told: ['who has left does not come back by renewing'],
        breakIt: (store) => ({
          ...store,
          async stay(staying, leaseMs, now) {
            for (const { id, keys } of staying) {
              const places = keys.map((key) => ({ key, limit: 100 }))
              await store.enter(id, places, leaseMs, now)
            }
            await store.stay(staying, leaseMs, now)
          },
        }),
      },
    ],
  )
})

describe('keys', () => {
  shown<KeyStore, { open(): KeyStore }>(
    keyStoreCases,
    (breakIt) => {
      const store = breakIt(memoryKeys())
      return { open: () => store }
    },
    [
      {
        how: 'looks at the version first and writes later',
        told: ['of many that change the same version exactly one does'],
        breakIt: (store) => ({
          ...store,
          async replace(key) {
            const known = await store.get(key.id)
            await turn()
            if (known?.version !== key.version - 1) return false
            await store.remove(key.id)
            return store.add(key)
          },
        }),
      },
      {
        how: 'keeps what was removed',
        told: ['a key that was removed is gone, and removing it again is fine'],
        breakIt: (store) => ({ ...store, remove: () => undefined }),
      },
    ],
  )
})

describe('the cache', () => {
  shown<CacheStore, { open(): CacheStore; advance(ms: number): void }>(
    cacheStoreCases,
    (breakIt) => {
      const clock = fakeClock(1_700_000_000_000)
      const store = breakIt(memoryCache({ clock: clock.now }))
      return { open: () => store, advance: (ms) => void clock.advance(ms) }
    },
    [
      {
        how: 'looks first and puts later',
        told: [
          'of many that race for a key exactly one wins, and all others are told what it wrote',
          'a key whose time is over is won by one of many too',
        ],
        breakIt: (store) => ({
          ...store,
          async putIfAbsent(key, value, ttlMs) {
            const stands = await store.get(key)
            await turn()
            if (stands === null) await store.put(key, value, ttlMs)
            return stands
          },
        }),
      },
      {
        how: 'takes upper and lower case for one',
        told: ['keys are told apart by every character, up to 512 of them'],
        breakIt: (store) => ({
          ...store,
          get: (key) => store.get(key.toLowerCase()),
          put: (key, value, ttlMs) => store.put(key.toLowerCase(), value, ttlMs),
          putIfAbsent: (key, value, ttlMs) => store.putIfAbsent(key.toLowerCase(), value, ttlMs),
          delete: (key) => store.delete(key.toLowerCase()),
        }),
      },
    ],
  )
})

describe('the audit log', () => {
  shown<AuditStore, { open(): AuditStore }>(
    auditCases,
    (breakIt) => {
      const store = breakIt(memoryAudit())
      return { open: () => store }
    },
    [
      {
        how: 'counts what does not match',
        told: ['filters narrow what is shown and what is counted; times are inclusive'],
        breakIt: (store) => ({
          ...store,
          query: async (filter) => ({ ...(await store.query(filter)), total: (await store.query({ limit: 1 })).total }),
        }),
      },
      {
        how: 'says yes to a checkpoint that is too late',
        told: [
          'one of another head or epoch is refused, and nothing is done',
          'two handles sign one head: one does, the other is told no',
        ],
        breakIt: (store) => ({
          ...store,
          async checkpoint(writer, at, checkpoint) {
            await store.checkpoint(writer, at, checkpoint)
            return true
          },
        }),
      },
      {
        how: 'takes a cursor of nobody for the beginning',
        told: ['a cursor that the store never gave is refused'],
        breakIt: (store) => ({
          ...store,
          async query(filter) {
            try {
              return await store.query(filter)
            } catch {
              return { entries: [], total: 0 }
            }
          },
        }),
      },
    ],
  )
})

describe('usage', () => {
  shown<UsageStore, { open(): UsageStore }>(
    usageStoreCases,
    (breakIt) => {
      const store = breakIt(memoryUsage())
      return { open: () => store }
    },
    [
      {
        how: 'tells a user of others',
        told: ['who asks for a user or a pool is told nothing of others'],
        breakIt: (store) => ({ ...store, totals: ({ user: _user, ...filter }) => store.totals(filter) }),
      },
      {
        how: 'forgets which records it had with a reset',
        told: ['after a reset totals begin anew, and an old record does not count again'],
        breakIt(first) {
          let store = first
          return {
            record: (records) => store.record(records),
            totals: (filter) => store.totals(filter),
            reset: () => {
              store = memoryUsage()
            },
          }
        },
      },
    ],
  )
})
