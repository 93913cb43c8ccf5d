import { type Amount, plus } from '../amount.js'
import type { CancelSignal } from '../cancel.js'
import { eachOutput } from '../cost/price.js'
import type { Quote } from '../cost/prices.js'
import type { ReportedUsage } from '../cost/wire-usage.js'
import type { HooshError } from '../errors.js'
import { runsOn } from '../providers/catalog.js'
import type { UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import { recordFailure, recordNeither } from '../routing/circuit.js'
import type { Candidate } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { promptAmount } from './hold.js'

/** One candidate with its price and the request as it goes up there. */
export interface Try {
  readonly candidate: Candidate
  readonly quote: Quote
  /** Its output can be counted as it comes. */
  readonly watchable: boolean
  /** Output tokens per choice that the provider was told not to pass; infinite where it was told nothing. */
  readonly limit: number
  /** Our limit rather than the caller's is what the provider was told. */
  readonly limitedByBudget: boolean
  readonly request: Pick<UpstreamRequest, 'body' | 'params'>
  /** Fields that the provider could not do and was not asked for, once it has begun to answer. */
  dropped?: readonly string[]
}

/** What is known of an answer that nobody waits for any more. */
export interface Discarded {
  /** What the provider says it has used; null where it has not said. */
  readonly reported: ReportedUsage | null
  /** What has come of it. */
  readonly received?: Buffer
}

export function requestFor(
  engine: Engine,
  call: Call,
  { candidate, request }: Try,
  signal: CancelSignal,
): UpstreamRequest {
  const { deadlines } = engine.settings
  return {
    kind: call.kind,
    model: candidate.model,
    body: request.body,
    params: request.params,
    requestId: call.requestId,
    user: call.caller.user,
    cache: engine.storage.cache,
    dropUnsupported: call.params.drop_unsupported === true,
    signal,
    firstByteMs: call.stream ? deadlines.firstByteMs : deadlines.plainMs,
    idleMs: deadlines.idleMs,
  }
}

/**
 * What a failed attempt may be billed as: the prompt's bound, and what had come of the answer, counted; all that was granted
 * where the provider goes on after we have hung up.
 */
export async function billable(
  engine: Engine,
  held: Pick<CallHold, 'promptTokens' | 'granted'>,
  { candidate, quote }: Try,
  failure: Pick<UpstreamFailure, 'received'> & { readonly error?: UpstreamFailure['error'] },
  stream: boolean,
): Promise<Amount> {
  const prompt = promptAmount(held.promptTokens, quote)
  const each = eachOutput(quote, held.promptTokens)
  if (failure.error !== undefined && runsOn(candidate.route.type, stream, failure.error))
    return plus(prompt, { tokens: held.granted, nanoUsd: held.granted * each })
  if (failure.received === undefined) return prompt
  const counter = await engine.outputCounter(candidate.model, candidate.route)
  const output = Math.min(held.granted, await counter.countAll(failure.received.toString('utf8')))
  return plus(prompt, { tokens: output, nanoUsd: output * each })
}

/**
 * Whether a refusal is of a limit that was ours, by its figure (OpenAI, Azure, vLLM and TGI name it): a model that nobody
 * knows may do less than its caller's budget, and may be asked for less, once a call.
 */
export function isOfOurLimit(
  { isLimitRefused }: CallHold,
  { limit, limitedByBudget }: Try,
  { code, message }: HooshError,
): boolean {
  if (isLimitRefused || !limitedByBudget || code !== 'provider_rejected') return false
  return new RegExp(`\\b${limit}\\b`).test(message)
}

/** Tells the circuit, the metrics and the log. */
export function noteFailure(engine: Engine, call: Call, tried: Try, failure: UpstreamFailure): void {
  const { route, model } = tried.candidate
  if (failure.blameless) recordNeither(route.circuit, failure.retryable)
  else if (recordFailure(route.circuit, engine.clock())) {
    engine.events.emit({ type: 'route.health', route: route.name, healthy: false })
  }
  engine.metrics.attemptFailed(route.type, model, failure.error.code)
  engine.logger.warn(
    { requestId: call.requestId, route: route.name, model, code: failure.error.code },
    'attempt failed',
  )
}

export function isFailure(result: unknown): result is UpstreamFailure {
  return typeof result === 'object' && result !== null && 'ok' in result && result.ok === false
}
