import { type ChunkWriter, chunkWriter, DONE } from '../translated/chunks.js'
import type { Ask, StreamTranslator } from '../translated/dialect.js'
import type { CarryingMessage } from '../translated/keepsakes.js'
import { blockOf, factsOf, finishOf, logprobsOf, noAnswer, refusalOf, tierOf, wireUsage } from './answer.js'
import { callIds, toolCallOf } from './calls.js'
import { addCarried, addText, type CarriedPart, carriedOf, carriedPart } from './carried.js'
import { annotationsOf } from './citations.js'
import type { Part } from './parts.js'
import { errorIn } from './refusal.js'
import { imageOf } from './reply.js'

type Json = Readonly<Record<string, unknown>>

/** One choice being received. */
interface Choice {
  readonly index: number
  readonly carried: CarriedPart[]
  /** What single events tell beside their parts, gathered from all of them. */
  readonly told: Record<string, unknown>
  text: string
  readonly calls: { readonly id: string; readonly extra_content?: unknown }[]
  images: number
  isFinished: boolean
}

/** What of a candidate the end of its choice is made of, beside the reason. */
const TOLD = ['groundingMetadata', 'urlContextMetadata', 'citationMetadata', 'finishMessage'] as const

interface Stream {
  readonly ask: Ask
  readonly answerTool: string | undefined
  readonly choices: Map<number, Choice>
  write: ChunkWriter | null
  nextId: () => string
  usage: unknown
}

/**
 * Events of `streamGenerateContent` as OpenAI's. Each holds whole parts; the answer has ended when the stream has, since no
 * event says so.
 *
 * @param answerTool the function whose arguments are the answer, where one was asked for
 */
export function contentStream(ask: Ask, answerTool: string | undefined): StreamTranslator {
  const stream: Stream = {
    ask,
    answerTool,
    choices: new Map(),
    write: null,
    nextId: callIds(ask.requestId),
    usage: undefined,
  }
  return {
    event: (json) => translate(stream, json as Json),
    message: () => messageOf(stream.choices.get(0)),
    end: () => ended(stream),
  }
}

function translate(stream: Stream, event: Json): string {
  const error = errorIn(stream.ask, event)
  if (error !== null) throw error
  const { candidates, promptFeedback, usageMetadata } = event
  const write = stream.write ?? begin(stream, event)
  if (usageMetadata !== undefined) stream.usage = usageMetadata
  if (Array.isArray(candidates) && candidates.length > 0) {
    let out = ''
    for (const candidate of candidates as Json[]) out += choice(stream, write, candidate)
    return out
  }
  const blocked = blockOf(promptFeedback)
  if (blocked === null) {
    if (usageMetadata === undefined) throw noAnswer()
    return ''
  }
  const first = choiceAt(stream, 0)
  first.isFinished = true
  return (
    write.delta(unbilled(blocked.refusal)) + write.finish('content_filter', { native_finish_reason: blocked.reason })
  )
}

function begin(stream: Stream, { responseId, modelVersion }: Json): ChunkWriter {
  const { requestId, created, model } = stream.ask
  const id = typeof responseId === 'string' ? responseId : requestId
  stream.nextId = callIds(id)
  stream.write = chunkWriter({ id, created, model: typeof modelVersion === 'string' ? modelVersion : model })
  return stream.write
}

function choiceAt({ choices }: Stream, index: number): Choice {
  const known = choices.get(index)
  if (known !== undefined) return known
  const made: Choice = { index, carried: [], told: {}, text: '', calls: [], images: 0, isFinished: false }
  choices.set(index, made)
  return made
}

function choice(stream: Stream, write: ChunkWriter, candidate: Json): string {
  const held = choiceAt(stream, (candidate.index as number | undefined) ?? 0)
  const { content, finishReason: reason, logprobsResult } = candidate
  for (const key of TOLD) if (candidate[key] !== undefined) held.told[key] = candidate[key]
  let out = ''
  for (const part of ((content as Json | undefined)?.parts ?? []) as Part[]) out += said(stream, write, held, part)
  const logprobs = logprobsOf(logprobsResult)
  if (logprobs !== null) out += write.delta({}, held.index, { logprobs })
  if (reason === undefined || held.isFinished) return out
  held.isFinished = true
  return out + finished(write, held, { ...held.told, finishReason: reason })
}

/** One part. What is neither text nor call nor image is carried only. */
function said(stream: Stream, write: ChunkWriter, held: Choice, part: Part): string {
  const { text, thought, functionCall, inlineData } = part
  if (functionCall !== undefined) return called(stream, write, held, part)
  if (thought === true && inlineData !== undefined) return ''
  if (typeof text === 'string' && part.thoughtSignature === undefined) {
    addText(held.carried, text.length, thought === true ? thought : undefined)
  } else {
    addCarried(held.carried, carriedPart(part, { callId: '', image: held.images }))
  }
  if (inlineData !== undefined) {
    held.images += 1
    return write.delta({ images: [imageOf(part)] }, held.index)
  }
  if (typeof text !== 'string' || text === '') return ''
  if (thought === true) return write.reasoning(text, held.index)
  held.text += text
  return write.text(text, held.index)
}

/** A call comes whole, with its arguments. */
function called(stream: Stream, write: ChunkWriter, held: Choice, part: Part): string {
  const { name, args } = part.functionCall as Json
  if (name === stream.answerTool) return said(stream, write, held, { text: JSON.stringify(args ?? {}) })
  const call = toolCallOf(part, stream.nextId)
  addCarried(held.carried, carriedPart(part, { callId: call.id, image: 0 }))
  const index = held.calls.push(call) - 1
  return write.delta({ tool_calls: [{ index, ...call }] }, held.index)
}

function finished(write: ChunkWriter, held: Choice, candidate: Json): string {
  let out = ''
  const annotations = annotationsOf(held.text, candidate)
  if (annotations.length > 0) out += write.delta({ annotations }, held.index)
  const refusal = refusalOf(candidate)
  const extra = carriedOf(held.carried)
  if (refusal !== null) out += write.delta(unbilled(refusal, extra), held.index)
  else if (extra !== undefined) out += write.delta({ extra_content: extra }, held.index)
  return out + write.finish(finishOf(candidate.finishReason, held.calls.length), factsOf(candidate), held.index)
}

/** Why an answer was withheld. No model has written that: by how the delta begins the relay tells that it is no output. */
function unbilled(refusal: string, extra: object = {}): object {
  return { extra_content: extra, refusal }
}

/** Nothing where a choice is unfinished: then the answer broke off. */
function ended({ write, choices, usage }: Stream): string {
  if (write === null || choices.size === 0 || [...choices.values()].some(({ isFinished }) => !isFinished)) return ''
  const told = wireUsage(usage)
  return `${told === undefined ? '' : write.usage(told, tierOf(usage))}${DONE}`
}

/** What is kept of the first choice, once it has ended. */
function messageOf(choice: Choice | undefined): CarryingMessage | null {
  if (choice?.isFinished !== true) return null
  return { tool_calls: choice.calls, extra_content: carriedOf(choice.carried) }
}
