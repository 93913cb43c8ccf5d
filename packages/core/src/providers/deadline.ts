/** Longer than this, `setTimeout` would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647

/** First-byte and idle time of one attempt on one timer. It does not run while paused: then it is us who are slow. */
export interface Deadline {
  /** The request went out. */
  start(): void
  /** Bytes came. */
  progress(): void
  pause(): void
  resume(): void
  stop(): void
}

/**
 * A timer is not moved with every chunk, which would cost more than the chunk: it looks, when it fires, how long ago
 * the last one came.
 *
 * @param expire called once, when `firstByteMs` passed without a byte of the body, or `idleMs` after one
 */
export function deadlineOf(limits: { firstByteMs: number; idleMs: number }, expire: () => void): Deadline {
  let timer: NodeJS.Timeout | null = null
  let hasBytes = false
  let isPaused = false
  /** Milliseconds of the process, which no step of the clock moves. */
  let since = 0
  const limitMs = () => Math.min(hasBytes ? limits.idleMs : limits.firstByteMs, LONGEST_TIMER_MS)
  const arm = (ms: number) => {
    timer = setTimeout(fire, ms)
    timer.unref()
  }
  const fire = () => {
    // Timers may fire a little early: rounded up, the next one does not.
    const leftMs = isPaused ? limitMs() : Math.ceil(since + limitMs() - performance.now())
    if (leftMs > 0) arm(leftMs)
    else expire()
  }
  return {
    start() {
      since = performance.now()
      arm(Math.min(limits.firstByteMs, limits.idleMs, LONGEST_TIMER_MS))
    },
    progress() {
      since = performance.now()
      hasBytes = true
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      since = performance.now()
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
