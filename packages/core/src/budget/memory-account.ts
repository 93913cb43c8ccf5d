import { type Amount, nothing } from '../amount.js'
import { liveCredits, NO_CREDITS } from './credits.js'
import type { Pool } from './memory-books.js'
import type { PoolState } from './store.js'
import type { PoolTerms } from './terms.js'
import type { Interval } from './window.js'

/**
 * A pool in one window. There may be a million of them, and what they weigh slows each call down: so their figures are
 * fields and not objects, and all of one window share its interval.
 */
export class Account implements PoolState {
  readonly pool: Pool
  /** Those that count now. */
  terms: PoolTerms
  window: Interval
  /** Never changed in place. */
  drawn: Amount = nothing
  private usedTokens = 0
  private usedNanoUsd = 0
  private heldTokens = 0
  private heldNanoUsd = 0

  constructor(pool: Pool, terms: PoolTerms, window: Interval) {
    this.pool = pool
    this.terms = terms
    this.window = window
  }

  get name(): string {
    return this.pool.name
  }

  get windowStart(): number {
    return this.window.start
  }

  get windowEnd(): number | null {
    return this.window.end
  }

  get used(): Amount {
    return { tokens: this.usedTokens, nanoUsd: this.usedNanoUsd }
  }

  set used({ tokens, nanoUsd }: Amount) {
    this.usedTokens = tokens
    this.usedNanoUsd = nanoUsd
  }

  get held(): Amount {
    return { tokens: this.heldTokens, nanoUsd: this.heldNanoUsd }
  }

  set held({ tokens, nanoUsd }: Amount) {
    this.heldTokens = tokens
    this.heldNanoUsd = nanoUsd
  }

  /** None: who asks for them asks `stateOf`. */
  get credits(): PoolState['credits'] {
    return NO_CREDITS
  }
}

/** Figures of now that nobody changes any more. */
export function stateOf(
  { pool, name, terms, windowStart, windowEnd, used, held, drawn }: Account,
  at: number,
): PoolState {
  const credits = pool.credits === null ? NO_CREDITS : liveCredits(pool.credits.values(), at)
  return { name, terms, windowStart, windowEnd, used, held, drawn, credits }
}
