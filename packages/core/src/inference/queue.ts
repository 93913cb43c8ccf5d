import type { PoolAsk } from '../budget/store.js'
import { HooshError } from '../errors.js'
import type { Candidate } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'

/** A client that comes back sooner finds the same queue, ms. */
const COME_BACK_MS = 1_000

/**
 * Waits until a route with all its places taken has one for this call. What is held stays held meanwhile.
 *
 * @returns a candidate whose place is taken; null where there is none to wait for
 * @throws HooshError `providers_busy`: the queue is full, or `deadlines.queueMs` has passed in it
 */
export async function nextFree(
  engine: Engine,
  call: Call,
  held: CallHold,
  busy: Candidate[],
  asks: readonly PoolAsk[],
): Promise<Candidate | null> {
  const candidate = busy.shift()
  const places = candidate?.route.places
  if (candidate === undefined || places === undefined) return null
  const waiter = { pool: call.pools[0]!, weight: weightOf(engine, asks), tier: call.tier }
  const turn = places.wait(waiter, held.cut, engine.settings.deadlines.queueMs)
  if (turn === null) throw busyError(candidate, 'as many calls waiting as it may')
  held.position = turn.position
  if (await turn.came) {
    held.places = places
    return candidate
  }
  if (held.cut.aborted) throw held.cut.reason
  throw busyError(candidate, 'been busy for longer than a call waits')
}

function weightOf(engine: Engine, [first]: readonly PoolAsk[]): number {
  const weight = first === undefined ? undefined : engine.pools.effective(first)?.limits?.weight
  return Math.max(1, weight ?? 1)
}

/** Whoever comes from the queue has his place already. */
export function takePlace({ route }: Candidate, held: CallHold): boolean {
  const { places } = route
  if (places === undefined || held.places === places) return true
  if (!places.take()) return false
  held.places = places
  return true
}

/** Gives back the place on the route that was tried. */
export function leavePlace(held: CallHold): void {
  held.places?.leave()
  held.places = undefined
}

function busyError({ route }: Candidate, why: string): HooshError {
  return new HooshError('providers_busy', {
    message: `The provider "${route.name}" has ${why}.`,
    details: { retryAfterMs: COME_BACK_MS },
  })
}
