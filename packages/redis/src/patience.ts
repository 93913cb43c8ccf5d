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

/** @param now a clock that never steps, in milliseconds */
export function patience(now: () => number): Patience {
  let heardAt = Number.NEGATIVE_INFINITY
  // The server's clock minus ours, as an interval that each answer makes smaller.
  let ahead = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY }
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
        const sentAt = now()
        const look = () => {
          const waited = now() - sentAt
          const silence = now() - Math.max(sentAt, heardAt)
          const left = Math.min(silentMs - silence, LONGEST * silentMs - waited)
          if (left > 0) timer = setTimeout(later, left)
          else reject(new HooshError('store_unavailable', { message: 'Redis does not answer; try again.' }))
        }
        // A turn of the event loop between: where this process itself was busy, its answers lie in the socket.
        const later = () => setImmediate(look)
        let timer = setTimeout(later, silentMs)
        sending.then(
          (value) => {
            clearTimeout(timer)
            heardAt = now()
            resolve(value)
          },
          (cause: unknown) => {
            clearTimeout(timer)
            reject(cause)
          },
        )
      }),
  }
}
