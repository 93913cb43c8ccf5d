import type { Ask } from '../translated/dialect.js'
import { blockOf, factsOf, finishOf, logprobsOf, noAnswer, refusalOf, tierOf, wireUsage } from './answer.js'
import { callIds, toolCallOf } from './calls.js'
import { addCarried, type CarriedPart, carriedOf, carriedPart } from './carried.js'
import { annotationsOf } from './citations.js'
import type { Part } from './parts.js'
import { errorIn } from './refusal.js'

type Json = Readonly<Record<string, unknown>>

/**
 * An answer of `generateContent` as a chat completion.
 *
 * @param answerTool the function whose arguments are the answer, where one was asked for
 */
export function completionOf(ask: Ask, json: unknown, answerTool: string | undefined): object {
  const error = errorIn(ask, json)
  if (error !== null) throw error
  const { candidates, promptFeedback, usageMetadata, modelVersion, responseId } = json as Json
  const id = typeof responseId === 'string' ? responseId : ask.requestId
  const nextId = callIds(id)
  const usage = wireUsage(usageMetadata)
  const choices =
    Array.isArray(candidates) && candidates.length > 0
      ? (candidates as Json[]).map((candidate, place) => choiceOf(candidate, place, { nextId, answerTool }))
      : [unanswered(promptFeedback)]
  return {
    id,
    object: 'chat.completion',
    created: ask.created,
    model: modelVersion ?? ask.model,
    choices,
    ...tierOf(usageMetadata),
    ...(usage === undefined ? {} : { usage }),
  }
}

interface Context {
  readonly nextId: () => string
  readonly answerTool: string | undefined
}

function choiceOf(candidate: Json, place: number, { nextId, answerTool }: Context): object {
  const all = ((candidate.content as Json | undefined)?.parts ?? []) as Part[]
  const isAnswer = (part: Part) =>
    answerTool !== undefined && (part.functionCall as Json | undefined)?.name === answerTool
  const parts = all.map((part) => {
    return isAnswer(part) ? { text: JSON.stringify((part.functionCall as Json).args ?? {}) } : part
  })
  const calls: { id: string }[] = []
  const images: object[] = []
  const carried: CarriedPart[] = []
  for (const part of parts) {
    if (part.functionCall !== undefined) calls.push(toolCallOf(part, nextId))
    const callId = calls[calls.length - 1]?.id ?? ''
    if (part.thought === true && part.inlineData !== undefined) continue
    addCarried(carried, carriedPart(part, { callId, image: images.length }))
    if (part.inlineData !== undefined) images.push(imageOf(part))
  }
  const text = joined(parts, false)
  const thoughts = joined(parts, true)
  const annotations = annotationsOf(text, candidate)
  const extra = carriedOf(carried)
  return {
    index: candidate.index ?? place,
    message: {
      role: 'assistant',
      content: text === '' ? null : text,
      refusal: refusalOf(candidate),
      ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      ...(images.length === 0 ? {} : { images }),
      ...(annotations.length === 0 ? {} : { annotations }),
      ...(extra === undefined ? {} : { extra_content: extra }),
    },
    finish_reason: finishOf(candidate.finishReason, calls.length),
    logprobs: logprobsOf(candidate.logprobsResult),
    ...factsOf(candidate),
  }
}

/** An image of an answer, as a part that a message can have too. */
export function imageOf(part: Part): object {
  const { mimeType, data } = part.inlineData as { mimeType: string; data: string }
  return { type: 'image_url', image_url: { url: `data:${mimeType};base64,${data}` } }
}

function joined(parts: readonly Part[], thoughts: boolean): string {
  return parts
    .map(({ text, thought }) => (typeof text === 'string' && (thought === true) === thoughts ? text : ''))
    .join('')
}

/** No answer, and why; where not even that is told, it is none. */
function unanswered(feedback: unknown): object {
  const blocked = blockOf(feedback)
  if (blocked === null) throw noAnswer()
  return {
    index: 0,
    message: { role: 'assistant', content: null, refusal: blocked.refusal },
    finish_reason: 'content_filter',
    logprobs: null,
    native_finish_reason: blocked.reason,
  }
}
