import type { RateAnswer, RateAsk, RateStore, RateWindow } from '@hoosh/core/storage'
import { ENTER, LEAVE, STAY } from './scripts/places.js'
import { ADD, GIVE_BACK, TAKE } from './scripts/rates.js'
import type { Server } from './server.js'

/** Sliding windows and places that all processes share, exact by the gateways' clocks. */
export function redisRates(server: Server): RateStore {
  return {
    take: (asks, now) => take(server, asks, now),
    async add(key, cost, windowMs, now) {
      await server.run(ADD, [String(now), key, String(cost), String(windowMs)])
    },
    async giveBack(key, cost, windowMs, at) {
      await server.run(GIVE_BACK, [String(at), key, String(cost), String(windowMs)])
    },
    async enter(id, places, leaseMs, now) {
      const words = places.flatMap(({ key, limit }) => [key, String(limit)])
      const [word, key] = await server.run(ENTER, [String(now), String(leaseMs), id, String(places.length), ...words])
      return word === 'full' ? String(key) : null
    },
    async stay(staying, leaseMs, now) {
      const words = staying.flatMap(({ id, keys }) => [id, String(keys.length), ...keys])
      await server.run(STAY, [String(now), String(leaseMs), String(staying.length), ...words])
    },
    async leave({ id, keys }) {
      await server.run(LEAVE, [id, String(keys.length), ...keys])
    },
  }
}

async function take(server: Server, asks: readonly RateAsk[], now: number): Promise<RateAnswer> {
  const words = asks.flatMap(({ key, limit, windowMs, cost, mayPass }) => {
    return [key, String(limit), String(windowMs), String(cost), mayPass === true ? 'may' : '']
  })
  const [word, first, ...rest] = await server.run(TAKE, [String(now), String(asks.length), ...words])
  if (word === 'ok') return { ok: true, at: Number(first), windows: windowsOf(rest[0]) }
  return { ok: false, key: String(first), retryAfterMs: Number(rest[0]), windows: windowsOf(rest[1]) }
}

function windowsOf(rows: unknown): RateWindow[] {
  return (rows as [unknown, unknown][]).map(([remaining, reset]) => {
    return { remaining: Number(remaining), resetMs: Number(reset) }
  })
}
