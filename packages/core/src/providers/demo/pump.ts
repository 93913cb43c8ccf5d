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
    cancel ??= everyMs === 0 ? inNextTurn(turn) : after(everyMs, turn)
  }
  const turn = () => {
    cancel = null
    if (sent >= breaksAfter) {
      flow.fail(new HooshError('provider_error', { message: 'The demo provider broke off, as this model does.' }))
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

function inNextTurn(run: () => void): () => void {
  const immediate = setImmediate(run)
  return () => clearImmediate(immediate)
}

/** Not unref'd: an answer under way keeps the process alive, as a provider's socket would. */
function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
