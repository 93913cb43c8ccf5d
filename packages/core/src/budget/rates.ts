import type { Awaitable } from '../time.js'

/**
 * Counts events in sliding windows, and what runs at the same time. Each call is one atomic step over all keys it names.
 *
 * `now` is the gateway's clock; a store that many machines share may use its own instead. An event counts for `windowMs`
 * from its moment, and at the end of it no more. A store that cannot answer throws `store_unavailable`.
 */
export interface RateStore {
  /**
   * Takes `cost` from every window, or from none. Two callers, in any processes, never both get the last one.
   *
   * A `cost` of 0 asks whether anything is left and takes nothing. With `mayPass` a window that has anything left gives
   * all of `cost`, even more than it has: what a call will use is not known before, and one that is larger than the
   * limit would otherwise never begin.
   */
  take(asks: readonly RateAsk[], now: number): Awaitable<RateAnswer>

  /** Adds what is only known afterwards (tokens); never refuses. */
  add(key: string, cost: number, windowMs: number, now: number): Awaitable<void>

  /**
   * Takes back up to `cost` of what was counted under a key at the moment `at`, as `take` told it; nothing where that
   * moment has left the window.
   */
  giveBack(key: string, cost: number, windowMs: number, at: number): Awaitable<void>

  /**
   * Takes a place under every key, or under none. Two callers, in any processes, never both get the last one; an id
   * that has its places already keeps them, and has no second one. A place whose lease was not renewed is free.
   *
   * @param leaseMs 1_000 to 86_400_000
   * @returns null where it has entered; else the first key that is full
   */
  enter(id: string, places: readonly Place[], leaseMs: number, now: number): Awaitable<string | null>

  /** Renews the places of calls that still run; what has left, or was lost, stays so. */
  stay(staying: readonly Staying[], leaseMs: number, now: number): Awaitable<void>

  /** Gives the places of one call back; twice does no harm. */
  leave({ id, keys }: Staying): Awaitable<void>
}

/** One window to take from. */
export interface RateAsk {
  readonly key: string
  /** Most that a window may hold; 0 refuses all. */
  readonly limit: number
  readonly windowMs: number
  readonly cost: number
  readonly mayPass?: true
}

/** Whether all windows had room; else which one had not, and when it will. */
export type RateAnswer =
  | {
      readonly ok: true
      /** The moment that what was taken counts at. */
      readonly at: number
      readonly windows: readonly RateWindow[]
    }
  | {
      readonly ok: false
      readonly key: string
      readonly retryAfterMs: number
      readonly windows: readonly RateWindow[]
    }

/** How a window stands after a step; one for each ask, in their order. */
export interface RateWindow {
  /** What it still gives, never below 0. */
  readonly remaining: number
  /** Until it is empty again if nothing more is taken; 0 where it is. */
  readonly resetMs: number
}

/** Something that only so many may be in at the same time. */
export interface Place {
  readonly key: string
  /** 0 lets nobody in. */
  readonly limit: number
}

/** A call that has entered, and where. */
export interface Staying {
  readonly id: string
  readonly keys: readonly string[]
}
