import { auditCases, cacheStoreCases, keyStoreCases, rateStoreCases, usageStoreCases } from '@hoosh/core/conformance'
import {
  type AuditStore,
  type CacheStore,
  type KeyStore,
  memoryAudit,
  memoryCache,
  memoryKeys,
  memoryRates,
  type RateStore,
  type UsageStore,
} from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe } from 'vitest'
import { memoryUsage } from '../../../packages/core/src/cost/memory-store.js'
import { shown, turn } from './shown.js'

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
          'a window is as long as it was asked for: a second, a minute, an hour',
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
          'what putIfAbsent wrote, up to 4,096 bytes, is kept whole, and not pushed out by whatever else is put',
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
