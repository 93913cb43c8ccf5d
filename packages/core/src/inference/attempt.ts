import { plus } from '../amount.js'
import type { PoolAsk } from '../budget/store.js'
import { HooshError } from '../errors.js'
import type { Provider, UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import { beginTrial, keepsRefusing, recordNeither, recordSuccess } from '../routing/circuit.js'
import { type Candidate, isAskable, isReady, observeLatency } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import { type Call, type CallHold, reasonOf } from './call.js'
import type { Engine } from './engine.js'
import { hedged } from './hedge.js'
import { holdForAttempt } from './hold.js'
import { leavePlace, nextFree, takePlace } from './queue.js'
import { type Again, againAfter, nextAgain } from './retry.js'
import { isRateLimited, takeRoute } from './route-limits.js'
import { billable, type Discarded, isFailure, isOfOurLimit, noteFailure, requestFor, type Try } from './try.js'

/** What a call does with its candidates. */
interface Steps<Received> {
  readonly candidates: readonly Candidate[]
  readonly asks: readonly PoolAsk[]
  /** Makes a candidate's request; null where it cannot be used (no price on a pool with money, a promise it cannot keep). */
  prepare(candidate: Candidate): Try | null
  /**
   * Sends the request and takes the answer to where failing over is not possible any more: all of a plain answer, the
   * first event of a stream. Notes in the try what the provider was not asked for.
   */
  ask(provider: Provider, request: UpstreamRequest, tried: Try): Promise<Received | UpstreamFailure>
  /** Drops an answer that another one was faster than, and says what is known of its cost. */
  discard(received: Received): Discarded
}

/**
 * Step 6: candidates in order until one has begun to answer, then those that said soon once more; three attempts in all
 * unless the host says otherwise.
 *
 * @throws HooshError as the caller may see it, once no candidate is left or trying another would not help
 */
export async function attempt<Received>(
  engine: Engine,
  call: Call,
  held: CallHold,
  steps: Steps<Received>,
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
    let tried = steps.prepare(candidate)
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
    beginTrial(candidate.route.circuit, engine.clock())
    held.attempts += 1
    const sentAt = engine.clock()
    const next = candidate.route.hedgeMs === undefined ? undefined : candidates[at + 1]
    const pair = next === undefined ? null : await hedged({ engine, call, held }, tried, next, steps)
    const result: Received | UpstreamFailure =
      pair === null
        ? await steps.ask(candidate.route.provider, requestFor(engine, call, tried, held.cut), tried)
        : pair.result
    if (pair !== null) tried = pair.tried
    if (pair?.isJoined === true) at += 1
    const { route } = tried.candidate
    if (!isFailure(result)) {
      observeLatency(route, engine.clock() - sentAt)
      if (engine.warmth !== null && call.bytes !== null) engine.warmth.note(route, call.caller.user, call.bytes)
      if (recordSuccess(route.circuit)) engine.events.emit({ type: 'route.health', route: route.name, healthy: true })
      return { tried, received: result as Received }
    }
    leavePlace(held)
    if (result.unsent === true) {
      held.attempts -= 1
      recordNeither(route.circuit, false)
    } else await noteFailed(engine, call, held, tried, result)
    if (!result.retryable) {
      if (at >= candidates.length || pair !== null || !isOfOurLimit(held, tried, result.error)) throw result.error
      held.isLimitRefused = true
      held.attempts -= 1
      at -= 1
      continue
    }
    failures.push(result.error)
    waitMs = Math.min(waitMs, result.retryAfterMs ?? Infinity)
    if (result.unsent === true || pair?.isJoined === true || at >= candidates.length) continue
    if (result.anotherKey === true) at -= 1
    else {
      later ??= newLater(steps.asks)
      const again = againAfter(result, candidate, engine.clock())
      if (again !== null) later.again.push(again)
    }
  }
  throw lastWord(call, failures, Math.min(waitMs, shortestRest(candidates, engine.clock())))
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
  if (failure.mayBill) held.spent = plus(held.spent, await billable(engine, held, tried, failure, call.stream))
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
  if (isRateLimited(route)) return mayTryThisMinute(engine, call, held, tried, failures)
  return isHeldFor(held, tried) || holdForAttempt(engine, call, held, tried)
}

async function mayTryThisMinute(
  engine: Engine,
  call: Call,
  held: CallHold,
  tried: Try,
  failures: HooshError[],
): Promise<boolean> {
  const refusal = await takeRoute(engine, call, held, tried.candidate)
  if (refusal === null) return isHeldFor(held, tried) || holdForAttempt(engine, call, held, tried)
  failures.push(refusal)
  return false
}

/** The first candidate is what the hold was made for. */
function isHeldFor(held: CallHold, tried: Try): boolean {
  return held.attempts === 0 && tried.candidate === held.candidate && tried.quote === held.quote
}

/** An attempt that we ended. A provider that kept quiet for all of a call's time is to blame, though it was us who hung up. */
function endedByUs(held: CallHold, failure: UpstreamFailure): UpstreamFailure {
  const error = reasonOf(held.cut)
  const hadAllTime = held.attempts === 1 && error.code === 'total_timeout'
  return { ...failure, error, blameless: failure.blameless && !hadAllTime }
}

/** Until the first of the candidates may be asked again that have said when, ms: also of those that were not asked this time. */
function shortestRest(candidates: readonly Candidate[], now: number): number {
  const rests = candidates.map(({ route }) => route.provider.rest)
  return Math.min(...rests.map((rest) => (rest?.why === 'limited' && rest.until > now ? rest.until - now : Infinity)))
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
