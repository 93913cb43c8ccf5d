import type { RateAsk } from '../budget/rates.js'
import type { PoolAsk } from '../budget/store.js'
import { HooshError } from '../errors.js'
import type { Limits } from '../options.js'
import type { Candidate } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'

const MINUTE_MS = 60_000

/** A call that may go on: where it can go, what pays, and the places it takes up. */
export interface Admitted {
  readonly candidates: readonly Candidate[]
  readonly asks: readonly PoolAsk[]
  /** Concurrency it has entered; left when the call ends. */
  readonly places: readonly { key: string; limit: number }[]
  /** Windows of tokens a minute that its tokens are added to at the end. */
  readonly tokenWindows: readonly string[]
}

/**
 * Step 1: pools of this identity, allowed models, request rate, concurrency.
 *
 * @throws HooshError `model_not_allowed`, `model_not_found`, `providers_unavailable`, `rate_limit_exceeded`,
 *   `concurrency_exceeded`
 */
export function admit(engine: Engine, call: Call): Awaitable<Admitted> {
  if (!call.caller.mayUse(call.model)) {
    throw new HooshError('model_not_allowed', {
      message: `You may not use the model "${call.model}".`,
      details: { param: 'model' },
    })
  }
  const found = engine.router.candidates(call.model, {
    provider: call.provider,
    extra: allowedOf(call),
    now: engine.clock(),
  })
  const candidates =
    engine.warmth === null || call.bytes === null ? found : engine.warmth.prefer(found, call.caller.user, call.bytes)
  const asks = engine.pools.asksFor(call.pools, call.caller.identity)
  return asks instanceof Promise
    ? asks.then((paying) => withinLimits(engine, call, candidates, paying))
    : withinLimits(engine, call, candidates, asks)
}

const NONE: readonly never[] = []

function withinLimits(
  engine: Engine,
  call: Call,
  candidates: readonly Candidate[],
  asks: readonly PoolAsk[],
): Awaitable<Admitted> {
  const limited = limitsOf(engine, call, asks)
  if (limited.length === 0) return { candidates, asks, places: NONE, tokenWindows: NONE }
  return enter(engine, limited, candidates, asks)
}

async function enter(
  engine: Engine,
  limited: readonly Limited[],
  candidates: readonly Candidate[],
  asks: readonly PoolAsk[],
): Promise<Admitted> {
  const { rates, tokenWindows, places } = asksOf(limited)
  if (rates.length > 0) await takeRates(engine, rates)
  const full = engine.concurrency.enter(places)
  if (full !== null) {
    throw new HooshError('concurrency_exceeded', {
      message: `${full} already has as many calls running as it may.`,
      details: { retryAfterMs: 1_000 },
    })
  }
  return { candidates, asks, places, tokenWindows }
}

/** Takes one from every window named, or none. */
export async function takeRates(engine: Engine, rates: readonly RateAsk[]): Promise<void> {
  const answer = await engine.storage.rates.take(rates, engine.clock())
  if (answer.ok) return
  engine.events.emit({ type: 'rate.limited', key: answer.key })
  throw new HooshError('rate_limit_exceeded', {
    message: `${answer.key} has reached its limit a minute.`,
    details: { retryAfterMs: answer.retryAfterMs },
  })
}

/** The models that a call names as fallbacks, as far as its caller may use them. */
export function allowedOf(call: Call): readonly string[] | undefined {
  return call.fallbacks?.filter((model) => call.caller.mayUse(model))
}

interface Limited {
  readonly key: string
  readonly limits: Limits
}

function limitsOf(engine: Engine, call: Call, asks: readonly PoolAsk[]): Limited[] {
  const limited: Limited[] = []
  const { limits: own, credential } = call.caller.identity
  if (own !== undefined) limited.push({ key: `user ${call.caller.user}`, limits: own })
  if (credential?.limits !== undefined) limited.push({ key: `key ${credential.id}`, limits: credential.limits })
  for (const ask of asks) {
    const limits = engine.pools.effective(ask)?.limits
    if (limits !== undefined) limited.push({ key: `pool ${ask.name}`, limits })
  }
  return limited
}

function asksOf(limited: readonly Limited[]) {
  const rates: RateAsk[] = []
  const tokenWindows: string[] = []
  const places: { key: string; limit: number }[] = []
  for (const { key, limits } of limited) {
    if (limits.requestsPerMinute !== undefined) {
      rates.push({ key: `${key} requests`, limit: limits.requestsPerMinute, windowMs: MINUTE_MS, cost: 1 })
    }
    if (limits.tokensPerMinute !== undefined) {
      rates.push({ key: `${key} tokens`, limit: limits.tokensPerMinute, windowMs: MINUTE_MS, cost: 0 })
      tokenWindows.push(`${key} tokens`)
    }
    if (limits.concurrent !== undefined) places.push({ key, limit: limits.concurrent })
  }
  return { rates, tokenWindows, places }
}
