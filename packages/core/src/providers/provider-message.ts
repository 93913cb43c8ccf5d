/** What a provider's error body says, in whichever shape it says it. */
export interface ProviderMessage {
  readonly message?: string
  readonly type?: string
  /** Null where the provider says so. */
  readonly code?: string | null
  readonly param?: string
}

const LONGEST_MESSAGE = 2_000
const LONGEST_WORD = 100
/** Levels of an error body that are passed on. */
const MAX_DEPTH = 16

/**
 * Reads the error bodies that OpenAI-compatible servers send: `{ error: { message, type, code, param } }`, the same
 * without the wrapping (Mistral, vLLM) or within a `response`, `{ error: "text" }`, `{ detail }` (FastAPI), each also as the first of a list.
 * Null where the body is no JSON object.
 *
 * @param clean removes secrets; what is left is cut to 2,000 characters
 */
export function providerMessage(body: string, clean: (text: string) => string): ProviderMessage | null {
  const root = objectOf(parsed(body))
  if (root === null) return null
  const error = objectOf(root.error) ?? objectOf(objectOf(root.response)?.error) ?? root
  const text = textOf(error.message) ?? textOf(root.error) ?? textOf(root.message) ?? textOf(root.detail)
  const word = (value: unknown) => {
    if (typeof value !== 'string' && typeof value !== 'number') return undefined
    return clean(String(value)).slice(0, LONGEST_WORD)
  }
  const [type, code, param] = [word(error.type), word(error.code), word(error.param)]
  return {
    ...(text === undefined ? {} : { message: clean(text).slice(0, LONGEST_MESSAGE) }),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? (error.code === null ? { code: null } : {}) : { code }),
    ...(param === undefined ? {} : { param }),
  }
}

/** Its type and code, for a sentence that must not have its text. */
export function wordsOf(said: ProviderMessage | null): string {
  const words = [said?.type, said?.code].filter((word) => word != null && /^[\w.:-]+$/.test(word))
  return words.length === 0 ? '' : `: ${words.join(', ')}`
}

/**
 * An error body as it may be passed on whole: every text in it, names and figures included, through `clean` and cut to
 * 2,000 characters. By its values, since JSON can write a secret in more spellings than anybody looks for.
 */
export function cleanedBody(value: unknown, clean: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return clean(value).slice(0, LONGEST_MESSAGE)
  if (typeof value === 'number') return clean(String(value)) === String(value) ? value : clean(String(value))
  if (typeof value !== 'object' || value === null) return value
  if (depth === MAX_DEPTH) return null
  if (Array.isArray(value)) return value.map((item) => cleanedBody(item, clean, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      clean(name).slice(0, LONGEST_MESSAGE),
      cleanedBody(inner, clean, depth + 1),
    ]),
  )
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Record<string, unknown> | null {
  const one = Array.isArray(value) ? value[0] : value
  return typeof one === 'object' && one !== null && !Array.isArray(one) ? (one as Record<string, unknown>) : null
}

/** A sentence; details that are not one (lists of validation errors) are written out, so that none is lost. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined
}
