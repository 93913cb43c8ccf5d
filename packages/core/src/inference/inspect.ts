import { type AnswerFilter, answerFilter } from '../dlp/answers.js'
import { askClassifier } from '../dlp/classifier.js'
import { inspectContent } from '../dlp/inspect.js'
import type { Inspection, Policy } from '../dlp/policy.js'
import { withoutBroken } from '../dlp/signed.js'
import { contentOf, withTexts } from '../dlp/texts.js'
import { HooshError } from '../errors.js'
import type { DlpLevel } from '../options.js'
import type { Awaitable } from '../time.js'
import { type Admitted, allowedOf } from './admit.js'
import { type Call, infoOf } from './call.js'
import type { Engine } from './engine.js'
import { asksForJson } from './request-body.js'

/** A call that was looked through: as it may go on, and what its answer has to pass. */
export interface Inspected {
  readonly call: Call
  readonly admitted: Admitted
  /** It may go to local routes only. */
  readonly staysLocal: boolean
  /** What records tell of it. */
  readonly found: Found
  /** Null where the answer goes out as it comes. */
  readonly filter: AnswerFilter | null
}

/** The class of a call's content, and names of what was found in it; never a value. */
export interface Found {
  readonly level: DlpLevel
  readonly patterns: readonly string[]
}

/**
 * Step 2: looks through what a call would tell a provider, and applies the host's rules: refuses it, keeps it on local
 * routes, replaces what may not go out. The one place where that is decided: whatever comes later works with the call
 * and the candidates that come out of here. A promise only for long texts and for a host's classifier.
 *
 * @throws HooshError `content_blocked`, `no_local_route`, `classifier_failed`, `providers_unavailable`
 */
export function inspect(engine: Engine, policy: Policy, call: Call, admitted: Admitted): Awaitable<Inspected> {
  const { classify } = policy
  const ask =
    classify === undefined ? undefined : (texts: readonly string[]) => askClassifier(classify, texts, infoOf(call))
  const inspecting = inspectContent(policy, contentOf(call.params), ask)
  return inspecting instanceof Promise
    ? inspecting.then((inspection) => applied(engine, policy, call, admitted, inspection))
    : applied(engine, policy, call, admitted, inspecting)
}

function applied(engine: Engine, policy: Policy, call: Call, admitted: Admitted, inspection: Inspection): Inspected {
  const { level, patterns, texts, restore } = inspection
  const found = { level, patterns }
  if (patterns.length > 0) tellFound(engine, policy, call, 'request', found)
  if (inspection.blocking.length > 0) throw blocked(inspection)
  const read = texts === null ? call.params : withTexts(call.params, texts)
  const params = withoutBroken(call.params, read, { redactsAnswers: policy.answers !== null })
  return {
    call: params === call.params ? call : { ...call, params, bytes: null },
    admitted: inspection.keeping.length === 0 ? admitted : keptLocal(engine, call, admitted, inspection),
    staysLocal: inspection.keeping.length > 0,
    found,
    filter: call.kind === 'chat' ? answerFilter(policy, restore, { isJson: asksForJson(call.params) }) : null,
  }
}

/** Tells the host, and counts. */
export function tellFound(engine: Engine, policy: Policy, call: Call, where: 'request' | 'answer', found: Found): void {
  engine.events.emit({ type: 'dlp.found', requestId: call.requestId, user: call.caller.user, where, ...found })
  // A classifier may make up names without end; metrics have one for all of them.
  for (const name of found.patterns) engine.metrics.dlpFound(where, policy.names.has(name) ? name : 'classifier')
}

function keptLocal(engine: Engine, call: Call, admitted: Admitted, inspection: Inspection): Admitted {
  const { level, patterns, keeping } = inspection
  const want = { provider: call.provider, extra: allowedOf(call), now: engine.clock() }
  try {
    return { ...admitted, candidates: engine.router.local(call.model, want, admitted.candidates) }
  } catch (error) {
    if (!(error instanceof HooshError) || error.code !== 'no_local_route') throw error
    throw new HooshError('no_local_route', {
      message: `The request holds what may only go to local routes (${keeping.join(', ')}), and none serves the model "${call.model}". Use a model that a local route serves, or leave it out; the operator can add one to \`routing.fallbacks\`.`,
      details: { dlp: { level, patterns } },
    })
  }
}

function blocked({ level, patterns, blocking }: Inspection): HooshError {
  return new HooshError('content_blocked', {
    message: `The request holds what may not be sent (${blocking.join(', ')}). Leave it out and send the request again.`,
    details: { dlp: { level, patterns } },
  })
}
