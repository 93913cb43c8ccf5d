import { type Amount, nothing, plus } from '../amount.js'
import type { AuditRecord } from '../audit/store.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { Ask, Grant, PoolAsk } from '../budget/store.js'
import { promptBound } from '../context/estimate.js'
import { tokenFacts } from '../context/token-facts.js'
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
    candidate: Candidate
    quote: Quote
    range: OutputRange
    intent: AuditRecord | undefined
  },
): Promise<CallHold> {
  const { candidate, quote, range } = plan
  const facts = tokenFacts(candidate.route, candidate.model)
  const bound = promptBound(call.params, facts)
  const plenty = promptAmount(bound.plenty, quote)
  const scarce = engine.pools.wasScarce(call.pools)
  let grant: Grant | null = null
  let promptTokens = bound.plenty
  if (!scarce) grant = await generous(engine, call, plan, plenty)
  if (grant === null) {
    promptTokens = await bound.exact()
    const ask = askOf(engine, range, promptAmount(promptTokens, quote), eachAmount(quote, promptTokens), plenty)
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
    candidate,
    quote,
    facts,
    bound,
    counted: 0,
    spent: nothing,
    attempts: 0,
    couldGive: grant.outputTokens + affordable(grant, eachAmount(quote, promptTokens)),
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
    const each = eachAmount(plan.quote, plenty.tokens)
    return await reserve(engine, call, plan, askOf(engine, plan.range, unaffordable, each, plenty))
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
function askOf(engine: Engine, range: OutputRange, fixed: Amount, each: Amount, plenty: Amount): Ask {
  const { wish, atMost } = range
  if (engine.settings.budget.enforcement === 'soft')
    return { fixed: nothing, each, floor: Math.min(1, atMost), wish, atMost }
  return { fixed, each, floor: range.floor, wish, atMost, plenty }
}

/** One output token after a prompt of at most so many tokens. */
function eachAmount(quote: Quote, promptTokens: number): Amount {
  return { tokens: 1, nanoUsd: eachOutput(quote, promptTokens) }
}

export function promptAmount(tokens: number, quote: Quote): Amount {
  return { tokens, nanoUsd: promptCost(tokens, quote) }
}

/** Output tokens that the pools of a grant still pay for; infinite where none caps a unit that costs. */
function affordable(grant: Grant, { nanoUsd }: Amount): number {
  const left = tightestLeft(grant.pools)
  return Math.min(
    left.tokens ?? Infinity,
    nanoUsd === 0 || left.nanoUsd === undefined ? Infinity : Math.floor(left.nanoUsd / nanoUsd),
  )
}

/**
 * Holds enough for another attempt: what the failed ones may have been billed, and this candidate's own price.
 *
 * @returns false where the pools cannot pay for it: no extension, no attempt
 */
export async function holdForAttempt(
  engine: Engine,
  call: Call,
  held: CallHold,
  { candidate, quote }: { candidate: Candidate; quote: Quote },
): Promise<boolean> {
  const prompt = await promptFor(call, held, candidate)
  const own = plus(promptAmount(prompt.promptTokens, quote), {
    tokens: held.granted,
    nanoUsd: held.granted * eachOutput(quote, prompt.promptTokens),
  })
  const need = plus(held.spent, own)
  const more = {
    tokens: Math.max(0, need.tokens - held.held.tokens),
    nanoUsd: Math.max(0, need.nanoUsd - held.held.nanoUsd),
  }
  const isHeld = (more.tokens === 0 && more.nanoUsd === 0) || engine.settings.budget.enforcement === 'soft'
  const ask = { fixed: more, each: nothing, floor: 0, wish: 0, atMost: 0 }
  if (!isHeld && !(await extendHold(engine, held, ask))) return false
  Object.assign(held, prompt, { candidate, quote })
  return true
}

/** The prompt as a candidate's own tokenizer may count it, which need not be that of the one before. */
async function promptFor(
  call: Call,
  held: CallHold,
  { route, model }: Candidate,
): Promise<Pick<CallHold, 'facts' | 'bound' | 'promptTokens'>> {
  const facts = tokenFacts(route, model)
  if (facts === held.facts) return { facts, bound: held.bound, promptTokens: held.promptTokens }
  const bound = promptBound(call.params, facts)
  return { facts, bound, promptTokens: bound.plenty <= held.promptTokens ? bound.plenty : await bound.exact() }
}

/** Asks for more output tokens; false where the pools have none. */
export async function holdMoreOutput(
  engine: Engine,
  held: CallHold,
  range: { floor: number; wish: number },
): Promise<boolean> {
  const each = eachAmount(held.quote, held.promptTokens)
  return extendHold(engine, held, { fixed: nothing, each, floor: range.floor, wish: range.wish, atMost: range.wish })
}

async function extendHold(engine: Engine, held: CallHold, ask: Ask): Promise<boolean> {
  try {
    const grant = await engine.storage.budgets.extend(held.id, ask)
    held.granted += grant.outputTokens
    held.held = grant.held
    return true
  } catch (error) {
    if (error instanceof HooshError && error.code === 'budget_exceeded') return false
    throw error
  }
}
