import type { Writable } from '../audit/canonical.js'
import type { PayloadVault, PreparedPayload } from '../audit/payload-vault.js'
import type { AuditRecord } from '../audit/store.js'
import { type AnswerFilter, answerFilter } from '../dlp/answers.js'
import { filteredAnswer } from './answer-filter.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { type HoldPlan, hold } from './hold.js'
import { asksForJson } from './request-body.js'

/** What a call asks, as it goes up: behind DLP, so with stand-ins and redactions in place of what was found. */
export function requestPayload(vault: PayloadVault, { bytes, params }: Call): PreparedPayload {
  return vault.prepare(bytes ?? Buffer.from(JSON.stringify(params)))
}

/**
 * Keeps the request, then takes the hold with the intent that names it. In this order no entry ever names a payload that
 * was not there; what a crash leaves between the two is a payload that nothing names, which goes with its age or its user.
 */
export async function holdWithPayload(
  engine: Engine,
  call: Call,
  plan: HoldPlan & { readonly intent: AuditRecord },
  payload: PreparedPayload,
): Promise<CallHold> {
  const vault = engine.vault!
  await vault.keep(plan.intent, payload)
  try {
    return await hold(engine, call, plan)
  } catch (error) {
    await vault.discard(plan.intent)
    throw error
  }
}

/** Keeps an answer before the outcome that names it is written. Where that fails the outcome says so: the call is over anyway. */
export async function keepAnswer(engine: Engine, outcome: AuditRecord, payload: PreparedPayload): Promise<void> {
  try {
    await engine.vault!.keep(outcome, payload)
  } catch (err) {
    engine.logger.error({ requestId: outcome.requestId, err }, 'the payload of an answer could not be kept')
    const { payload_bytes, payload_hash: _hash, payload_kept: _kept, ...details } = outcome.metadata!
    const told = { ...details, payload_bytes: payload_bytes!, payload_lost: true }
    ;(outcome as Writable<AuditRecord>).metadata = told
  }
}

const NO_VALUES: ReadonlyMap<string, string> = new Map()

/** Redacts what the caller does not get to see either, and puts no value back: what was replaced stays so. */
export function hostFilter({ dlp }: Engine, { kind, params }: Call): AnswerFilter | null {
  return dlp === null || kind !== 'chat' ? null : answerFilter(dlp, NO_VALUES, { isJson: asksForJson(params) })
}

/** A plain answer as it is kept. */
export function answerPayload(engine: Engine, call: Call, bytes: Buffer): PreparedPayload {
  const filter = hostFilter(engine, call)
  return engine.vault!.prepare(filter === null ? bytes : (filteredAnswer(filter, bytes) ?? Buffer.alloc(0)))
}
