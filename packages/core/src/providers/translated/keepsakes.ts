import { createHash } from 'node:crypto'
import type { CacheStore } from '../../cache/store.js'
import { within } from '../../time.js'

/** Where opaque things are kept for clients that drop fields they do not know, and whose they are. */
export interface Keeper {
  readonly cache: CacheStore
  readonly user: string
}

/** An assistant message with its calls, as far as it concerns us. */
export interface CarryingMessage {
  readonly tool_calls?: readonly { readonly id: string; readonly extra_content?: unknown }[]
  readonly extra_content?: unknown
}

/** What one message carried: itself, and each of its calls by id. */
interface Keepsake {
  readonly message?: unknown
  readonly calls: Readonly<Record<string, unknown>>
}

/** A tool may wait for a person: a day. */
const KEPT_MS = 86_400_000
/** Of one message, as JSON; the results of a few searches on the web are some 100 KB. */
const MAX_KEPT_BYTES = 1_048_576
/** Longest wait for a cache, ms: without it a tool loop may lose its thinking, which is less than a call. */
const PATIENCE_MS = 250

/**
 * Keeps what messages carry, under the caller and the first of their tool calls: only within a tool loop is it wanted back.
 *
 * @returns what to wait for before the end of the answer is told, or undefined
 */
export function keep(keeper: Keeper, messages: readonly CarryingMessage[]): Promise<unknown> | undefined {
  const writing = messages.flatMap((message) => {
    const { tool_calls: calls = [], extra_content: extra } = message
    const carrying = calls.filter((call) => call.extra_content !== undefined)
    if (calls.length === 0 || (extra === undefined && carrying.length === 0)) return []
    const byId = Object.fromEntries(carrying.map((call) => [call.id, call.extra_content]))
    const keepsake: Keepsake = { ...(extra === undefined ? {} : { message: extra }), calls: byId }
    const value = Buffer.from(JSON.stringify(keepsake))
    if (value.byteLength > MAX_KEPT_BYTES) return []
    const put = attempt(() => keeper.cache.put(keyOf(keeper, calls[0]!.id), value, KEPT_MS))
    return put instanceof Promise ? [put] : []
  })
  return writing.length === 0 ? undefined : within(PATIENCE_MS, Promise.all(writing))
}

/** The request with what its messages have lost. */
export async function recalled(
  keeper: Keeper,
  params: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const messages = params.messages as readonly Readonly<Record<string, unknown>>[]
  const asked = messages.map((message) => {
    const id = lostBy(message)
    return id === null ? null : attempt(() => keeper.cache.get(keyOf(keeper, id)))
  })
  if (asked.every((answer) => answer === null)) return params
  const found = asked.some((answer) => answer instanceof Promise)
    ? await within(PATIENCE_MS, Promise.all(asked))
    : (asked as (Uint8Array | null)[])
  if (found === null || found.every((value) => value === null)) return params
  return { ...params, messages: messages.map((message, index) => restored(message, found[index] ?? null)) }
}

/** The call under which a message's keepsake would stand; null where it has lost nothing. (The AI SDK keeps what calls carry.) */
function lostBy(message: Readonly<Record<string, unknown>>): string | null {
  const calls = message.tool_calls as CarryingMessage['tool_calls']
  if (message.role !== 'assistant' || message.extra_content !== undefined || !Array.isArray(calls)) return null
  const [first] = calls
  return typeof first?.id === 'string' ? first.id : null
}

function restored(message: Readonly<Record<string, unknown>>, value: Uint8Array | null): object {
  if (value === null) return message
  const { message: extra, calls: byId } = JSON.parse(Buffer.from(value).toString('utf8')) as Keepsake
  const calls = message.tool_calls as { id: string }[]
  return {
    ...message,
    ...(extra === undefined ? {} : { extra_content: extra }),
    tool_calls: calls.map((call) => (Object.hasOwn(byId, call.id) ? { extra_content: byId[call.id], ...call } : call)),
  }
}

/** Names come from users and clients: hashed they are short, and none can stand for another's. */
function keyOf({ user }: Keeper, callId: string): string {
  const name = createHash('sha256')
    .update(JSON.stringify([user, callId]))
    .digest('base64url')
  return `carried:${name}`
}

/** A cache that cannot answer has nothing. */
function attempt<T>(step: () => T | Promise<T>): T | null | Promise<T | null> {
  try {
    const result = step()
    return result instanceof Promise ? result.catch(() => null) : result
  } catch {
    return null
  }
}
