import type { RateStore } from '@hoosh/core/storage'
import { ADD, TAKE } from './scripts/rates.js'
import type { Server } from './server.js'

/** Sliding windows that all processes share, exact to the gateways' clocks. */
export function redisRates(server: Server): RateStore {
  return {
    async take(asks, now) {
      const words = asks.flatMap(({ key, limit, windowMs, cost }) => [
        key,
        String(limit),
        String(windowMs),
        String(cost),
      ])
      const [word, key, retryAfterMs] = await server.run(TAKE, [String(now), String(asks.length), ...words])
      if (word === 'ok') return { ok: true }
      return { ok: false, key: String(key), retryAfterMs: Number(retryAfterMs) }
    },
    async add(key, cost, windowMs, now) {
      await server.run(ADD, [String(now), key, String(cost), String(windowMs)])
    },
  }
}
