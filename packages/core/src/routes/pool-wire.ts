import { type Amount, usdText } from '../amount.js'
import { type CreditSnapshot, snapshotOf } from '../budget/snapshot.js'
import type { Entry, PoolState } from '../budget/store.js'

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
    ...(pool.credits.length > 0 && { credits: pool.credits.map(wireCredit) }),
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

function wireCredit({ id, amount, left, expiresAt, note }: CreditSnapshot): Record<string, unknown> {
  return { id, ...wireAmount(amount), left: wireAmount(left), expires_at: expiresAt, note }
}

/** An entry of a pool. A refund is negative: that is what it changed the pool's use by. */
export function wireEntry(entry: Entry): Record<string, unknown> {
  const { id, kind, reservation, windowStart, amount, overrun, at, reference, note } = entry
  return {
    id,
    kind,
    at: new Date(at).toISOString(),
    reservation_id: reservation,
    window_start: windowStart === null || windowStart === 0 ? null : new Date(windowStart).toISOString(),
    ...wireAmount(amount),
    overrun: wireAmount(overrun),
    reference,
    note,
  }
}

function wireAmount({ tokens, nanoUsd }: Amount): { tokens: number; usd: string } {
  return { tokens, usd: usdText(nanoUsd) }
}
