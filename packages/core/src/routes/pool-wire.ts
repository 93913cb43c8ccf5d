import { usdText } from '../amount.js'
import { snapshotOf } from '../budget/snapshot.js'
import type { PoolState } from '../budget/store.js'

/** A pool on the wire: tokens at the top, as old clients read them; money beside. */
export function wirePool(state: PoolState): Record<string, unknown> {
  const pool = snapshotOf(state)
  const { capacity, available, used, held } = pool
  return {
    name: pool.name,
    capacity: capacity.tokens ?? null,
    used: used.tokens,
    reserved: held.tokens,
    available: available.tokens ?? null,
    window: pool.window,
    window_start: pool.windowStart,
    resets_at: pool.resetsAt,
    ...(pool.frozen && { frozen: true }),
    ...(capacity.nanoUsd === undefined
      ? {}
      : {
          usd: {
            capacity: usdText(capacity.nanoUsd),
            used: usdText(used.nanoUsd),
            reserved: usdText(held.nanoUsd),
            available: usdText(available.nanoUsd ?? 0),
          },
        }),
  }
}
