import { argumentsOf } from '../translated/arguments.js'
import type { Ask } from '../translated/dialect.js'
import { unreadable } from '../translated/media.js'
import { carriedIn, restored } from './carried.js'
import type { GeminiFacts } from './facts.js'
import { type Part, partsOf } from './parts.js'
import { functionResult } from './results.js'

/** One turn of a conversation as Gemini wants it. */
export interface Content {
  readonly role: 'user' | 'model'
  readonly parts: Part[]
}

type Message = Readonly<Record<string, unknown>>

/**
 * Google's own word for a call that has no signature because another model made it, in base64; without one the newest
 * models refuse the conversation (thought signatures, FAQ).
 */
const UNSIGNED = Buffer.from('context_engineering_is_the_way_to_go').toString('base64')

/**
 * Messages as system instruction and contents. Instructions are joined in front, since Gemini has one place for them; the
 * results of parallel calls stand together, as is demanded.
 */
export function conversation(ask: Ask, facts: GeminiFacts): { system: Part[]; contents: Content[] } {
  const system: Part[] = []
  const contents: Content[] = []
  const names = new Map<unknown, string>()
  let results: { parts: Part[]; behind: Part[] } | null = null
  const add = (role: Content['role'], parts: Part[]) => {
    if (parts.length > 0) contents.push({ role, parts })
  }
  const endResults = () => {
    if (results === null) return
    add('user', results.parts)
    add('user', results.behind)
    results = null
  }
  for (const [index, message] of (ask.params.messages as readonly Message[]).entries()) {
    const param = `messages.${index}`
    if (message.role === 'tool') {
      const { part, behind } = functionResult(ask, message, { param, names, facts })
      results ??= { parts: [], behind: [] }
      results.parts.push(part)
      results.behind.push(...behind)
      continue
    }
    endResults()
    if (message.role === 'system' || message.role === 'developer') {
      system.push(...partsOf(ask, message.content, `${param}.content`))
    } else if (message.role === 'assistant') {
      add('model', modelParts(ask, message, { param, names, facts }))
    } else if (message.role === 'user') {
      add('user', partsOf(ask, message.content, `${param}.content`))
    } else {
      throw unreadable(`${param}.role`, 'must be `tool`: results of functions are not known here')
    }
  }
  endResults()
  return { system, contents }
}

interface Place {
  readonly param: string
  /** Functions by the id of their call. */
  readonly names: Map<unknown, string>
  readonly facts: GeminiFacts
}

function modelParts(ask: Ask, message: Message, { param, names, facts }: Place): Part[] {
  const texts = partsOf(ask, message.content, `${param}.content`)
  if (texts.length === 0 && typeof message.refusal === 'string') texts.push({ text: message.refusal })
  const list = Array.isArray(message.tool_calls) ? (message.tool_calls as Message[]) : []
  const calls = list.map((call, index) => {
    const part = functionCall(call, `${param}.tool_calls.${index}`)
    names.set(call.id, (call.function as { name: string }).name)
    return { id: call.id, part }
  })
  const thoughts = typeof message.reasoning_content === 'string' ? message.reasoning_content : ''
  const images = Array.isArray(message.images) ? partsOf(ask, message.images, `${param}.images`) : []
  const carried = carriedIn(message)
  const said = { thoughts, text: texts.map(({ text }) => String(text)).join(''), calls, images }
  const parts = (carried === null ? null : restored(carried, said)) ?? [
    ...(thoughts === '' || facts.thinking === 'none' ? [] : [{ text: thoughts, thought: true }]),
    ...signedBy(message, texts),
    ...images,
    ...calls.map(({ part }) => part),
  ]
  return facts.newest ? withFirstSigned(parts) : parts
}

/** Google's OpenAI endpoint gives the signature of a text beside the message. */
function signedBy(message: Message, texts: Part[]): Part[] {
  const signature = signatureIn(message)
  const last = texts[texts.length - 1]
  if (signature === undefined || last === undefined) return texts
  return [...texts.slice(0, -1), { ...last, thoughtSignature: signature }]
}

function functionCall(call: Message, param: string): Part {
  const { name, arguments: text } = (call.function ?? {}) as Message
  if (typeof call.id !== 'string' || typeof name !== 'string') throw unreadable(param, 'needs an id and a function')
  const signature = signatureIn(call)
  return {
    functionCall: { id: call.id, name, args: argumentsOf(text, `${param}.function.arguments`) },
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  }
}

function signatureIn(holder: Message): string | undefined {
  const extra = holder.extra_content as { google?: { thought_signature?: unknown } } | null | undefined
  const signature = extra?.google?.thought_signature
  return typeof signature === 'string' ? signature : undefined
}

/** Of parallel calls the first carries the signature of all. */
function withFirstSigned(parts: Part[]): Part[] {
  const first = parts.findIndex((part) => part.functionCall !== undefined)
  if (first < 0 || parts[first]!.thoughtSignature !== undefined) return parts
  return parts.with(first, { ...parts[first], thoughtSignature: UNSIGNED })
}
