import type { CancelSignal } from '../cancel.js'
import type { UpstreamFailure } from '../providers/provider.js'
import type { Candidate } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'

/** A wait that is worth while a caller looks on, ms; whoever says later is not waited for. */
const SOON_MS = 1_000
/** Width of the first jitter, ms; it doubles with each attempt. */
const JITTER_MS = 50

/** A candidate that may be asked a second time, and the moment before which it need not be tried. */
export interface Again {
  readonly candidate: Candidate
  readonly at: number
}

/**
 * Whether the same route may be asked again after all others: it said soon itself, or the connection went away before
 * anything was sent. Nothing else is worth the load: what failed once fails twice.
 */
export function againAfter(failure: UpstreamFailure, candidate: Candidate, now: number): Again | null {
  if (failure.connectionLost === true) return { candidate, at: now }
  const { retryAfterMs } = failure
  return retryAfterMs !== undefined && retryAfterMs <= SOON_MS ? { candidate, at: now + retryAfterMs } : null
}

/**
 * The candidate to ask again, once its time has come: the earliest, with full jitter on top, so that callers who failed
 * together do not come back together. Null where the call's time, or the retry budget, has no room for it.
 *
 * @param waiting what is left to ask again; the one returned is taken out, and never put back
 */
export async function nextAgain(
  engine: Engine,
  call: Call,
  held: CallHold,
  waiting: Again[],
): Promise<Candidate | null> {
  if (waiting.length === 0) return null
  waiting.sort((a, b) => a.at - b.at)
  const { candidate, at } = waiting.shift()!
  const now = engine.clock()
  const waitMs = Math.max(0, at - now) + Math.floor(engine.chance() * JITTER_MS * 2 ** held.attempts)
  const { totalMs } = engine.settings.deadlines
  if (totalMs !== undefined && now + waitMs >= call.startedAt + totalMs) return null
  if (!engine.retryBudget.spend()) return null
  await slept(waitMs, held.cut)
  return candidate
}

/** Waits, but not on once the call has been cut off. */
function slept(ms: number, signal: CancelSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
