import { HooshError } from '@hoosh/core/storage'

/** Waits for answers of one server, and knows when it is silent. */
export interface Patience {
  /** The server's clock at the latest, by what it has said so far; infinite before it has said anything. */
  serverTime(): number
  /** Takes note of what the server's clock was at some time between `sentAt` and now, both on this process's own. */
  noteTime(serverTime: number, sentAt: number): void
  /**
   * An answer, or `store_unavailable` where the server has said nothing to anybody for `silentMs`, or not to this for ten
   * times that. A burst of calls that are answered in turn is no silence.
   */
  answer<T>(sending: Promise<T>, silentMs: number): Promise<T>
}

/** The longest wait for one answer, in times of `silentMs`. */
const LONGEST = 10

/** Times that this process looks for answers in a usual silence. */
const LOOKS = 8

interface Waiting {
  readonly since: number
  /** In looks. */
  readonly patience: number
  giveUp(): void
}

/**
 * Silence is counted in looks of this process, each with a turn of its event loop for what lies in the socket: where the
 * process itself got no time, the server has been silent for no longer.
 *
 * @param now a clock that never steps, in milliseconds
 * @param usualMs the usual `silentMs`
 */
export function patience(now: () => number, usualMs: number): Patience {
  const lookMs = Math.max(1, usualMs / LOOKS)
  const waiting = new Set<Waiting>()
  let looks = 0
  let heard = 0
  let isLooking = false
  // The server's clock minus ours, as an interval that each answer makes smaller.
  let ahead = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY }

  const look = () => {
    looks += 1
    for (const one of waiting) {
      const isSilent = looks - Math.max(one.since, heard) > one.patience
      if (isSilent || looks - one.since > LONGEST * one.patience) one.giveUp()
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
    noteTime(serverTime, sentAt) {
      const least = serverTime - now()
      const most = serverTime - sentAt
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
