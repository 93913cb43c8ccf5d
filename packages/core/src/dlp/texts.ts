import { readAround, type Unreadable } from './media.js'
import { rewritten, type Spot, type Visitor } from './walk.js'

/** One text of a request. */
export interface RequestText {
  readonly text: string
  /** It is JSON text inside a string, such as the arguments of a tool call. */
  readonly isJson: boolean
  /** It is a signature, or something encrypted, that a provider wants back as it came. */
  readonly isOpaque?: boolean
}

type Params = Readonly<Record<string, unknown>>

/** Fields of a request that say where it goes. */
const OWN = new Set(['model', 'pool', 'fallbacks'])

/** One word of base64, of either alphabet, as signatures are. */
const OPAQUE = /^[A-Za-z0-9+/_-]{100,}={0,2}$/

/** All that a request holds: its texts, and the kinds of what is none. */
export interface RequestContent {
  readonly texts: readonly RequestText[]
  readonly unreadable: ReadonlySet<Unreadable>
}

/**
 * Every string of a request that would go to a provider, but for the words of the protocol; names of members, each once;
 * and numbers. Those outside of `messages` come first, so that a conversation that grows keeps the order of what it had.
 */
export function contentOf(params: Params): RequestContent {
  const texts: RequestText[] = []
  const unreadable = new Set<Unreadable>()
  const read = (text: string) => {
    texts.push({ text, isJson: false })
    return text
  }
  rewrittenRequest(params, {
    text: (text, spot) =>
      readAround(text, spot.field, {
        read(part) {
          const found = textAt(part, spot)
          texts.push(!found.isJson && isJsonText(part) ? { text: part, isJson: true } : found)
          return part
        },
        data: (kind) => void unreadable.add(kind),
      }),
    name: once(read),
    digits: read,
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
  const read = () => texts[next++]!
  return rewrittenRequest(params, {
    text: (text, { field }) => readAround(text, field, { read }),
    name: once(read),
    digits: read,
  })
}

/** Results of tools are JSON more often than not: read as what it means, and kept JSON. */
function isJsonText(text: string): boolean {
  const all = text.trim()
  if (!(all.startsWith('{') && all.endsWith('}')) && !(all.startsWith('[') && all.endsWith(']'))) return false
  try {
    JSON.parse(all)
    return true
  } catch {
    return false
  }
}

function once(read: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    let changed = known.get(name)
    if (changed === undefined) {
      changed = read(name)
      known.set(name, changed)
    }
    return changed
  }
}

export function textAt(text: string, { field, isCarried }: Spot): RequestText {
  const isJson = field === 'arguments'
  return isCarried && OPAQUE.test(text) ? { text, isJson, isOpaque: true } : { text, isJson }
}

function rewrittenRequest(params: Params, visit: Visitor): Params {
  const own: Record<string, unknown> = {}
  const others: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(params)) {
    if (OWN.has(field)) own[field] = value
    else if (field !== 'messages') others[field] = value
  }
  if ('messages' in params) others.messages = params.messages
  const changed = rewritten(others, null, visit)
  return changed === others ? params : { ...own, ...(changed as Params) }
}
