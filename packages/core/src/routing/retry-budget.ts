/** What a call pays in, and what one extra attempt takes out, in hundredths of an attempt: 8 of 100. */
const EARNED = 8
const SPENT = 100
/** What is there at the start, so that a quiet app retries too. */
const AT_FIRST = 300
/** What a quiet hour saves up at most: the extra attempts of a hundred calls. */
const AT_MOST = 1_000

/**
 * Bounds what extra attempts add to the load of providers that are in trouble: below a tenth of the calls, counted on a
 * bucket that recent calls fill. An attempt on a route that is in good health needs nothing of it.
 */
export interface RetryBudget {
  /** A call has begun. */
  earn(): void
  /** Takes one extra attempt out; false where there is none. */
  spend(): boolean
}

export function retryBudget(): RetryBudget {
  let level = AT_FIRST
  return {
    earn() {
      if (level < AT_MOST) level += EARNED
    },
    spend() {
      if (level < SPENT) return false
      level -= SPENT
      return true
    },
  }
}
