import { nothing } from '../amount.js'
import { cancel } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { HostAmount, HostReservation, ReservationOptions } from '../host.js'
import type { Caller } from '../identity/caller.js'
import type { Engine } from './engine.js'
import { amountOf, usedOf } from './host-amount.js'
import { tellOfPools } from './pool-events.js'
import { endReservation, type Holder, takeReservation } from './reservations.js'
import type { RunningCall } from './running.js'
import { asksOf } from './runs.js'

/** How long a host's reservation is kept alive, ms. */
const LONGEST_MS = 3_600_000

/**
 * Holds an amount in all pools of a caller for the host's own work, renewed until it ends, at most an hour.
 *
 * What is done in a transaction of the host's may be undone with it, so it says nothing of whether the hold stands: the
 * heartbeat finds that out.
 *
 * @throws HooshError `invalid_options` (a transaction that cannot be joined), `invalid_request` (nothing, or no whole
 *   amounts), `budget_exceeded`, `store_unavailable`
 */
export async function hostReservation(
  { engine, caller, requestId }: { engine: Engine; caller: Caller; requestId: string },
  amount: HostAmount,
  options: ReservationOptions,
): Promise<HostReservation> {
  const fixed = amountOf(amount)
  if (fixed.tokens + fixed.nanoUsd === 0)
    throw new HooshError('invalid_request', { message: 'amount: reserve tokens, usd, or both' })
  const id = engine.ids()
  const { leaseMs, onExpire } = engine.settings.budget
  const ask = { fixed, each: nothing, floor: 0, wish: 0, atMost: 0 }
  const asks = await asksOf(engine, caller)
  const startedAt = engine.clock()
  const holder: Holder = { caller, requestId, via: 'host' }
  const request = {
    id,
    owner: caller.user,
    phase: 'reserved',
    pools: asks,
    ask,
    leaseMs,
    now: startedAt,
    onExpire,
  } as const
  await takeReservation(engine, holder, request, options.transaction)
  const running: RunningCall = { id, counted: () => fixed, cut: cancel(), renewedAt: startedAt }
  engine.running.addReservation(running, startedAt + LONGEST_MS)
  return {
    id,
    async settle(actual, how = {}) {
      const charged = usedOf(actual)
      const settlement = await endReservation(engine, holder, { id, pool: asks[0]?.name }, charged, how.transaction)
      if (how.transaction === undefined) engine.running.remove(running)
      tellOfPools(engine, requestId, settlement, charged)
    },
    async release(how = {}) {
      await endReservation(engine, holder, { id, pool: asks[0]?.name }, null, how.transaction)
      if (how.transaction === undefined) engine.running.remove(running)
    },
  }
}
