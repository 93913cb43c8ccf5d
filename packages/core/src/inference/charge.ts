import { type Amount, plus } from '../amount.js'
import { costOf } from '../cost/price.js'
import { completionTokens, noUsage, promptTokens, type TokenUsage, totalTokens } from '../cost/usage.js'
import type { ReportedUsage } from '../cost/wire-usage.js'
import type { Awaitable } from '../time.js'
import type { CallHold } from './call.js'

/** What a call is charged, and why. */
export interface Charge {
  readonly amount: Amount
  readonly usage: TokenUsage
  readonly source: 'reported' | 'counted' | 'unknown'
  /** Tokens the provider claimed, where that was more than could be true. */
  readonly claimed?: number
}

/** What is known of an answer when it has ended. */
export interface Answered {
  /** The provider's own figures; null where it gave none, or none that can be true. */
  readonly reported: ReportedUsage | null
  /** It came to its end; else the count of what was delivered counts too. */
  readonly whole: boolean
  /** Output tokens delivered, by our own count; asked for only where it decides something. */
  countOutput(): number | Promise<number>
}

/**
 * The charge of an answer. Never less than what the provider may bill: what was reported, for a broken-off answer at
 * least what was delivered, and without figures the prompt's bound and the counted output. A claim above
 * `max(held, 2 x counted + prompt bound)` is charged as that bound, money in proportion.
 */
export function chargeOf(held: CallHold, answered: Answered): Awaitable<Charge> {
  const { reported, whole } = answered
  if (whole && reported !== null && totalTokens(reported.usage) <= held.held.tokens)
    return charge(held, reported.usage, 'reported')
  return chargeInDoubt(held, answered)
}

async function chargeInDoubt(held: CallHold, answered: Answered): Promise<Charge> {
  const { reported } = answered
  if (reported === null) {
    const usage = { ...noUsage, input: await held.bound.exact(), output: await answered.countOutput() }
    return charge(held, usage, 'counted')
  }
  const usage = answered.whole ? reported.usage : atLeast(reported.usage, await answered.countOutput())
  const total = totalTokens(usage)
  if (total > held.held.tokens) {
    const bound = Math.max(held.held.tokens, 2 * (await answered.countOutput()) + held.promptTokens)
    if (total > bound) return boundedCharge(held, usage, bound)
  }
  return charge(held, usage, 'reported')
}

/** What is charged where no answer came at all: what failed attempts may have been billed. */
export function chargeOfNothing(held: CallHold): Charge {
  return { amount: held.spent, usage: { ...noUsage, input: held.spent.tokens }, source: 'unknown' }
}

function charge(held: CallHold, usage: TokenUsage, source: Charge['source']): Charge {
  const own = { tokens: totalTokens(usage), nanoUsd: costOf(usage, held.quote) }
  return { amount: held.spent.tokens === 0 ? own : plus(own, held.spent), usage, source }
}

function boundedCharge(held: CallHold, usage: TokenUsage, bound: number): Charge {
  const claimed = totalTokens(usage)
  const nanoUsd = Number((BigInt(costOf(usage, held.quote)) * BigInt(bound) + BigInt(claimed) - 1n) / BigInt(claimed))
  const input = Math.min(promptTokens(usage), bound)
  const shown = { ...noUsage, input, output: bound - input }
  return { amount: plus({ tokens: bound, nanoUsd }, held.spent), usage: shown, source: 'reported', claimed }
}

function atLeast(usage: TokenUsage, counted: number): TokenUsage {
  const missing = counted - completionTokens(usage)
  return missing > 0 ? { ...usage, output: usage.output + missing } : usage
}
