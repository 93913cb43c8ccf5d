import { type Amount, nothing, plus } from '../amount.js'
import { leftOf } from '../budget/grant.js'
import { snapshotOf } from '../budget/snapshot.js'
import type { ExpiredReservation, PoolState, Settlement } from '../budget/store.js'
import type { Engine } from './engine.js'

const WARNING_THRESHOLDS = [80, 95] as const

/** Tells what a charge did to its pools: what it cost beyond its hold, and the thresholds they have crossed with it. */
export function tellOfPools(
  { events }: Engine,
  requestId: string,
  { pools, booked = pools, overrun, repeated }: Settlement,
  charged: Amount,
): void {
  if (repeated) return
  for (const pool of booked) warn(events, pool, charged)
  if (overrun.tokens > 0 || overrun.nanoUsd > 0) events.emit({ type: 'budget.overrun', requestId, ...overrun })
}

/** Tells the thresholds that were crossed with what holds were charged that have ended together for their leases. */
export function tellOfExpired(events: Engine['events'], expired: readonly ExpiredReservation[]): void {
  const charges = new Map<string, { pool: PoolState; charged: Amount }>()
  for (const { booked = [], charged } of expired) {
    for (const pool of booked) {
      const account = `${pool.windowStart} ${pool.name}`
      charges.set(account, { pool, charged: plus(charged, charges.get(account)?.charged ?? nothing) })
    }
  }
  for (const { pool, charged } of charges.values()) warn(events, pool, charged)
}

/** Tells the thresholds that a charge of a slice has crossed, whatever calls it is made of. */
export function tellOfSlice(events: Engine['events'], { pools, repeated }: Settlement, charged: Amount): void {
  if (!repeated) for (const pool of pools) warn(events, pool, charged)
}

/** Of two thresholds that are crossed at once the higher one is told. */
function warn(events: Engine['events'], pool: PoolState, charged: Amount): void {
  for (const unit of ['tokens', 'nanoUsd'] as const) {
    if (pool.terms.capacity[unit] === undefined) continue
    const most = pool.used[unit] + pool.held[unit] + leftOf(pool, unit)
    if (most === 0) continue
    const now = (pool.used[unit] / most) * 100
    if (now < WARNING_THRESHOLDS[0]) continue // nearly every call ends here
    const before = ((pool.used[unit] - charged[unit]) / most) * 100
    const crossed = WARNING_THRESHOLDS.filter((threshold) => before < threshold && now >= threshold).pop()
    if (crossed !== undefined) events.emit({ type: 'budget.warning', threshold: crossed, pool: snapshotOf(pool) })
  }
}
