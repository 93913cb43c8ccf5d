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

/** @param expire called once, when `firstByteMs` passed without a byte of the body, or `idleMs` after one */
export function deadlineOf(limits: { firstByteMs: number; idleMs: number }, expire: () => void): Deadline {
  let timer: NodeJS.Timeout | null = null
  let limitMs = Math.min(limits.firstByteMs, LONGEST_TIMER_MS)
  let isPaused = false
  const arm = () => {
    timer = setTimeout(fire, limitMs)
    timer.unref()
  }
  const fire = () => {
    if (!isPaused) expire()
  }
  return {
    start: arm,
    progress() {
      const idleMs = Math.min(limits.idleMs, LONGEST_TIMER_MS)
      if (limitMs === idleMs) {
        timer?.refresh()
        return
      }
      limitMs = idleMs
      if (timer !== null) clearTimeout(timer)
      arm()
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      timer?.refresh()
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
