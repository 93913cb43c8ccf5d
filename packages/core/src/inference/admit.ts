import type { PoolAsk } from '../budget/store.js'
import type { Candidate } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import { refusalOf } from './allowed.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import type { Entered, Limited } from './limits.js'
import { asksOf } from './runs.js'

/** A call that may go on: where it can go, what pays, and the places it takes up. */
export interface Admitted {
  readonly candidates: readonly Candidate[]
  readonly asks: readonly PoolAsk[]
  /** What it has taken of its limits, given back when it ends; null where it has none. */
  readonly entered: Entered | null
}

/**
 * Step 1: pools of this identity, allowed models and tools, request rate, concurrency.
 *
 * @throws HooshError `model_not_allowed`, `tool_not_allowed`, `model_not_found`, `providers_unavailable`, `rate_limit_exceeded`,
 *   `concurrency_exceeded`
 */
export function admit(engine: Engine, call: Call): Awaitable<Admitted> {
  const refusal = refusalOf(call)
  if (refusal !== null) throw refusal
  const found = engine.router.candidates(call.model, {
    provider: call.provider,
    extra: allowedOf(call),
    now: engine.clock(),
  })
  const candidates =
    engine.warmth === null || call.bytes === null ? found : engine.warmth.prefer(found, call.caller.user, call.bytes)
  const asks = asksOf(engine, call.caller, call.pools)
  return asks instanceof Promise
    ? asks.then((paying) => withinLimits(engine, call, candidates, paying))
    : withinLimits(engine, call, candidates, asks)
}

function withinLimits(
  engine: Engine,
  call: Call,
  candidates: readonly Candidate[],
  asks: readonly PoolAsk[],
): Awaitable<Admitted> {
  const limited = limitsOf(engine, call, candidates, asks)
  if (limited.length === 0) return { candidates, asks, entered: null }
  return engine.limits.enter(call, limited, candidates).then((entered) => ({ candidates, asks, entered }))
}

/** The models that a call names as fallbacks, as far as its caller may use them. */
export function allowedOf(call: Call): readonly string[] | undefined {
  return call.fallbacks?.filter((model) => call.caller.mayUse(model))
}

function limitsOf(engine: Engine, call: Call, candidates: readonly Candidate[], asks: readonly PoolAsk[]): Limited[] {
  const limited: Limited[] = []
  const { limits: own, credential } = call.caller.identity
  const { user } = call.caller
  if (own !== undefined) limited.push({ key: `user ${user}`, limits: own })
  if (credential?.limits !== undefined) limited.push({ key: `key ${credential.id}`, limits: credential.limits })
  for (const ask of asks) {
    const limits = engine.pools.effective(ask)?.limits
    if (limits !== undefined) limited.push({ key: `pool ${ask.name}`, limits })
  }
  for (const { pattern, glob, limits } of engine.modelLimits) {
    // An alias is bound by what it stands for.
    if (!glob.test(call.model) && !(candidates[0] !== undefined && glob.test(candidates[0].model))) continue
    limited.push({ key: limits.per === 'user' ? `model ${pattern} of user ${user}` : `model ${pattern}`, limits })
  }
  return limited
}
