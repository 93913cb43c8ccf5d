import type { CancelSignal } from '../cancel.js'
import { type Entry, fairQueue, type Waiter } from './fair-queue.js'

/** Most calls that wait for one route. */
const LONGEST_QUEUE = 1_000

/** The calls that a route takes at the same time, and those that wait for one of them to end. */
export interface Places {
  readonly limit: number
  readonly running: number
  readonly queued: number
  /** A place at once; false where none is free, or others wait already. */
  take(): boolean
  /**
   * Waits for a place; null where the queue is full.
   *
   * @param signal gives the turn up
   * @param patienceMs so does this, in milliseconds
   */
  wait(waiter: Waiter, signal: CancelSignal, patienceMs: number): Turn | null
  /** Gives a place back: it is the next in line's. */
  leave(): void
}

/** A call in the queue. */
export interface Turn {
  /** 1 for the next. */
  readonly position: number
  /** Whether a place was got; it then has to be left. */
  readonly came: Promise<boolean>
}

interface Waiting {
  readonly queue: ReturnType<typeof fairQueue<(came: boolean) => void>>
  readonly limit: number
  running: number
}

export function createPlaces(limit: number): Places {
  const waiting: Waiting = { queue: fairQueue(), limit, running: 0 }
  return {
    limit,
    get running() {
      return waiting.running
    },
    get queued() {
      return waiting.queue.size
    },
    take() {
      if (waiting.running >= limit || waiting.queue.size > 0) return false
      waiting.running += 1
      return true
    },
    wait: (waiter, signal, patienceMs) => enqueue(waiting, waiter, signal, patienceMs),
    leave() {
      const next = waiting.queue.shift()
      if (next === undefined) waiting.running -= 1
      else next.item(true)
    },
  }
}

function enqueue({ queue }: Waiting, waiter: Waiter, signal: CancelSignal, patienceMs: number): Turn | null {
  if (queue.size >= LONGEST_QUEUE) return null
  let position = 0
  const came = new Promise<boolean>((resolve) => {
    let entry: Entry<(came: boolean) => void> | null = null
    const end = (hasCome: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      if (!hasCome && entry !== null) queue.remove(entry)
      resolve(hasCome)
    }
    const giveUp = () => end(false)
    const timer = setTimeout(giveUp, patienceMs)
    timer.unref()
    signal.addEventListener('abort', giveUp)
    const pushed = queue.push(waiter, end)
    entry = pushed.entry
    position = pushed.before + 1
  })
  return { position, came }
}
