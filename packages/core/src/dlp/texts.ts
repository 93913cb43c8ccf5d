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

/** Images, sounds and files, which hold no text that could be read here. */
const DATA_URL = /^data:[^,]{0,200};base64,/
const BASE64 = /^[A-Za-z0-9+/\r\n]{256}/

/**
 * Every text of a request: messages with their parts, tool calls and results, the texts of tools' schemas, inputs, and
 * whatever else would go to a provider. Those outside of `messages` come first, so that a conversation that grows keeps
 * the order of what it had.
 */
export function textsOf(params: Params): RequestText[] {
  const texts: RequestText[] = []
  rewritten(params, (text) => {
    texts.push(text)
    return text.text
  })
  return texts
}

/** The request with other texts, given in the order of `textsOf`; what does not change is shared with the original. */
export function withTexts(params: Params, texts: readonly string[]): Params {
  let next = 0
  return rewritten(params, () => texts[next++]!)
}

function rewritten(params: Params, write: (text: RequestText) => string): Params {
  const fields = Object.keys(params).filter((field) => !OWN.has(field))
  const ordered = [...fields.filter((field) => field !== 'messages'), ...fields.filter((field) => field === 'messages')]
  let copy: Record<string, unknown> | null = null
  for (const field of ordered) {
    const value = params[field]
    const changed = rewrite(value, field, write)
    if (changed !== value) {
      copy ??= { ...params }
      copy[field] = changed
    }
  }
  return copy ?? params
}

function rewrite(value: unknown, field: string, write: (text: RequestText) => string): unknown {
  if (typeof value === 'string') {
    if (value === '' || STEERING.has(field) || isData(value, field)) return value
    return write({ text: value, isJson: field === 'arguments' })
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return rewriteList(value, field, write)
  let copy: Record<string, unknown> | null = null
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key]
    const changed = rewrite(inner, key, write)
    if (changed === inner) continue
    copy ??= { ...value }
    copy[key] = changed
  }
  return copy ?? value
}

function rewriteList(list: readonly unknown[], field: string, write: (text: RequestText) => string): unknown {
  let copy: unknown[] | null = null
  for (let index = 0; index < list.length; index += 1) {
    const changed = rewrite(list[index], field, write)
    if (changed === list[index]) continue
    copy ??= [...list]
    copy[index] = changed
  }
  return copy ?? list
}

function isData(text: string, field: string): boolean {
  return DATA_URL.test(text) || ((field === 'data' || field === 'file_data') && BASE64.test(text))
}
