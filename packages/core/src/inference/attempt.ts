import { plus } from '../amount.js'
import type { PoolAsk } from '../budget/store.js'
import { eachOutput } from '../cost/price.js'
import type { Quote } from '../cost/prices.js'
import { HooshError } from '../errors.js'
import type { Provider, UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import { beginTrial, keepsRefusing, recordFailure, recordNeither, recordSuccess } from '../routing/circuit.js'
import { type Candidate, isAskable, isReady, observeLatency } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import { takeRates } from './admit.js'
import { type Call, type CallHold, reasonOf } from './call.js'
import type { Engine } from './engine.js'
import { holdForAttempt, promptAmount } from './hold.js'
import { leavePlace, nextFree } from './queue.js'
import { type Again, againAfter, nextAgain } from './retry.js'

const MINUTE_MS = 60_000

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

/**
 * Step 6: candidates in order until one has begun to answer, then those that said soon once more; three attempts in all
 * unless the host says otherwise.
 *
 * @param prepare makes a candidate's request; null where it cannot be used (no price on a pool with money)
 * @param ask sends the request and takes the answer to where failing over is not possible any more: all of a plain
 *   answer, the first event of a stream; it notes in the try what the provider was not asked for
 * @throws HooshError as the caller may see it, once no candidate is left or trying another would not help
 */
export async function attempt<Received>(
  engine: Engine,
  call: Call,
  held: CallHold,
  steps: {
    candidates: readonly Candidate[]
    asks: readonly PoolAsk[]
    prepare(candidate: Candidate): Try | null
    ask(provider: Provider, request: UpstreamRequest, tried: Try): Promise<Received | UpstreamFailure>
  },
): Promise<{ tried: Try; received: Received }> {
  const { candidates } = steps
  const failures: HooshError[] = []
  let later: Later | undefined
  let waitMs = Infinity
  engine.retryBudget.earn()
  for (let at = 0; held.attempts < engine.settings.maxAttempts; at += 1) {
    throwIfEnded(engine, call, held)
    const candidate = candidates[at] ?? (await nextLater(engine, call, held, later))
    if (candidate === null) break
    const tried = steps.prepare(candidate)
    if (tried === null) continue
    if (!takePlace(candidate, held)) {
      later ??= newLater(steps.asks)
      // A route that is not ready is not waited for.
      if (isReady(candidate.route, engine.clock())) later.busy.push(candidate)
      continue
    }
    const may = mayTry(engine, call, held, tried, failures, at === 0 || at >= candidates.length)
    if (!(typeof may === 'boolean' ? may : await may)) {
      leavePlace(held)
      continue
    }
    const { circuit } = candidate.route
    beginTrial(circuit, engine.clock())
    held.attempts += 1
    const sentAt = engine.clock()
    const result = await steps.ask(candidate.route.provider, requestFor(engine, call, held, tried), tried)
    if (!isFailure(result)) {
      observeLatency(candidate.route, engine.clock() - sentAt)
      if (recordSuccess(circuit))
        engine.events.emit({ type: 'route.health', route: candidate.route.name, healthy: true })
      return { tried, received: result as Received }
    }
    leavePlace(held)
    if (result.unsent === true) {
      held.attempts -= 1
      recordNeither(circuit, false)
    } else await noteFailed(engine, call, held, tried, result)
    if (!result.retryable) throw result.error
    failures.push(result.error)
    waitMs = Math.min(waitMs, result.retryAfterMs ?? Infinity)
    if (result.unsent === true || at >= candidates.length) continue
    if (result.anotherKey === true) at -= 1
    else {
      later ??= newLater(steps.asks)
      const again = againAfter(result, candidate, engine.clock())
      if (again !== null) later.again.push(again)
    }
  }
  throw lastWord(call, failures, waitMs)
}

/**
 * What a failed attempt may have been billed is added to the call, and its route's circuit told.
 *
 * @throws the reason of a call that we have ended
 */
async function noteFailed(
  engine: Engine,
  call: Call,
  held: CallHold,
  tried: Try,
  failure: UpstreamFailure,
): Promise<void> {
  if (failure.mayBill) held.spent = plus(held.spent, await billable(engine, held, tried, failure))
  noteFailure(engine, call, tried, held.cut.aborted ? endedByUs(held, failure) : failure)
  if (held.cut.aborted) throw held.cut.reason
}

/** What is left to try when all candidates have been gone through. */
interface Later {
  readonly asks: readonly PoolAsk[]
  /** All their places are taken. */
  readonly busy: Candidate[]
  readonly again: Again[]
}

function newLater(asks: readonly PoolAsk[]): Later {
  return { asks, busy: [], again: [] }
}

/** A place on a busy route comes before an attempt again on one that failed. */
async function nextLater(
  engine: Engine,
  call: Call,
  held: CallHold,
  later: Later | undefined,
): Promise<Candidate | null> {
  if (later === undefined) return null
  const free = await nextFree(engine, call, held, later.busy, later.asks)
  return free ?? nextAgain(engine, call, held, later.again)
}

/** Whoever comes from the queue has his place already. */
function takePlace({ route }: Candidate, held: CallHold): boolean {
  const { places } = route
  if (places === undefined || held.places === places) return true
  if (!places.take()) return false
  held.places = places
  return true
}

function requestFor(engine: Engine, call: Call, held: CallHold, { candidate, request }: Try): UpstreamRequest {
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
    signal: held.cut,
    firstByteMs: call.stream ? deadlines.firstByteMs : deadlines.plainMs,
    idleMs: deadlines.idleMs,
  }
}

function throwIfEnded(engine: Engine, call: Call, held: CallHold): void {
  if (held.cut.aborted) throw held.cut.reason
  const { totalMs } = engine.settings.deadlines
  if (totalMs !== undefined && engine.clock() - call.startedAt >= totalMs) throw new HooshError('total_timeout')
}

/** Whether the route takes one more call this minute, its circuit lets it pass, and the pools pay for the attempt. */
function mayTry(
  engine: Engine,
  call: Call,
  held: CallHold,
  tried: Try,
  failures: HooshError[],
  evenLimited: boolean,
): Awaitable<boolean> {
  const { route } = tried.candidate
  // Where nothing else is left, or the wait is over, limits are no reason.
  if (!(evenLimited ? isAskable : isReady)(route, engine.clock())) return false
  // Where a route takes nothing from anybody, moving on to it only doubles the load.
  if (held.attempts > 0 && keepsRefusing(route.circuit) && !engine.retryBudget.spend()) return false
  if (route.rpm !== undefined) return mayTryThisMinute(engine, call, held, tried, failures, route.rpm)
  return isHeldFor(held, tried) || holdForAttempt(engine, call, held, tried)
}

async function mayTryThisMinute(
  engine: Engine,
  call: Call,
  held: CallHold,
  tried: Try,
  failures: HooshError[],
  limit: number,
): Promise<boolean> {
  try {
    const key = `route ${tried.candidate.route.name}`
    await takeRates(engine, [{ key, limit, windowMs: MINUTE_MS, cost: 1 }])
  } catch (error) {
    if (!(error instanceof HooshError) || error.code !== 'rate_limit_exceeded') throw error
    failures.push(error)
    return false
  }
  return isHeldFor(held, tried) || holdForAttempt(engine, call, held, tried)
}

/** The first candidate is what the hold was made for. */
function isHeldFor(held: CallHold, tried: Try): boolean {
  return held.attempts === 0 && tried.candidate === held.candidate && tried.quote === held.quote
}

/** What a failed attempt may be billed as: the prompt's bound, and what had come of the answer, counted. */
async function billable(engine: Engine, held: CallHold, { candidate, quote }: Try, failure: UpstreamFailure) {
  const prompt = promptAmount(held.promptTokens, quote)
  if (failure.received === undefined) return prompt
  const counter = await engine.outputCounter(candidate.model, candidate.route)
  const output = Math.min(held.granted, await counter.countAll(failure.received.toString('utf8')))
  return plus(prompt, { tokens: output, nanoUsd: output * eachOutput(quote, held.promptTokens) })
}

/** An attempt that we ended. A provider that kept quiet for all of a call's time is to blame, though it was us who hung up. */
function endedByUs(held: CallHold, failure: UpstreamFailure): UpstreamFailure {
  const error = reasonOf(held.cut)
  const hadAllTime = held.attempts === 1 && error.code === 'total_timeout'
  return { ...failure, error, blameless: failure.blameless && !hadAllTime }
}

function noteFailure(engine: Engine, call: Call, tried: Try, failure: UpstreamFailure): void {
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

/** What the caller is told when every candidate has failed. */
function lastWord(call: Call, failures: readonly HooshError[], waitMs: number): HooshError {
  const last = failures[failures.length - 1]
  if (last === undefined) {
    return new HooshError('providers_unavailable', {
      message: `No provider of the model "${call.model}" can take this call now.`,
    })
  }
  // Routes that have used up their own rpm say when, as providers do.
  const retryAfterMs = Math.min(waitMs, ...failures.map(({ details }) => details.retryAfterMs ?? Infinity))
  const details = retryAfterMs === Infinity ? {} : { retryAfterMs }
  if (failures.every(({ status }) => status === 429)) {
    const code = last.code === 'rate_limit_exceeded' ? 'rate_limit_exceeded' : 'provider_rate_limited'
    return new HooshError(code, { message: last.message, details: { ...last.details, ...details }, cause: last })
  }
  const telling = failures.find(({ status }) => status !== 429) ?? last
  return new HooshError(telling.code, {
    message: telling.message,
    details: { ...telling.details, ...details },
    cause: telling,
  })
}

export function isFailure(result: unknown): result is UpstreamFailure {
  return typeof result === 'object' && result !== null && 'ok' in result && result.ok === false
}
