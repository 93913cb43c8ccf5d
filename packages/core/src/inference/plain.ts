import { completionTokens, promptTokens } from '../cost/usage.js'
import type { ReportedUsage } from '../cost/wire-usage.js'
import type { AnswerFilter } from '../dlp/answers.js'
import { HooshError } from '../errors.js'
import type { GatewayReply } from '../exchange.js'
import { failureAfterSending } from '../providers/failures.js'
import type { Provider, UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import type { Awaitable } from '../time.js'
import { filteredAnswer } from './answer-filter.js'
import { attempt } from './attempt.js'
import { type Begun, begin, finish, finishFailed, prepare } from './begin.js'
import type { Call } from './call.js'
import { type Charge, chargeOf } from './charge.js'
import type { Engine } from './engine.js'
import { generatedImages } from './generated-images.js'
import { generatedText } from './generated-text.js'
import { answerPayload } from './payloads.js'
import { callHeaders, headersOfBill } from './reply-headers.js'
import type { Discarded, Try } from './try.js'
import { countedUsage, findUsage, type UsageFound, withCost, withUsage } from './usage-text.js'

/** An answer that came whole, with what was found of its usage. */
interface PlainAnswer {
  readonly bytes: Buffer
  readonly found: UsageFound | null
}

/**
 * A call whose answer comes in one piece: chat without a stream, and embeddings.
 *
 * @throws HooshError of whichever step refused or failed; the call is settled then
 */
export async function answerPlain(engine: Engine, call: Call): Promise<GatewayReply> {
  const begun = await begin(engine, call)
  let charge: Charge | undefined
  try {
    const { tried, received } = await attempt(engine, call, begun.held, {
      candidates: begun.admitted.candidates,
      asks: begun.admitted.asks,
      prepare: (candidate) => prepare(engine, begun, candidate),
      ask,
      discard,
    })
    const charging = chargeFor(engine, begun, tried, received)
    charge = charging instanceof Promise ? await charging : charging
    return await deliver(engine, begun, tried, received, charge)
  } catch (thrown) {
    throw await finishFailed(engine, begun, thrown, charge)
  }
}

async function ask(provider: Provider, request: UpstreamRequest, tried: Try): Promise<PlainAnswer | UpstreamFailure> {
  const answer = await provider.send(request)
  if (!answer.ok) return answer
  if (answer.dropped !== undefined) tried.dropped = answer.dropped
  const { bytes } = answer
  const found = findUsage(bytes)
  if (found !== null) return { bytes, found }
  return looksLikeAnswer(bytes) ? { bytes, found: null } : failureAfterSending(garbage(), bytes)
}

const discard = ({ bytes, found }: PlainAnswer): Discarded => ({ reported: found?.reported ?? null, received: bytes })

/** Without a usage object only reading all of it tells an answer from an error that came with status 200. */
function looksLikeAnswer(bytes: Buffer): boolean {
  try {
    const json = JSON.parse(bytes.toString('utf8')) as { choices?: unknown; data?: unknown } | null
    return json !== null && (Array.isArray(json.choices) || Array.isArray(json.data))
  } catch {
    return false
  }
}

function garbage(): HooshError {
  return new HooshError('provider_error', { message: 'The provider answered with something that is no answer.' })
}

function chargeFor(engine: Engine, { call, held }: Begun, { candidate }: Try, answer: PlainAnswer): Awaitable<Charge> {
  const { bytes } = answer
  const countOutput = async () => {
    const counter = await engine.outputCounter(candidate.model, candidate.route)
    return (await counter.countAll(answerText(bytes))) + generatedImages(bytes.toString('latin1')).tokens
  }
  const reported = believable(answer, call)
  return chargeOf(held, { reported, whole: true, countOutput: call.kind === 'chat' ? countOutput : () => 0 })
}

async function deliver(
  engine: Engine,
  begun: Begun,
  tried: Try,
  answer: PlainAnswer,
  charge: Charge,
): Promise<GatewayReply> {
  const { call } = begun
  const { candidate } = tried
  const filter = begun.inspected?.filter ?? null
  const { found, bytes } = filter === null ? answer : shown(filter, answer)
  const settled = await finish(
    engine,
    begun,
    engine.vault === null
      ? { outcome: 'ok', candidate, charge }
      : { outcome: 'ok', candidate, charge, payload: answerPayload(engine, call, answer.bytes) },
  )
  const headers = callHeaders(begun, tried)
  headers['content-type'] = 'application/json'
  headersOfBill(headers, settled)
  if (tried.limitedByBudget && /"finish_reason"\s*:\s*"length"/.test(answer.bytes.toString('latin1')))
    headers['x-hoosh-limited-by'] = 'budget'
  const provider = candidate.route.type
  const body =
    found === null
      ? withUsage(bytes, countedUsage(call.kind, charge, provider))
      : withCost(bytes, found, charge.amount.nanoUsd, provider)
  return filter?.restores === true ? { status: 200, headers, body, isPrivate: true } : { status: 200, headers, body }
}

/** The answer as its caller may have it. */
function shown(filter: AnswerFilter, answer: PlainAnswer): PlainAnswer {
  const bytes = filteredAnswer(filter, answer.bytes)
  if (bytes === null) throw garbage()
  return bytes === answer.bytes ? answer : { bytes, found: answer.found === null ? null : findUsage(bytes) }
}

/** Usage of nothing beside delivered text is no usage. */
function believable({ bytes, found }: PlainAnswer, call: Call): ReportedUsage | null {
  if (found === null) return null
  const { usage } = found.reported
  if (promptTokens(usage) === 0 && completionTokens(usage) === 0) return null
  if (call.kind === 'chat' && completionTokens(usage) === 0 && answerText(bytes) !== '') return null
  return found.reported
}

/** All text of an answer's choices, tool calls and reasoning included; of what is no JSON, all of it. */
function answerText(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  let choices: unknown
  try {
    choices = (JSON.parse(text) as { choices?: unknown }).choices
  } catch {
    return text
  }
  if (!Array.isArray(choices)) return ''
  return choices.map((choice: Choice | null) => generatedText(messageOf(choice))).join('')
}

interface Choice {
  readonly message?: object | null
  readonly finish_reason?: unknown
}

/** Why an answer was withheld is no output of the model's. */
function messageOf(choice: Choice | null): unknown {
  return choice?.finish_reason === 'content_filter' ? { ...choice.message, refusal: null } : choice?.message
}
