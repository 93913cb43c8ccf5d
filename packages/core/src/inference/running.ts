import type { Amount } from '../amount.js'
import type { Cancel } from '../cancel.js'
import { HooshError, shuttingDown } from '../errors.js'
import type { CallHold } from './call.js'

/** Calls and host reservations whose holds this process keeps alive. */
export interface RunningCalls {
  /**
   * A call that is on its way to its hold: the end waits for it too.
   *
   * @throws HooshError `shutting_down` once no more are taken
   */
  arrive(): void
  /** It has got there, or was refused. */
  arrived(): void
  /** Takes no more calls. */
  close(): void
  add(running: RunningCall): void
  /** A hold of the host's own: kept alive until then, or until it is gone, and nothing to wait for at the end. */
  addReservation(running: RunningCall, until: number): void
  remove(running: RunningCall): void
  /** One heartbeat for all of them; those whose hold is gone are cut off. */
  renew(renew: (running: { id: string; counted: Amount }[]) => Promise<string[]> | string[]): Promise<void>
  /** Writes a comment into every stream that has been silent for long. */
  ping(now: number): void
  /** Resolves when nothing runs any more, or is on its way. */
  idle(): Promise<void>
  /** Ends everything that runs with this reason; what is still on its way will end as soon as it runs. */
  cutAll(reason: HooshError): void
}

export interface RunningCall {
  readonly id: string
  /** What was used so far, by our own count. */
  counted(): Amount
  readonly cut: Cancel
  ping?(now: number): void
  /** Told of each heartbeat that reached the store, on the gateway's clock. */
  renewedAt: number
}

export function runningCalls(limits: { leaseMs: number; clock: () => number }): RunningCalls {
  const calls = new Set<RunningCall>()
  const reservations = new Map<RunningCall, number>()
  let arriving = 0
  let isClosed = false
  let cutReason: HooshError | null = null
  let waiting: (() => void)[] = []
  const isIdle = () => calls.size === 0 && (arriving === 0 || cutReason !== null)
  const tellIdle = () => {
    if (!isIdle()) return
    for (const resolve of waiting) resolve()
    waiting = []
  }
  return {
    arrive() {
      if (isClosed) throw shuttingDown()
      arriving += 1
    },
    arrived() {
      arriving -= 1
      tellIdle()
    },
    close() {
      isClosed = true
    },
    add(running) {
      calls.add(running)
      if (cutReason !== null) running.cut.abort(cutReason)
    },
    addReservation: (running, until) => void reservations.set(running, until),
    remove(running) {
      reservations.delete(running)
      if (calls.delete(running)) tellIdle()
    },
    renew(renew) {
      const now = limits.clock()
      for (const [reservation, until] of reservations) if (until <= now) reservations.delete(reservation)
      return heartbeat([...calls, ...reservations.keys()], renew, limits, (gone) => reservations.delete(gone))
    },
    ping(now) {
      for (const call of calls) call.ping?.(now)
    },
    idle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    cutAll(reason) {
      cutReason = reason
      for (const call of calls) call.cut.abort(reason)
    },
  }
}

async function heartbeat(
  beating: readonly RunningCall[],
  renew: (running: { id: string; counted: Amount }[]) => Promise<string[]> | string[],
  { leaseMs, clock }: { leaseMs: number; clock: () => number },
  forget: (gone: RunningCall) => void,
): Promise<void> {
  if (beating.length === 0) return
  try {
    const lost = new Set(await renew(beating.map(({ id, counted }) => ({ id, counted: counted() }))))
    for (const call of beating) {
      if (!lost.has(call.id)) {
        call.renewedAt = clock()
        continue
      }
      call.cut.abort(new HooshError('lease_lost'))
      // Not before its lease would be over: the host's transaction that holds it may be open still.
      if (clock() - call.renewedAt >= leaseMs) forget(call)
    }
  } catch {
    // The store is away: a call goes on within the lease it has.
    for (const call of beating) {
      if (clock() - call.renewedAt >= leaseMs) call.cut.abort(new HooshError('lease_lost'))
    }
  }
}

/** A paid call as one of those that run. */
export function runningCall(
  held: CallHold,
  counted: () => Amount,
  now: number,
  ping?: (now: number) => void,
): RunningCall {
  return { id: held.id, counted, cut: held.cut, renewedAt: now, ...(ping === undefined ? {} : { ping }) }
}
