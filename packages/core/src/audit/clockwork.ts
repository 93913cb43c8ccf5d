import type { Logger } from '../options.js'
import type { Checks } from './checks.js'

/** How often new entries are checked. */
const TICK_MS = 250
/** At each so manieth time a batch of old ones is checked again: 256 entries a second, 0.3 % of a core. */
const TICKS_A_STEP = 4
/** At each so manieth, the first among them, the chains are compared with their checkpoints: once a minute. */
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
  const end = new AbortController()
  const round = async () => {
    try {
      await checks.verifier.follow(end.signal)
      if (ticks % TICKS_A_COMPARISON === 0) await checks.compare(end.signal)
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
