import type { AuditLog } from '../audit/log.js'
import type { PreparedPayload } from '../audit/payload-vault.js'
import type { AuditDetails, AuditRecord } from '../audit/store.js'
import { asHooshError, HooshError } from '../errors.js'
import { limitField, providerFacts } from '../providers/catalog.js'
import type { Candidate } from '../routing/route.js'
import { type Admitted, admit } from './admit.js'
import { keepBesideHold } from './audit-staging.js'
import type { Call, CallHold } from './call.js'
import { type Charge, chargeOfNothing } from './charge.js'
import { cheaperCandidates } from './cheaper.js'
import type { Engine } from './engine.js'
import { factsOn } from './facts.js'
import { hold, quoteFor } from './hold.js'
import { askHook, tellHook } from './hooks.js'
import { type Inspected, inspect, tellFound } from './inspect.js'
import { limitToSend, type OutputRange, outputRange } from './output-range.js'
import { holdWithPayload, requestPayload } from './payloads.js'
import { keepsPromises } from './promises.js'
import { leavePlace } from './queue.js'
import { upstreamBody } from './request-body.js'
import { type RunningCall, runningCall } from './running.js'
import { asUnknownRun } from './runs.js'
import { type Ending, recordedMessage, type Settled, settle } from './settle.js'
import type { Try } from './try.js'
import { giveBackUnused } from './unused-hold.js'

/** A call that holds its budget: from here on `finish` is owed, exactly once. */
export interface Begun {
  readonly call: Call
  readonly admitted: Admitted
  /** What its content was found to be; null where nobody looked. */
  readonly inspected: Inspected | null
  readonly held: CallHold
  readonly range: OutputRange
  /** A cheaper model stands in for the one that was asked for. */
  readonly isCheaper: boolean
  readonly running: RunningCall
  readonly forwardAbort: () => void
  /** Ends the call when all of its time is up; undefined where it has no limit. */
  readonly totalTimer: NodeJS.Timeout | undefined
}

/**
 * Steps 1 to 5: everything before a provider hears of the call. What is refused here has cost nothing.
 *
 * @throws HooshError of the step that refused
 */
export async function begin(engine: Engine, call: Call): Promise<Begun> {
  let admitted: Admitted | undefined
  engine.running.arrive()
  try {
    const admitting = admit(engine, call)
    admitted = admitting instanceof Promise ? await admitting : admitting
    const inspected = engine.dlp === null ? null : await inspect(engine, engine.dlp, call, admitted)
    const asked = inspected?.call ?? call
    const { hooks } = engine.settings
    if (hooks?.beforeCall !== undefined) await askHook(hooks, asked)
    const reserving = engine.cheaper.length === 0 ? reserveFor : reserveOrCheaper
    return await reserving(engine, asked, inspected?.admitted ?? admitted, inspected)
  } catch (thrown) {
    if (admitted !== undefined && admitted.entered !== null) await engine.limits.leave(admitted.entered, 0)
    const error = asHooshError(asUnknownRun(engine, call.caller.runs, thrown))
    await noteRefusal(engine, call, error)
    throw error
  } finally {
    engine.running.arrived()
  }
}

/** Where the pools cannot pay for the model that was asked for, the host's cheaper one is tried, once. */
async function reserveOrCheaper(
  engine: Engine,
  call: Call,
  admitted: Admitted,
  inspected: Inspected | null,
): Promise<Begun> {
  try {
    return await reserveFor(engine, call, admitted, inspected)
  } catch (refusal) {
    if (!isRefusal(refusal, 'budget_exceeded')) throw refusal
    const candidates = cheaperCandidates(engine, call, admitted.candidates, inspected?.staysLocal === true)
    if (candidates.length === 0) throw refusal
    try {
      return await reserveFor(engine, call, { ...admitted, candidates }, inspected, true)
    } catch (again) {
      throw isRefusal(again, 'budget_exceeded') || isRefusal(again, 'unpriced_model') ? refusal : again
    }
  }
}

function isRefusal(thrown: unknown, code: HooshError['code']): boolean {
  return thrown instanceof HooshError && thrown.code === code
}

async function reserveFor(
  engine: Engine,
  call: Call,
  admitted: Admitted,
  inspected: Inspected | null,
  isCheaper = false,
): Promise<Begun> {
  const { candidates, asks } = admitted
  const first = candidates.find((candidate) => quoteFor(engine, asks, candidate) !== null)
  if (first === undefined) {
    throw new HooshError('unpriced_model', {
      message: `No price is known for the model "${call.model}", and a pool that pays for it has a cap in money. Add it to \`prices\`, or give the pool \`unpriced: 'allow'\`.`,
      details: { param: 'model' },
    })
  }
  const range = rangeFor(engine, call, first)
  const payload = engine.vault === null ? null : requestPayload(engine.vault, call)
  const intent = engine.audit === null ? undefined : intentOf(engine.audit, call, first, inspected, payload)
  const plan = { asks, candidate: first, quote: quoteFor(engine, asks, first)!, range, intent }
  let held: CallHold
  try {
    const holding =
      payload === null || intent === undefined
        ? hold(engine, call, plan)
        : holdWithPayload(engine, call, { ...plan, intent }, payload)
    held = holding instanceof Promise ? await holding : holding
    // The intent is durable before the provider hears of the call; where it cannot be, there is no call.
    const staging = intent === undefined ? undefined : keepBesideHold(engine, call.id, intent)
    if (staging !== undefined) await staging
  } catch (error) {
    giveBackUnused(engine, call.id, error, intent)
    throw error
  }
  const running = runningCall(
    held,
    () => ({ tokens: held.promptTokens + held.counted, nanoUsd: held.held.nanoUsd }),
    engine.clock(),
  )
  engine.running.add(running)
  const forwardAbort = () => held.cut.abort(new HooshError('client_closed'))
  if (call.signal.aborted) forwardAbort()
  else call.signal.addEventListener('abort', forwardAbort)
  return {
    call,
    admitted,
    inspected,
    held,
    range,
    isCheaper,
    running,
    forwardAbort,
    totalTimer: totalTimer(engine, call, held),
  }
}

function totalTimer(engine: Engine, call: Call, held: CallHold): NodeJS.Timeout | undefined {
  const { totalMs } = engine.settings.deadlines
  if (totalMs === undefined) return undefined
  const leftMs = Math.max(1, call.startedAt + totalMs - engine.clock())
  const timer = setTimeout(() => held.cut.abort(new HooshError('total_timeout')), leftMs)
  return timer.unref()
}

function rangeFor(engine: Engine, call: Call, { route, model }: Candidate): OutputRange {
  if (call.kind !== 'chat') return NO_OUTPUT
  return outputRange(call.params, route, factsOn(route, model), engine.settings.budget)
}

/** Embeddings have no output to hold. */
const NO_OUTPUT: OutputRange = {
  floor: 0,
  wish: 0,
  atMost: 0,
  choices: 1,
  callerLimit: null,
  modelLimit: null,
  routeLimit: null,
  watchable: false,
}

function intentOf(
  audit: AuditLog,
  call: Call,
  first: Candidate,
  inspected: Inspected | null,
  payload: PreparedPayload | null,
): AuditRecord {
  return audit.own({
    event: 'inference.request',
    level: 'info',
    message: `A call of ${call.kind} begins.`,
    provider: first.route.type,
    model: call.model,
    subject: call.caller.user,
    pool: call.pools[0]!,
    reservation: call.id,
    requestId: call.requestId,
    metadata: intentDetails(call, inspected, payload),
  })
}

/** In the order of its keys; with a key or a browser token, which one, and the pools of its runs. */
function intentDetails(
  { kind, stream, caller }: Call,
  inspected: Inspected | null,
  payload: PreparedPayload | null,
): AuditDetails {
  const { credential } = caller.identity
  if (inspected === null && credential === undefined && caller.runs === null && payload === null)
    return { kind, stream }
  return {
    ...(inspected !== null && detailsOf(inspected.found)),
    ...(credential !== undefined && { key: credential.id }),
    kind,
    ...payload?.details,
    ...(caller.runs !== null && { runs: caller.runs }),
    stream,
  }
}

function detailsOf({ level, patterns }: NonNullable<HooshError['details']['dlp']>): AuditDetails {
  return { dlp_level: level, dlp_patterns: patterns }
}

/** Tells of a call that was refused before it had begun. */
export async function noteRefusal(engine: Engine, call: Call, error: HooshError): Promise<void> {
  engine.metrics.refused(error.code)
  engine.events.emit({ type: 'inference.refused', requestId: call.requestId, user: call.caller.user, code: error.code })
  await tellHook(engine, call, 'onError', (hooks, info) => hooks.onError?.(info, error))
  if (engine.audit === null || error.code === 'store_unavailable') return
  await engine.audit.refused({
    message: recordedMessage(error),
    model: call.model,
    subject: call.caller.user,
    pool: call.pools[0]!,
    requestId: call.requestId,
    metadata: { code: error.code, ...(error.details.dlp && detailsOf(error.details.dlp)) },
  })
}

/** A candidate's request; null where a pool with money meets a model without a price, or a promise cannot be kept. */
export function prepare(engine: Engine, begun: Begun, candidate: Candidate): Try | null {
  const { call, held, admitted } = begun
  const first = admitted.candidates[0]!
  if (candidate !== first && !keepsPromises(call, held, first, candidate)) return null
  const range = candidate === held.candidate ? begun.range : rangeFor(engine, call, candidate)
  const quote = quoteFor(engine, admitted.asks, candidate)
  if (quote === null) return null
  const isSoft = engine.settings.budget.enforcement === 'soft'
  const allowed = isSoft ? Infinity : range.watchable ? held.couldGive : held.granted
  const modest = held.isLimitRefused ? engine.settings.budget.defaultOutput : null
  const limit = call.kind === 'chat' ? limitToSend(range, allowed, modest) : null
  const facts = providerFacts(candidate.route.type)
  const request = upstreamBody(call, {
    model: candidate.model,
    limit,
    limitField: limitField(facts, candidate.model),
    askUsage: call.stream && facts.quirks.noStreamOptions !== true,
  })
  const wanted = Math.min(range.callerLimit ?? Infinity, range.routeLimit ?? Infinity, range.modelLimit ?? Infinity)
  return {
    candidate,
    quote,
    watchable: range.watchable,
    limit: limit ?? range.callerLimit ?? Infinity,
    limitedByBudget: limit !== null && limit < wanted,
    request,
  }
}

const NONE: readonly string[] = []

/** Names of what an answer's caller does not get to see, told once. */
function redactedIn(engine: Engine, { call, filter }: Inspected): readonly string[] {
  const found = filter?.redacted()
  if (engine.dlp === null || found === undefined || found.patterns.length === 0) return NONE
  tellFound(engine, engine.dlp, call, 'answer', found)
  return found.patterns
}

/** The end of every call that has begun, whatever became of it. */
export async function finish(engine: Engine, begun: Begun, ending: Ending): Promise<Settled> {
  begun.call.signal.removeEventListener('abort', begun.forwardAbort)
  if (begun.totalTimer !== undefined) clearTimeout(begun.totalTimer)
  try {
    const redacted = begun.inspected === null ? NONE : redactedIn(engine, begun.inspected)
    const told = redacted.length === 0 ? ending : { ...ending, redacted }
    return await settle(engine, begun.call, begun.held, begun.admitted, told)
  } finally {
    engine.running.remove(begun.running)
    if (begun.held.places !== undefined) leavePlace(begun.held)
  }
}

/** The error of a call that may have been billed: a client that repeats it may pay twice. */
function saidOnce({ amount }: Charge, error: HooshError): HooshError {
  if (amount.tokens === 0) return error
  return new HooshError(error.code, {
    message: error.message,
    details: { ...error.details, retryable: false },
    cause: error.cause ?? error,
  })
}

/** A call that ended without an answer. What a provider may have billed already, clients are told not to repeat. */
export async function finishFailed(
  engine: Engine,
  begun: Begun,
  thrown: unknown,
  charge: Charge = chargeOfNothing(begun.held),
): Promise<HooshError> {
  const error = saidOnce(charge, asHooshError(thrown))
  if (charge.amount.tokens + charge.amount.nanoUsd > 0) begun.call.noteCharged?.()
  const outcome = error.code === 'client_closed' ? 'aborted' : 'error'
  await finish(engine, begun, { outcome, candidate: begun.held.candidate, charge, error })
  return error
}
