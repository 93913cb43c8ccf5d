/** One text of a request. */
export interface RequestText {
  readonly text: string
  /** It is JSON text inside a string: the arguments of a tool call. */
  readonly isJson: boolean
}

type Params = Readonly<Record<string, unknown>>

/** Names of fields whose strings steer the protocol. */
const STEERING = new Set(['role', 'type', 'id', 'tool_call_id'])
/** Fields of a request that say where it goes. */
const OWN = new Set(['model', 'pool', 'fallbacks'])
/** What a provider has given to be given back: changed, it would be refused. */
const KEEPSAKES = 'extra_content'

/** Images, sounds and files, which hold no text that could be read here. */
const DATA_URL = /^data:([^,]{0,200});base64,/
const BASE64 = /^[A-Za-z0-9+/\r\n]{256}/

/** What a request may hold that cannot be read here. */
export const UNREADABLE = ['image', 'audio', 'file', 'token_ids'] as const
export type Unreadable = (typeof UNREADABLE)[number]

/** All that a request holds: its texts, and the kinds of what is none. */
export interface RequestContent {
  readonly texts: readonly RequestText[]
  readonly unreadable: ReadonlySet<Unreadable>
}

/**
 * Every text of a request: messages with their parts, tool calls and results, the texts of tools' schemas, inputs, and
 * whatever else would go to a provider. Those outside of `messages` come first, so that a conversation that grows keeps
 * the order of what it had.
 */
export function contentOf(params: Params): RequestContent {
  const texts: RequestText[] = []
  const unreadable = new Set<Unreadable>()
  rewritten(params, {
    text(text) {
      texts.push(text)
      return text.text
    },
    data: (kind) => void unreadable.add(kind),
  })
  // Embeddings of numbers are those of a text that somebody has already turned into tokens.
  const { input } = params
  if (Array.isArray(input) && input.some((item) => typeof item === 'number' || Array.isArray(item))) {
    unreadable.add('token_ids')
  }
  return { texts, unreadable }
}

/** The request with other texts, given in the order of `contentOf`; what does not change is shared with the original. */
export function withTexts(params: Params, texts: readonly string[]): Params {
  let next = 0
  return rewritten(params, { text: () => texts[next++]!, data() {} })
}

/** Told of everything on the way. */
interface Visitor {
  /** Returns what stands there instead. */
  text(text: RequestText): string
  data(kind: Unreadable): void
}

function rewritten(params: Params, visit: Visitor): Params {
  const fields = Object.keys(params).filter((field) => !OWN.has(field))
  const ordered = [...fields.filter((field) => field !== 'messages'), ...fields.filter((field) => field === 'messages')]
  let copy: Record<string, unknown> | null = null
  for (const field of ordered) {
    const value = params[field]
    const changed = rewrite(value, field, visit)
    if (changed !== value) {
      copy ??= { ...params }
      copy[field] = changed
    }
  }
  return copy ?? params
}

function rewrite(value: unknown, field: string, visit: Visitor): unknown {
  if (typeof value === 'string') {
    if (value === '' || STEERING.has(field)) return value
    const data = dataIn(value, field)
    if (data === null) return visit.text({ text: value, isJson: field === 'arguments' })
    visit.data(data)
    return value
  }
  if (typeof value !== 'object' || value === null || field === KEEPSAKES) return value
  if (Array.isArray(value)) return rewriteList(value, field, visit)
  let copy: Record<string, unknown> | null = null
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key]
    const changed = rewrite(inner, key, visit)
    if (changed === inner) continue
    copy ??= { ...value }
    copy[key] = changed
  }
  return copy ?? value
}

function rewriteList(list: readonly unknown[], field: string, visit: Visitor): unknown {
  let copy: unknown[] | null = null
  for (let index = 0; index < list.length; index += 1) {
    const changed = rewrite(list[index], field, visit)
    if (changed === list[index]) continue
    copy ??= [...list]
    copy[index] = changed
  }
  return copy ?? list
}

/** What kind of data a string is; null for a text. */
export function dataIn(text: string, field: string): Unreadable | null {
  const type = DATA_URL.exec(text)?.[1]
  if (type !== undefined) return type.startsWith('image/') ? 'image' : type.startsWith('audio/') ? 'audio' : 'file'
  if (!BASE64.test(text)) return null
  return field === 'data' ? 'audio' : field === 'file_data' ? 'file' : null
}
