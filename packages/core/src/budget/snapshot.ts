import type { Amount, Capacity } from '../amount.js'
import type { Window } from '../options.js'
import type { PoolState } from './store.js'

/** One pool as its owner sees it. */
export interface PoolSnapshot {
  name: string
  window: Window
  /** ISO 8601; null for a lifetime pool, as is `resetsAt`. */
  windowStart: string | null
  resetsAt: string | null
  /** Takes no new calls. */
  frozen: boolean
  /** Only the units that are capped. */
  capacity: Capacity
  used: Amount
  held: Amount
  /** capacity - used - held, never below 0, only the units that are capped. Of a frozen pool too: what it has once it is none. */
  available: Capacity
}

/** A store's figures as their owner may see and keep them. */
export function snapshotOf({ name, terms, windowStart, windowEnd, used, held }: PoolState): PoolSnapshot {
  const available: Capacity = {}
  for (const unit of ['tokens', 'nanoUsd'] as const) {
    const cap = terms.capacity[unit]
    if (cap !== undefined) available[unit] = Math.max(0, cap - used[unit] - held[unit])
  }
  return {
    name,
    window: terms.window,
    windowStart: windowEnd === null ? null : new Date(windowStart).toISOString(),
    resetsAt: windowEnd === null ? null : new Date(windowEnd).toISOString(),
    frozen: terms.frozen === true,
    capacity: { ...terms.capacity },
    used: { ...used },
    held: { ...held },
    available,
  }
}
