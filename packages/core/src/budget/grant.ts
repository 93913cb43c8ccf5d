import { type Amount, isWhole, nothing, usdText } from '../amount.js'
import { HooshError } from '../errors.js'
import type { Ask, PoolState } from './store.js'
import type { PoolTerms } from './terms.js'

const UNITS = ['tokens', 'nanoUsd'] as const

/** An eighth of the rest: ten calls side by side in a small pool still get a useful answer each. */
const SHARE = 8

/** What counts of credits, so that with a cap on top the sum is safe: many may come back from holds at once. */
const MOST_CREDIT = 2 ** 52

/** A retry is worth announcing only where the window opens within this time. */
const SOON_MS = 60_000

/** An ask that its pools can pay for. */
export interface Granted {
  readonly granted: true
  readonly outputTokens: number
  /** What to hold in every pool. */
  readonly amount: Amount
  /** The part of `amount` that stands for the prompt: what a reservation counts from its birth on. */
  readonly fixed: Amount
}

/** An ask that its tightest pool cannot pay for. */
export interface Refused {
  readonly granted: false
  readonly tightest: PoolState
  readonly unit: keyof Amount
  /** The least that would have been granted, in `unit`. */
  readonly needed: number
}

/**
 * What an ask gets from its accounts as they stand, overdue holds taken off. See `Ask` for the rule.
 *
 * A pool is asked only in the units it caps, and only in those the ask uses: a call that costs nothing passes a pool
 * whose money is spent. A cap of 0 tokens blocks whatever is asked, and so does a pool that is frozen. Where both pay, `plenty` is held in place of `fixed`.
 *
 * @throws HooshError `invalid_request` where the ask comes to no whole, non-negative, safe amount
 */
export function decide(ask: Ask, accounts: readonly PoolState[]): Granted | Refused {
  if (ask.plenty !== undefined && hasPlenty(ask.plenty, accounts)) {
    const generous = decideWith(ask.plenty, ask, accounts)
    if (generous.granted) return generous
  }
  return decideWith(ask.fixed, ask, accounts)
}

function hasPlenty(plenty: Amount, accounts: readonly PoolState[]): boolean {
  for (const account of accounts) {
    for (const unit of UNITS) {
      if (isScant(leftOf(account, unit), plenty[unit])) return false
    }
  }
  return true
}

/** Whether not even a pool of which nothing is spent would have plenty, credits aside. */
export function isTooSmall({ capacity }: PoolTerms, plenty: Amount): boolean {
  return UNITS.some((unit) => isScant(capacity[unit] ?? Infinity, plenty[unit]))
}

function isScant(left: number, plenty: number): boolean {
  return plenty > 0 && left < SHARE * plenty
}

function decideWith(fixed: Amount, ask: Ask, accounts: readonly PoolState[]): Granted | Refused {
  const { each } = ask
  let rest = Number.POSITIVE_INFINITY
  let tightest: PoolState | undefined
  let tightUnit: keyof Amount = 'tokens'
  for (const account of accounts) {
    if (account.terms.frozen === true) return { granted: false, tightest: account, unit: 'tokens', needed: 0 }
    const tokens = isBlocked(account) ? Number.NEGATIVE_INFINITY : restOf(account, 'tokens', fixed.tokens, each.tokens)
    const nanoUsd = restOf(account, 'nanoUsd', fixed.nanoUsd, each.nanoUsd)
    const pays = Math.min(tokens, nanoUsd)
    if (pays < rest) {
      rest = pays
      tightest = account
      tightUnit = tokens <= nanoUsd ? 'tokens' : 'nanoUsd'
    }
  }
  if (tightest !== undefined && rest < ask.floor) {
    return { granted: false, tightest, unit: tightUnit, needed: fixed[tightUnit] + each[tightUnit] * ask.floor }
  }
  const outputTokens = Math.min(ask.atMost, rest, Math.max(ask.wish, Math.floor(rest / SHARE)))
  const amount = wholeAmount({
    tokens: fixed.tokens + each.tokens * outputTokens,
    nanoUsd: fixed.nanoUsd + each.nanoUsd * outputTokens,
  })
  for (const account of accounts) checkSums(account, amount, nothing)
  return { granted: true, outputTokens, amount, fixed }
}

/**
 * Lets a step through whose sums stay exact: an account counts up to 2^53 - 1, used and held together, and what would take
 * it beyond is refused, never rounded. A cap of at most 2^52 keeps most pools far below.
 *
 * @param freed what comes off `held` in the same step
 * @throws HooshError `invalid_request`
 */
export function checkSums(
  { name, used, held }: Pick<PoolState, 'name' | 'used' | 'held'>,
  added: Amount,
  freed: Amount,
): void {
  if (used.tokens + (held.tokens - freed.tokens) + added.tokens > Number.MAX_SAFE_INTEGER) {
    throw beyondCount(name, 'tokens')
  }
  if (used.nanoUsd + (held.nanoUsd - freed.nanoUsd) + added.nanoUsd > Number.MAX_SAFE_INTEGER) {
    throw beyondCount(name, 'nanoUsd')
  }
}

function beyondCount(pool: string, unit: keyof Amount): HooshError {
  const message = `Pool "${pool}" cannot count beyond 2^53 - 1 in ${unit}.`
  return new HooshError('invalid_request', { message, details: { param: unit } })
}

/** Output tokens that an account still pays for in one unit after `fixed`; below 0 where not even that fits. */
function restOf(account: PoolState, unit: keyof Amount, fixed: number, each: number): number {
  if (fixed === 0 && each === 0) return Number.POSITIVE_INFINITY
  const left = leftOf(account, unit) - fixed
  if (each > 0) return Math.floor(left / each)
  return left >= 0 ? Number.POSITIVE_INFINITY : left
}

/** A cap of 0 tokens, and no credit that would pay for any. */
function isBlocked({ terms, credits }: PoolState): boolean {
  return terms.capacity.tokens === 0 && !credits.some(({ left }) => left.tokens > 0)
}

/**
 * What a pool has left in a unit, credits included; negative after an overrun, infinite where the unit is not capped. What a
 * window is short of is no debt of its credits.
 */
export function leftOf(account: PoolState, unit: keyof Amount): number {
  const room = roomOf(account, unit)
  if (account.credits.length === 0) return room
  const credit = account.credits.reduce((sum, { left }) => sum + left[unit], 0)
  return credit === 0 ? room : Math.max(0, room) + Math.min(credit, MOST_CREDIT)
}

/** What the window itself has left. */
export function roomOf({ terms, used, held, drawn }: PoolState, unit: keyof Amount): number {
  const { capacity } = terms
  // By name and not by `[unit]`: each call passes here several times, and looking a property up costs more than the sum.
  return unit === 'tokens'
    ? (capacity.tokens ?? Number.POSITIVE_INFINITY) - (used.tokens + held.tokens - drawn.tokens)
    : (capacity.nanoUsd ?? Number.POSITIVE_INFINITY) - (used.nanoUsd + held.nanoUsd - drawn.nanoUsd)
}

/**
 * The amount itself: a fraction or NaN that got into an account would never leave it.
 *
 * @throws HooshError `invalid_request`
 */
export function wholeAmount(amount: Amount): Amount {
  const { tokens, nanoUsd } = amount
  if (isWhole(tokens) && isWhole(nanoUsd)) return amount
  const unit = isWhole(tokens) ? 'nanoUsd' : 'tokens'
  const message = `An amount is a whole number from 0 to 2^53 - 1; ${unit} came to ${amount[unit]}.`
  throw new HooshError('invalid_request', { message, details: { param: unit } })
}

/** Another time may do for a budget, and another call for a limit; here nothing does but an admin. */
function poolFrozen(pool: string): HooshError {
  const message = `The pool "${pool}" is frozen: it takes no new calls until an admin unfreezes it.`
  return new HooshError('pool_frozen', { message, details: { pool, retryable: false } })
}

/** The refusal as the caller reads it: which pool, and, unless that is frozen, what is left, what it takes, when to come back. */
export function budgetExceeded({ tightest, unit, needed }: Refused, now: number): HooshError {
  const { name, terms, windowEnd } = tightest
  if (terms.frozen === true) return poolFrozen(name)
  const left = Math.max(0, leftOf(tightest, unit))
  const say = (amount: number) => (unit === 'tokens' ? `${amount} tokens` : `${usdText(amount)} USD`)
  const resetsAt = windowEnd === null ? null : new Date(windowEnd).toISOString()
  const found =
    unit === 'tokens' && isBlocked(tightest)
      ? `Pool "${name}" is blocked: its cap is 0 tokens.`
      : `Pool "${name}" has ${say(left)} left; this call needs ${say(needed)}.`
  return new HooshError('budget_exceeded', {
    message: resetsAt === null ? found : `${found} Its window ends at ${resetsAt}.`,
    details: {
      pool: name,
      ...(terms.capacity.tokens !== undefined && { available: Math.max(0, leftOf(tightest, 'tokens')) }),
      ...(terms.capacity.nanoUsd !== undefined && { availableUsd: usdText(Math.max(0, leftOf(tightest, 'nanoUsd'))) }),
      resetsAt,
      retryable: false,
      ...(windowEnd !== null && windowEnd - now <= SOON_MS && { retryAfterMs: Math.max(0, windowEnd - now) }),
    },
  })
}
