import type { RateAnswer, RateStore } from '@hoosh/core/storage'
import type { Batches } from '../batch.js'
import type { RateStep } from './work.js'

/**
 * Rates and places of all processes, in exact sliding windows: an event counts for `windowMs` on the clocks of the
 * gateways, which agree but for what they differ by. Windows longer than a minute are kept in 60,000 steps, each counted until
 * its last event is over, so never too short.
 */
export function sqlRates({ add }: Batches<RateStep>): RateStore {
  return {
    take: async (asks, now) => (await add({ do: 'take', asks, now })) as RateAnswer,
    add: async (key, cost, windowMs, now) => void (await add({ do: 'add', key, cost, windowMs, now })),
    giveBack: async (key, cost, windowMs, at) => void (await add({ do: 'giveBack', key, cost, windowMs, at })),
    enter: async (id, places, leaseMs, now) => (await add({ do: 'enter', id, places, leaseMs, now })) as string | null,
    stay: async (staying, leaseMs, now) => {
      if (staying.length > 0) await add({ do: 'stay', staying, leaseMs, now })
    },
    leave: async (staying) => void (await add({ do: 'leave', staying })),
  }
}
