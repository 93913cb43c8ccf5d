import type { Ask } from '../translated/dialect.js'
import { unreadable } from '../translated/media.js'
import type { GeminiFacts } from './facts.js'
import { type Part, partsOf } from './parts.js'

type Json = Readonly<Record<string, unknown>>

/** What the newest models take inside a result; anything else stands behind it (function calling, multimodal responses). */
const INSIDE = /^(?:image\/(?:png|jpeg|webp)|application\/pdf|text\/plain)$/

/** Whole numbers beyond what a double holds, which would be changed by reading them. */
const LONG_NUMBER = /\d{16,}/

/**
 * A `tool` message as the result of a function. A JSON object goes up as that object, any other text as its `output`, or
 * as its `error` where the message says `is_error`.
 *
 * @param names of functions by the id of their call
 * @returns with the media that have to stand behind the results
 */
export function functionResult(
  ask: Ask,
  message: Json,
  { param, names, facts }: { param: string; names: ReadonlyMap<unknown, string>; facts: GeminiFacts },
): { part: Part; behind: Part[] } {
  const { tool_call_id: id, is_error: isError } = message
  const name = names.get(id)
  if (typeof id !== 'string') throw unreadable(`${param}.tool_call_id`, 'is missing')
  if (name === undefined) throw unreadable(`${param}.tool_call_id`, 'is the id of no call before it')
  const parts = partsOf(ask, message.content, `${param}.content`)
  const text = parts.flatMap((part) => (typeof part.text === 'string' ? [part.text] : [])).join('\n')
  const media = parts.filter((part) => part.text === undefined)
  const inside = facts.newest ? media.filter((part) => INSIDE.test(typeOf(part))) : []
  const behind = media.filter((part) => !inside.includes(part))
  const response = isError === true ? { error: text } : (objectOf(text) ?? { output: text })
  const result = { id, name, response, ...(inside.length === 0 ? {} : { parts: inside }) }
  return {
    part: { functionResponse: result },
    behind: behind.length === 0 ? [] : [{ text: `Files in the result of ${name}:` }, ...behind],
  }
}

function typeOf(part: Part): string {
  const { mimeType } = (part.inlineData ?? part.fileData ?? {}) as { mimeType?: string }
  return mimeType ?? ''
}

function objectOf(text: string): object | null {
  if (!text.trimStart().startsWith('{') || LONG_NUMBER.test(text)) return null
  try {
    return JSON.parse(text) as object
  } catch {
    return null
  }
}
