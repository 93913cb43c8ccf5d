import type { Amount, Capacity } from '../amount.js'
import type { Window } from '../options.js'
import { leftOf } from './grant.js'
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
  /**
   * What is left of the window and of the credits, never below 0, only the units that are capped. Of a frozen pool too: what it
   * has once it is none.
   */
  available: Capacity
  /** Those that can be spent now, in the order they are. */
  credits: CreditSnapshot[]
}

/** One credit of a pool as its owner sees it. */
export interface CreditSnapshot {
  id: string
  /** As it was given. */
  amount: Amount
  /** Neither spent nor held. */
  left: Amount
  /** ISO 8601; null for never. */
  expiresAt: string | null
  note: string | null
}

/** A store's figures as their owner may see and keep them. */
export function snapshotOf(state: PoolState): PoolSnapshot {
  const { name, terms, windowStart, windowEnd, used, held, credits } = state
  const available: Capacity = {}
  for (const unit of ['tokens', 'nanoUsd'] as const) {
    if (terms.capacity[unit] !== undefined) available[unit] = Math.max(0, leftOf(state, unit))
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
    credits: credits.map(({ id, amount, left, expiresAt, note }) => ({
      id,
      amount: { ...amount },
      left: { ...left },
      expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
      note,
    })),
  }
}
