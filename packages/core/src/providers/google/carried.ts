import { isWhole } from '../../amount.js'
import type { Part } from './parts.js'

/**
 * What OpenAI's message cannot hold and Gemini wants back: `extra_content.google.parts` of the assistant message. Parts in
 * their order; those that the message itself holds stand there without what it says: a text as its length in UTF-16 units,
 * a function call as its id, an image as its place among `images`. Calls of Google's own tools and their results stand
 * there whole. The signature of a function call is with the call: `tool_calls[].extra_content.google.thought_signature`,
 * as in Google's own OpenAI endpoint.
 */
export type CarriedPart = Part

const KINDS = new Set(['call', 'toolCall', 'toolResponse', 'executableCode', 'codeExecutionResult'])

/** What a part is, once what the message holds of it is taken out. */
export function carriedPart(part: Part, place: { callId: string; image: number }): CarriedPart {
  const { text, thought, thoughtSignature: signature, functionCall, inlineData } = part
  const signed = signature === undefined ? {} : { thoughtSignature: signature }
  if (typeof text === 'string') return { length: text.length, ...(thought === true ? { thought } : {}), ...signed }
  if (functionCall !== undefined) return { call: place.callId }
  return inlineData === undefined ? part : { image: place.image, ...signed }
}

/** Adds a part of an answer: unsigned texts in a row are one. */
export function addCarried(parts: CarriedPart[], part: CarriedPart): void {
  if (!isText(part) || part.thoughtSignature !== undefined) parts.push(part)
  else addText(parts, part.length as number, part.thought)
}

/** An unsigned text. Called for every event of a stream, so the one before grows in place. */
export function addText(parts: CarriedPart[], length: number, thought: unknown): void {
  const last = parts[parts.length - 1]
  if (isText(last) && last.thought === thought && last.thoughtSignature === undefined)
    (last as { length: number }).length += length
  else parts.push(thought === undefined ? { length } : { length, thought })
}

/** The field of the message; undefined where the message alone says it all, in this order. */
export function carriedOf(parts: readonly CarriedPart[]): { google: { parts: readonly CarriedPart[] } } | undefined {
  const rank = (part: CarriedPart) => ('call' in part ? 2 : part.thought === true ? 0 : 1)
  const isPlain = parts.every((part, index) => {
    if (part.thoughtSignature !== undefined || !(isText(part) || 'call' in part)) return false
    return index === 0 || rank(part) >= rank(parts[index - 1]!)
  })
  return isPlain ? undefined : { google: { parts } }
}

/** What a message of the caller carries; null where it carries nothing that can be read. */
export function carriedIn(message: Readonly<Record<string, unknown>>): readonly CarriedPart[] | null {
  const extra = message.extra_content as { google?: { parts?: unknown } } | null | undefined
  const parts = extra?.google?.parts
  return Array.isArray(parts) && parts.every(isCarried) ? parts : null
}

/** Nothing else is taken from a caller: what he says has to stand in the message. */
function isCarried(part: unknown): part is CarriedPart {
  if (typeof part !== 'object' || part === null) return false
  const { thought: _thought, thoughtSignature: _signature, ...kind } = part as CarriedPart
  const [key, ...others] = Object.keys(kind)
  if (others.length > 0 || key === undefined) return false
  const value = kind[key]
  if (key === 'length') return isWhole(value)
  return key === 'image' ? Number.isSafeInteger(value) : KINDS.has(key)
}

/** What the message itself says. */
export interface Said {
  readonly thoughts: string
  readonly text: string
  readonly calls: readonly { readonly id: unknown; readonly part: Part }[]
  readonly images: readonly Part[]
}

/**
 * The parts that an answer had, out of what is carried and what the message says; null where the caller has changed the
 * message since, so that its own words count.
 */
export function restored(carried: readonly CarriedPart[], said: Said): Part[] | null {
  const byId = new Map(said.calls.map(({ id, part }) => [id, part]))
  const ids = carried.flatMap((part) => ('call' in part ? [part.call] : []))
  const length = carried.reduce((sum, part) => sum + (isText(part) && part.thought !== true ? lengthOf(part) : 0), 0)
  if (length !== said.text.length || ids.length !== byId.size || !ids.every((id) => byId.has(id))) return null
  let at = 0
  let thoughtAt = 0
  return carried.flatMap((part) => {
    if ('call' in part) return [byId.get(part.call)!]
    if ('image' in part) {
      const { image, ...rest } = part
      const held = said.images[image as number]
      return held === undefined ? [] : [{ ...held, ...rest }]
    }
    if (!isText(part)) return [part]
    const { length: size, ...rest } = part
    const isThought = part.thought === true
    const text = isThought
      ? said.thoughts.slice(thoughtAt, thoughtAt + lengthOf(part))
      : said.text.slice(at, at + lengthOf(part))
    if (isThought) thoughtAt += size as number
    else at += size as number
    return text === '' && rest.thoughtSignature === undefined ? [] : [{ ...rest, text }]
  })
}

function isText(part: CarriedPart | undefined): part is CarriedPart {
  return part !== undefined && typeof part.length === 'number'
}

function lengthOf(part: CarriedPart): number {
  return part.length as number
}
