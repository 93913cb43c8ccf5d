import type { Capacity } from '../amount.js'
import type { Limits, Window } from '../options.js'

/** A pool's spec, checked and in integers: what stores keep and decide by. */
export interface PoolTerms {
  readonly capacity: Capacity
  readonly window: Window
  /** IANA name. */
  readonly timeZone: string
  readonly limits?: Limits
  readonly unpriced: 'refuse' | 'allow'
  /** Takes no new hold, and extends none. Absent is false. */
  readonly frozen?: boolean
}
