import type { PoolAsk } from '@hoosh/core/storage'

/** What the steps of a transaction must find in the books. */
export interface LedgerNeeds {
  readonly reservations: Set<string>
  /** Pools to hold in, and the gateway's clock, which chooses the window. */
  readonly asks: { readonly pool: PoolAsk; readonly now: number }[]
  /** Pools without regard to any window. */
  readonly pools: Set<string>
  /** Owners whose open reservations count. */
  readonly owners: Set<string>
  /** Credits whatever is left of them. */
  readonly credits: { readonly pool: string; readonly credit: string }[]
  /** Overdue holds to be found, of any pool. */
  overdue: number
}
