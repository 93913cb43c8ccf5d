import type { Amount, Capacity } from '../amount.js'
import type { Window } from '../options.js'

/** One pool as its owner sees it. */
export interface PoolSnapshot {
  name: string
  window: Window
  /** ISO 8601; null for a lifetime pool, as is `resetsAt`. */
  windowStart: string | null
  resetsAt: string | null
  /** Only the units that are capped. */
  capacity: Capacity
  used: Amount
  held: Amount
  /** capacity - used - held, never below 0, only the units that are capped. */
  available: Capacity
}
