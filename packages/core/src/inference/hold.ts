import { type Amount, nothing, plus } from '../amount.js'
import type { AuditRecord } from '../audit/store.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { Ask, Grant, PoolAsk } from '../budget/store.js'
import type { PromptBound } from '../context/estimate.js'
import { eachOutput, promptCost } from '../cost/price.js'
import { costFree, type Quote } from '../cost/prices.js'
import { HooshError } from '../errors.js'
import type { Candidate } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { reportExpired } from './expired.js'
import type { OutputRange } from './output-range.js'

/** More than any pool can have: asks for the generous amount or for nothing. */
const MORE_THAN_ANY = 2 ** 52

/**
 * The price of a candidate, for the pools that pay.
 *
 * @returns null where a pool with money meets a model without a price, and does not allow it
 */
export function quoteFor(engine: Engine, asks: readonly PoolAsk[], candidate: Candidate): Quote | null {
  const quote = engine.prices.quote(candidate.route, candidate.model)
  if (quote !== null) return quote
  const refused = asks.some((ask) => {
    const terms = engine.pools.effective(ask)
    return terms !== null && terms.capacity.nanoUsd !== undefined && terms.unpriced === 'refuse'
  })
  return refused ? null : costFree
}

/**
 * Step 5: holds the prompt's upper bound and a granted range of output in every pool of the chain, atomically.
 *
 * Where there is plenty the bound is a generous guess; the prompt is counted only where room is scarce.
 *
 * @throws HooshError `budget_exceeded`, `unknown_pool`, `store_unavailable`
 */
export async function hold(
  engine: Engine,
  call: Call,
  plan: {
    asks: readonly PoolAsk[]
    quote: Quote
    range: OutputRange
    bound: PromptBound
    intent: AuditRecord | undefined
  },
): Promise<CallHold> {
  const { quote, range, bound } = plan
  const plenty = promptAmount(bound.plenty, quote)
  const scarce = engine.pools.wasScarce(call.pools)
  let grant: Grant | null = null
  let promptTokens = bound.plenty
  if (!scarce) grant = await generous(engine, call, plan, plenty)
  if (grant === null) {
    promptTokens = await bound.exact()
    const ask = askOf(engine, range, promptAmount(promptTokens, quote), quote, plenty)
    grant = await reserve(engine, call, plan, ask)
    const isGenerous = grant.held.tokens === plenty.tokens + grant.outputTokens
    if (isGenerous) promptTokens = bound.plenty
    engine.pools.noteScarce(call.pools, !isGenerous)
  }
  return {
    id: call.id,
    granted: grant.outputTokens,
    held: grant.held,
    promptTokens,
    countPrompt: () => bound.exact(),
    quote,
    counted: 0,
    spent: nothing,
    attempts: 0,
    asked: undefined,
    emptied: undefined,
    couldGive: grant.outputTokens + affordable(grant, quote),
    cut: new AbortController(),
  }
}

async function generous(
  engine: Engine,
  call: Call,
  plan: Parameters<typeof hold>[2],
  plenty: Amount,
): Promise<Grant | null> {
  const unaffordable = { tokens: MORE_THAN_ANY, nanoUsd: plenty.nanoUsd === 0 ? 0 : MORE_THAN_ANY }
  try {
    return await reserve(engine, call, plan, askOf(engine, plan.range, unaffordable, plan.quote, plenty))
  } catch (error) {
    if (error instanceof HooshError && error.code === 'budget_exceeded') return null
    throw error
  }
}

async function reserve(engine: Engine, call: Call, plan: Parameters<typeof hold>[2], ask: Ask): Promise<Grant> {
  const { budget } = engine.settings
  const grant = await engine.storage.budgets.reserve({
    id: call.id,
    owner: call.caller.user,
    phase: 'sent',
    pools: plan.asks,
    ask,
    leaseMs: budget.leaseMs,
    now: engine.clock(),
    onExpire: budget.onExpire,
    ...(plan.intent === undefined ? {} : { intent: plan.intent }),
  })
  if (grant.expired.length > 0) await reportExpired(engine, grant.expired)
  return grant
}

/** Soft pools refuse only when nothing is left; hard ones hold all that the call may cost. */
function askOf(engine: Engine, range: OutputRange, fixed: Amount, quote: Quote, plenty: Amount): Ask {
  const each = { tokens: 1, nanoUsd: eachOutput(quote) }
  const { wish, atMost } = range
  if (engine.settings.budget.enforcement === 'soft')
    return { fixed: nothing, each, floor: Math.min(1, atMost), wish, atMost }
  return { fixed, each, floor: range.floor, wish, atMost, plenty }
}

export function promptAmount(tokens: number, quote: Quote): Amount {
  return { tokens, nanoUsd: promptCost(tokens, quote) }
}

/** Output tokens that the pools of a grant still pay for; infinite where none caps a unit that costs. */
function affordable(grant: Grant, quote: Quote): number {
  const left = tightestLeft(grant.pools)
  const each = eachOutput(quote)
  return Math.min(
    left.tokens ?? Infinity,
    each === 0 || left.nanoUsd === undefined ? Infinity : Math.floor(left.nanoUsd / each),
  )
}

/**
 * Holds enough for another attempt: what the failed ones may have been billed, and this candidate's own price.
 *
 * @returns false where the pools cannot pay for it: no extension, no attempt
 */
export async function holdForAttempt(engine: Engine, held: CallHold, quote: Quote): Promise<boolean> {
  const own = plus(promptAmount(held.promptTokens, quote), {
    tokens: held.granted,
    nanoUsd: held.granted * eachOutput(quote),
  })
  const need = plus(held.spent, own)
  const more = {
    tokens: Math.max(0, need.tokens - held.held.tokens),
    nanoUsd: Math.max(0, need.nanoUsd - held.held.nanoUsd),
  }
  held.quote = quote
  if (more.tokens === 0 && more.nanoUsd === 0) return true
  if (engine.settings.budget.enforcement === 'soft') return true
  return extendHold(engine, held, { fixed: more, each: nothing, floor: 0, wish: 0, atMost: 0 })
}

/** Asks for more output tokens; false where the pools have none. */
export async function holdMoreOutput(
  engine: Engine,
  held: CallHold,
  range: { floor: number; wish: number },
): Promise<boolean> {
  const each = { tokens: 1, nanoUsd: eachOutput(held.quote) }
  return extendHold(engine, held, { fixed: nothing, each, floor: range.floor, wish: range.wish, atMost: range.wish })
}

async function extendHold(engine: Engine, held: CallHold, ask: Ask): Promise<boolean> {
  try {
    const grant = await engine.storage.budgets.extend(held.id, ask)
    held.granted += grant.outputTokens
    held.held = grant.held
    return true
  } catch (error) {
    if (error instanceof HooshError && error.code === 'budget_exceeded') {
      held.emptied = error.details.pool
      return false
    }
    throw error
  }
}
