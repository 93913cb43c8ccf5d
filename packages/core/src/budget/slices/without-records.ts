import type { UsageStore } from '../../cost/store.js'
import type { BudgetStore, ExpiredReservation, Grant, Settlement } from '../store.js'

/**
 * A store that keeps nothing beside its ledger, since whoever asks it does so himself: what it is given to keep is held
 * back. But where it keeps usage in the store that is asked for costs, it does so for a lost call, and does not tell of that.
 *
 * @param noteExpired told of all that any step has ended for its lease
 */
export function withoutRecords(
  store: BudgetStore,
  usage: UsageStore | undefined,
  noteExpired: (expired: readonly ExpiredReservation[]) => void,
): BudgetStore {
  const keepsUsage = usage !== undefined && store.persists?.usage === usage
  const expired = (told: readonly ExpiredReservation[]) => {
    noteExpired(told)
    return keepsUsage ? told.map(withoutUsage) : [...told]
  }
  const settlement = (told: Settlement) => (keepsUsage ? withoutReversal(told) : told)
  const granted = (grant: Grant) => (grant.expired.length === 0 ? grant : { ...grant, expired: expired(grant.expired) })
  return {
    reserve: async ({ intent: _intent, ...request }) =>
      granted(await store.reserve({ ...request, usageElsewhere: !keepsUsage })),
    extend: (id, ask) => store.extend(id, ask),
    renew: (running, leaseMs) => store.renew(running, leaseMs),
    settle: async (id, actual) => settlement(await store.settle(id, actual)),
    release: async (id) => settlement(await store.release(id)),
    expire: async (policy) => expired(await store.expire(policy)),
    read: (pools, now) => store.read(pools, now),
    list: (filter) => store.list(filter),
    credit: (pool, credit, now) => store.credit(pool, credit, now),
    refund: (refund) => store.refund(refund),
    entries: (pool, page) => store.entries(pool, page),
    find: (query) => store.find(query),
    define: (pool, terms) => store.define(pool, terms),
    freeze: (pool, frozen) => store.freeze(pool, frozen),
    overrides: () => store.overrides(),
    forget: (pool) => store.forget(pool),
    ...(store.check !== undefined && { check: () => store.check!() }),
    // What is done in the host's transaction is recorded in it, by the store, or not at all.
    ...(store.join !== undefined && {
      join(transaction) {
        const joined = store.join!(transaction)
        return {
          ...(joined.persists !== undefined && { persists: joined.persists }),
          reserve: async (request) => granted(await joined.reserve(request)),
          settle: async (id, actual, records) => settlement(await joined.settle(id, actual, records)),
          release: async (id, records) => settlement(await joined.release(id, records)),
        }
      },
    }),
  }
}

function withoutUsage({ usage: _usage, ...expired }: ExpiredReservation): ExpiredReservation {
  return expired
}

function withoutReversal({ reversal: _reversal, ...settlement }: Settlement): Settlement {
  return settlement
}
