import type { RateAsk, RateWindow } from '../budget/rates.js'

/**
 * How the tightest window of requests and the tightest of tokens stand, in the headers that clients of OpenAI know. None
 * where there is no limit.
 *
 * @param windows how they stand, in the order of the asks
 */
export function rateHeaders(asks: readonly RateAsk[], windows: readonly RateWindow[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const unit of ['requests', 'tokens'] as const) {
    let tightest: Standing | undefined
    asks.forEach(({ limit, mayPass }, index) => {
      const window = windows[index]
      if (window === undefined || (mayPass === true) !== (unit === 'tokens')) return
      if (tightest === undefined || isTighter({ limit, window }, tightest)) tightest = { limit, window }
    })
    if (tightest === undefined) continue
    const { limit, window } = tightest
    headers[`x-ratelimit-limit-${unit}`] = String(limit)
    headers[`x-ratelimit-remaining-${unit}`] = String(window.remaining)
    // What gives nothing is never back.
    if (limit > 0) headers[`x-ratelimit-reset-${unit}`] = durationOf(window.resetMs)
  }
  return headers
}

interface Standing {
  readonly limit: number
  readonly window: RateWindow
}

/** Of windows that have equally little left, one that never gives anything, then the one that takes longer to have all of it. */
function isTighter(one: Standing, other: Standing): boolean {
  if (one.window.remaining !== other.window.remaining) return one.window.remaining < other.window.remaining
  return other.limit > 0 && (one.limit === 0 || one.window.resetMs > other.window.resetMs)
}

/** As OpenAI writes it: `250ms`, `8.64s`, `1m0s`. */
function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`
  const minutes = Math.floor(ms / 60_000)
  const seconds = Math.ceil(ms - minutes * 60_000) / 1_000
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
}
