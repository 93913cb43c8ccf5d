import { HooshError } from '@hoosh/core/storage'

/** Waits for answers of one server, and knows when it is silent. */
export interface Patience {
  /** The server's clock at the latest, by what it has said so far; infinite before it has said anything. */
  serverTime(): number
  /** How long its answers take now: the longest of late, sinking with each shorter one, ms. */
  lagMs(): number
  /** Takes note of what the server's clock was at some time between `sentAt` and now, both on this process's own. */
  noteTime(serverTime: number, sentAt: number): void
  /**
   * An answer, or `store_unavailable` where the server has said nothing to anybody for `silentMs`, or not to this for
   * `longest` times that. A burst of calls that are answered in turn is no silence.
   */
  answer<T>(sending: Promise<T>, silentMs: number): Promise<T>
}

/** Times that this process looks for answers in a usual silence. */
const LOOKS = 8

/** What is left of the lag after each shorter answer. */
const LAG_SINKS = 0.95

interface Waiting {
  readonly since: number
  /** In looks. */
  readonly patience: number
  giveUp(): void
}

/** How long is waited. */
export interface PatienceOptions {
  /** A clock that never steps, in milliseconds. */
  readonly now: () => number
  /** The usual `silentMs`. */
  readonly usualMs: number
  /** The longest wait for one answer while others come, in times of `silentMs`. */
  readonly longest: number
}

/**
 * Silence is counted in looks of this process, each with a turn of its event loop for what lies in the socket: where the
 * process itself got no time, the server has been silent for no longer.
 */
export function patience({ now, usualMs, longest }: PatienceOptions): Patience {
  const lookMs = Math.max(1, usualMs / LOOKS)
  const waiting = new Set<Waiting>()
  let looks = 0
  let heard = 0
  let isLooking = false
  let lagMs = 0
  // The server's clock minus ours, as an interval that each answer makes smaller.
  let ahead = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY }

  const look = () => {
    looks += 1
    for (const one of waiting) {
      const isSilent = looks - Math.max(one.since, heard) > one.patience
      if (isSilent || looks - one.since > longest * one.patience) one.giveUp()
    }
    isLooking = false
    lookOn()
  }
  const lookOn = () => {
    if (isLooking || waiting.size === 0) return
    isLooking = true
    setTimeout(() => setImmediate(look), lookMs)
  }

  return {
    serverTime: () => now() + ahead.most,
    lagMs: () => lagMs,
    noteTime(serverTime, sentAt) {
      const least = serverTime - now()
      const most = serverTime - sentAt
      lagMs = Math.max(now() - sentAt, LAG_SINKS * lagMs)
      const hasStepped = least > ahead.most || most < ahead.least
      ahead = hasStepped ? { least, most } : { least: Math.max(least, ahead.least), most: Math.min(most, ahead.most) }
    },
    answer: (sending, silentMs) =>
      new Promise((resolve, reject) => {
        const one: Waiting = {
          since: looks,
          patience: Math.ceil(silentMs / lookMs),
          giveUp() {
            waiting.delete(one)
            reject(new HooshError('store_unavailable', { message: 'Redis does not answer; try again.' }))
          },
        }
        waiting.add(one)
        lookOn()
        sending.then(
          (value) => {
            waiting.delete(one)
            heard = looks
            resolve(value)
          },
          (cause: unknown) => {
            waiting.delete(one)
            reject(cause)
          },
        )
      }),
  }
}
