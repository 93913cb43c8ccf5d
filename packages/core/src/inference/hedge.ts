import { type Amount, nothing, plus } from '../amount.js'
import { type Cancel, cancel } from '../cancel.js'
import { costOf, eachOutput } from '../cost/price.js'
import { totalTokens } from '../cost/usage.js'
import { HooshError } from '../errors.js'
import type { Provider, UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import { beginTrial, recordNeither } from '../routing/circuit.js'
import { type Candidate, isReady } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { holdForAttempt, promptAmount } from './hold.js'
import { leavePlace, takePlace } from './queue.js'
import { isRateLimited } from './route-limits.js'
import { billable, type Discarded, isFailure, noteFailure, requestFor, type Try } from './try.js'

/** What came of an attempt, and of the second one that may have joined it. */
export interface Hedged<Received> {
  /** The one whose result it is; the call's hold is on it. */
  readonly tried: Try
  readonly result: Received | UpstreamFailure
  readonly isJoined: boolean
}

interface Steps<Received> {
  prepare(candidate: Candidate): Try | null
  ask(provider: Provider, request: UpstreamRequest, tried: Try): Promise<Received | UpstreamFailure>
  discard(received: Received): Discarded
}

/** Who is asking: a call's parts, which go together everywhere here. */
interface Asking {
  readonly engine: Engine
  readonly call: Call
  readonly held: CallHold
}

/** What a hold says of the candidate that it is on. */
type Share = Pick<CallHold, 'candidate' | 'quote' | 'facts' | 'bound' | 'promptTokens' | 'places'>

/** One of the two, on its way. */
interface Runner<Received> {
  readonly tried: Try
  readonly share: Share
  readonly cut: Cancel
  readonly result: Promise<Received | UpstreamFailure>
}

/**
 * Asks one candidate and, where it has not begun to answer after `hedge.afterMs`, the next one beside it. The first to answer
 * wins; the other is hung up on, and what is known of its cost is the call's. Both are held for before the second is sent,
 * and the retry budget pays for it, so that a slow provider does not double everybody's load.
 */
export async function hedged<Received>(
  asking: Asking,
  first: Try,
  next: Candidate,
  steps: Steps<Received>,
): Promise<Hedged<Received>> {
  const primary = run(asking, first, steps)
  const isLate = await lateAfter(first.candidate.route.hedgeMs!, primary.result)
  const second = isLate ? await join(asking, primary, next, steps) : null
  if (second === null) return { tried: first, result: await primary.result, isJoined: false }
  const secondary = run(asking, second, steps)
  const winner = await Promise.race([primary, secondary].map((runner) => runner.result.then(() => runner)))
  const loser = winner === primary ? secondary : primary
  const result = await winner.result
  if (isFailure(result)) {
    await part(asking, winner, result, steps)
    return { tried: settleOn(asking.held, loser), result: await loser.result, isJoined: true }
  }
  loser.cut.abort(new HooshError('client_closed'))
  await part(asking, loser, await loser.result, steps)
  return { tried: settleOn(asking.held, winner), result, isJoined: true }
}

function run<Received>({ engine, call, held }: Asking, tried: Try, steps: Steps<Received>): Runner<Received> {
  const cut = cancel()
  // Never taken off again: a stream that has won still ends with its call.
  held.cut.addEventListener('abort', () => cut.abort(held.cut.reason))
  const { candidate, quote, facts, bound, promptTokens, places } = held
  const result = steps.ask(tried.candidate.route.provider, requestFor(engine, call, tried, cut), tried)
  return { tried, share: { candidate, quote, facts, bound, promptTokens, places }, cut, result }
}

/** Whether something takes longer than so many milliseconds. */
function lateAfter(ms: number, something: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, true)
    const inTime = () => {
      clearTimeout(timer)
      resolve(false)
    }
    something.then(inTime, inTime)
  })
}

/** The second attempt, held for beside all that the first may cost; null where it may not be made. */
async function join<Received>(
  { engine, call, held }: Asking,
  primary: Runner<Received>,
  next: Candidate,
  { prepare }: Steps<Received>,
): Promise<Try | null> {
  if (held.cut.aborted || held.attempts >= engine.settings.maxAttempts) return null
  const tried = isReady(next.route, engine.clock()) ? prepare(next) : null
  if (tried === null || isRateLimited(next.route) || !engine.retryBudget.spend()) return null
  held.places = undefined
  if (takePlace(next, held) && (await holdBeside({ engine, call, held }, primary, tried))) {
    beginTrial(next.route.circuit, engine.clock())
    held.attempts += 1
    return tried
  }
  leavePlace(held)
  held.places = primary.share.places
  return null
}

async function holdBeside<Received>({ engine, call, held }: Asking, primary: Runner<Received>, tried: Try) {
  const before = held.spent
  const { quote, promptTokens } = primary.share
  const output = { tokens: held.granted, nanoUsd: held.granted * eachOutput(quote, promptTokens) }
  held.spent = plus(before, plus(promptAmount(promptTokens, quote), output))
  try {
    return await holdForAttempt(engine, call, held, tried)
  } finally {
    held.spent = before
  }
}

/** Charges the one that is left behind, tells its circuit, and gives its place back. */
async function part<Received>(
  { engine, call, held }: Asking,
  runner: Runner<Received>,
  result: Received | UpstreamFailure,
  steps: Steps<Received>,
): Promise<void> {
  const { tried, share } = runner
  share.places?.leave()
  held.spent = plus(held.spent, await costOfLost({ engine, call, held }, runner, result, steps))
  if (isFailure(result) && result.error.code !== 'client_closed') noteFailure(engine, call, tried, result)
  else recordNeither(tried.candidate.route.circuit, false)
}

async function costOfLost<Received>(
  { engine, call, held }: Asking,
  { tried, share }: Runner<Received>,
  result: Received | UpstreamFailure,
  { discard }: Steps<Received>,
): Promise<Amount> {
  const bound = { promptTokens: share.promptTokens, granted: held.granted }
  if (isFailure(result)) return result.mayBill ? billable(engine, bound, tried, result, call.stream) : nothing
  const { reported, ...came } = discard(result as Received)
  if (reported === null) return billable(engine, bound, tried, came, call.stream)
  return { tokens: totalTokens(reported.usage), nanoUsd: costOf(reported.usage, share.quote) }
}

function settleOn<Received>(held: CallHold, { tried, share }: Runner<Received>): Try {
  Object.assign(held, share)
  return tried
}
