import type { Clock } from '../time.js'

/** A clock that moves only when it is told to. */
export interface FakeClock {
  /** Milliseconds since the epoch; pass it as `clock`. */
  readonly now: Clock
  /** Moves on by `ms`, which may be negative: clocks of real machines jump back too. */
  advance(ms: number): void
  /** @param at milliseconds since the epoch, or anything `Date` reads */
  set(at: number | string): void
}

/** Stands at the first moment of 2026 (UTC) unless told otherwise. */
export function fakeClock(start: number | string = '2026-01-01T00:00:00Z'): FakeClock {
  let now = msOf(start)
  return {
    now: () => now,
    advance(ms) {
      now += ms
    },
    set(at) {
      now = msOf(at)
    },
  }
}

function msOf(at: number | string): number {
  return typeof at === 'number' ? at : Date.parse(at)
}
