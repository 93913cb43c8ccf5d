import { type Amount, nothing, plus } from '../amount.js'
import type { Writable } from '../audit/canonical.js'
import type { AuditRecord } from '../audit/store.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { Ask, Grant, PoolAsk, ReserveRequest } from '../budget/store.js'
import { cancel } from '../cancel.js'
import { type PromptBound, promptBound } from '../context/estimate.js'
import { type TokenFacts, tokenFacts } from '../context/token-facts.js'
import { eachOutput, promptCost } from '../cost/price.js'
import { costFree, type Quote } from '../cost/prices.js'
import type { CallFacts } from '../cost/store.js'
import { HooshError } from '../errors.js'
import type { Candidate } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { reportExpired } from './expired.js'
import { keeps } from './joint-step.js'
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

/** What a hold is made from. */
export interface HoldPlan {
  readonly asks: readonly PoolAsk[]
  readonly candidate: Candidate
  readonly quote: Quote
  readonly range: OutputRange
  readonly intent: AuditRecord | undefined
}

/**
 * Step 5: holds the prompt's upper bound and a granted range of output in every pool of the chain, atomically.
 *
 * Where there is plenty the bound is a generous guess; the prompt is counted only where room is scarce.
 *
 * @throws HooshError `budget_exceeded`, `pool_frozen`, `unknown_pool`, `store_unavailable`
 */
export function hold(engine: Engine, call: Call, plan: HoldPlan): Awaitable<CallHold> {
  const facts = tokenFacts(plan.candidate.route, plan.candidate.model)
  const bound = promptBound(call.params, facts)
  const plenty = promptAmount(bound.plenty, plan.quote)
  if (engine.pools.isScarce(plan.asks, plenty)) return exact(engine, call, plan, bound, facts)
  const unaffordable = { tokens: MORE_THAN_ANY, nanoUsd: plenty.nanoUsd === 0 ? 0 : MORE_THAN_ANY }
  const orExact = (error: unknown): Promise<CallHold> => {
    if (error instanceof HooshError && error.code === 'budget_exceeded') return exact(engine, call, plan, bound, facts)
    throw error
  }
  const heldFor = (grant: Grant) => callHold(call, plan, grant, { facts, bound, promptTokens: bound.plenty })
  try {
    const each = eachAmount(plan.quote, plenty.tokens)
    const granting = reserve(engine, call, plan, askOf(engine, plan.range, unaffordable, each, plenty))
    return granting instanceof Promise ? granting.then(heldFor).catch(orExact) : heldFor(granting)
  } catch (error) {
    return orExact(error)
  }
}

/** With the prompt counted, where room is scarce. */
async function exact(
  engine: Engine,
  call: Call,
  plan: HoldPlan,
  bound: PromptBound,
  facts: TokenFacts,
): Promise<CallHold> {
  const { quote, range } = plan
  const counting = bound.exact()
  const counted = typeof counting === 'number' ? counting : await counting
  const plenty = promptAmount(bound.plenty, quote)
  const ask = askOf(engine, range, promptAmount(counted, quote), eachAmount(quote, counted), plenty)
  const granting = reserve(engine, call, plan, ask)
  const grant = granting instanceof Promise ? await granting : granting
  const isGenerous = grant.held.tokens === plenty.tokens + grant.outputTokens
  engine.pools.noteScarce(call.pools, !isGenerous)
  return callHold(call, plan, grant, { facts, bound, promptTokens: isGenerous ? bound.plenty : counted })
}

function callHold(
  call: Call,
  { candidate, quote }: HoldPlan,
  grant: Grant,
  { facts, bound, promptTokens }: Pick<CallHold, 'facts' | 'bound' | 'promptTokens'>,
): CallHold {
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
    isLimitRefused: false,
    windows: undefined,
    places: undefined,
    position: 0,
    emptied: undefined,
    couldGive: grant.outputTokens + affordable(grant, eachAmount(quote, promptTokens)),
    cut: cancel(),
  }
}

function reserve(engine: Engine, call: Call, plan: HoldPlan, ask: Ask): Awaitable<Grant> {
  const { leaseMs, onExpire } = engine.settings.budget
  const request: Writable<ReserveRequest> = {
    id: call.id,
    owner: call.caller.user,
    phase: 'sent',
    pools: plan.asks,
    call: factsOf(call, plan),
    ask,
    leaseMs,
    now: engine.clock(),
    onExpire,
  }
  if (plan.intent !== undefined && keeps(engine, 'audit')) request.intent = plan.intent
  if (!keeps(engine, 'usage')) request.usageElsewhere = true
  const granting = engine.storage.budgets.reserve(request)
  return granting instanceof Promise
    ? granting.then((grant) => reported(engine, plan, grant))
    : reported(engine, plan, granting)
}

function reported(engine: Engine, { asks }: HoldPlan, grant: Grant): Awaitable<Grant> {
  engine.pools.noteTerms(asks, grant.pools)
  return grant.expired.length === 0 ? grant : reportExpired(engine, grant.expired).then(() => grant)
}

/** What its usage record says should nobody settle it. */
function factsOf(
  { requestId, kind, stream }: Call,
  { candidate: { route, model }, quote }: Pick<HoldPlan, 'candidate' | 'quote'>,
): CallFacts {
  const { type: provider, name, local } = route
  return { requestId, provider, route: name, local, model, kind, stream, price: quote.source }
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
    if (error instanceof HooshError && (error.code === 'budget_exceeded' || error.code === 'pool_frozen')) {
      held.emptied = error.details.pool
      return false
    }
    throw error
  }
}
