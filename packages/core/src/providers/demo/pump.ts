import type { CancelSignal } from '../../cancel.js'
import { HooshError } from '../../errors.js'
import { createInflow } from '../inflow.js'
import type { UpstreamBody } from '../provider.js'

/**
 * Sends pieces one by one, each in a turn of its own, so that a long answer leaves room for others; stops while its
 * consumer is slow, and for good where it has gone.
 *
 * @param everyMs between pieces; 0 for as fast as the event loop goes
 * @param breaksAfter breaks off after so many pieces, as a dying provider does
 */
export function pump(
  pieces: Iterator<string>,
  { signal, everyMs, breaksAfter }: { signal: CancelSignal; everyMs: number; breaksAfter: number },
): UpstreamBody {
  let cancel: (() => void) | null = null
  let sent = 0
  const stop = () => {
    cancel?.()
    cancel = null
  }
  const end = () => {
    stop()
    signal.removeEventListener('abort', aborted)
  }
  const aborted = () => {
    end()
    flow.drop()
  }
  const schedule = () => {
    cancel ??= later(everyMs, turn)
  }
  const turn = () => {
    cancel = null
    if (sent >= breaksAfter) {
      flow.fail(demoBrokeOff())
      return
    }
    const { done, value } = pieces.next()
    if (done === true) {
      flow.end()
      return
    }
    sent += 1
    schedule()
    flow.push(Buffer.from(value))
  }
  const flow = createInflow({ pause: stop, resume: schedule, abort: end, over: end })
  signal.addEventListener('abort', aborted)
  schedule()
  return flow.body
}

export function demoBrokeOff(): HooshError {
  return new HooshError('provider_error', { message: 'The demo provider broke off, as this model does.' })
}

/** Runs in the next turn, or later; what it returns stops it. Not unref'd: an answer under way keeps the process alive. */
export function later(ms: number, run: () => void): () => void {
  if (ms === 0) {
    const immediate = setImmediate(run)
    return () => clearImmediate(immediate)
  }
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
