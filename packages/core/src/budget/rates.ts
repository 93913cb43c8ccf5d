import type { Awaitable } from '../time.js'

/** Counts events in sliding windows. Each call is one atomic step over all keys it names. */
export interface RateStore {
  /**
   * Takes `cost` from every window, or from none. Two callers never both get the last one.
   *
   * A `cost` of 0 asks whether anything is left and takes nothing.
   */
  take(asks: readonly RateAsk[], now: number): Awaitable<RateAnswer>

  /** Adds what is only known afterwards (tokens); never refuses. */
  add(key: string, cost: number, windowMs: number, now: number): Awaitable<void>
}

/** One window to take from. */
export interface RateAsk {
  readonly key: string
  /** Most that a window may hold; 0 refuses all. */
  readonly limit: number
  readonly windowMs: number
  readonly cost: number
}

/** Whether all windows had room; else which one had not, and when it will. */
export type RateAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly key: string; readonly retryAfterMs: number }
