import type { Logger } from '../options.js'
import type { Checks } from './checks.js'

/** How often new entries are checked, of a hundred chains at a time. */
const TICK_MS = 250
/** At each so manieth time a batch of old ones is checked again: 256 entries a second, 0.3 % of a core. */
const TICKS_A_STEP = 4
/** From each so manieth on the chains are compared with their checkpoints, a hundred at a time: once a minute, if they are not thousands. */
const TICKS_A_COMPARISON = 240

/**
 * What the log does on the side: the small things at each tick, verifying one round at a time.
 *
 * @param sweep must not throw
 */
export function createClockwork(
  { checks, logger }: { readonly checks: Checks; readonly logger?: Logger },
  sweep: () => void,
): { start(): void; stop(): Promise<void> } {
  let ticker: NodeJS.Timeout | undefined
  let running: Promise<void> | null = null
  let isFailing = false
  let ticks = 0
  let isComparing = false
  const end = new AbortController()
  // Whatever there is, a round takes about as long: only at first all of it is looked at.
  const look = async () => {
    if (ticks === 0) {
      await checks.verifier.follow(end.signal)
      return checks.compare(end.signal)
    }
    await checks.verifier.look(end.signal)
    isComparing ||= ticks % TICKS_A_COMPARISON === 0
    if (isComparing) isComparing = !(await checks.compareSome(end.signal))
  }
  const round = async () => {
    try {
      await look()
      if (++ticks % TICKS_A_STEP === 0) await checks.verifier.step()
      isFailing = false
    } catch (error) {
      if (!isFailing) logger?.warn({ err: error }, 'the audit log cannot be read to verify it')
      isFailing = true
    }
    running = null
  }
  const tick = () => {
    sweep()
    running ??= round()
  }
  return {
    start: () => {
      ticker = setInterval(tick, TICK_MS).unref()
      tick()
    },
    stop: async () => {
      clearInterval(ticker)
      end.abort()
      await running
    },
  }
}
