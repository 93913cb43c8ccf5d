import type { Call } from './call.js'

/** What the provider is asked differently from what the caller asked. */
export interface BodyChanges {
  readonly model: string
  /** Output tokens per choice; null leaves the caller's. */
  readonly limit: number | null
  /** Which field a limit goes into where the caller used none. */
  readonly limitField: 'max_tokens' | 'max_completion_tokens'
  /** Ask a stream for its usage. */
  readonly askUsage: boolean
}

/** Fields of ours that no provider knows. */
const OWN_FIELDS = ['pool', 'fallbacks', 'drop_unsupported'] as const

const OPENING_BRACE = 0x7b
const ASK_USAGE = Buffer.from('{"stream_options":{"include_usage":true},')

/**
 * The request as it goes up. One that changes nothing is the bytes that came; one that only has to ask for usage gets
 * that field put in front; anything else is written anew.
 */
export function upstreamBody(
  call: Call,
  changes: BodyChanges,
): { body: Uint8Array | string; params: Readonly<Record<string, unknown>> } {
  const { params, bytes } = call
  const asks = changes.askUsage && !asksForUsage(params)
  const rewrite = changes.model !== call.model || changes.limit !== null || OWN_FIELDS.some((field) => field in params)
  if (!rewrite && !asks) return { body: bytes ?? JSON.stringify(params), params }
  if (
    !rewrite &&
    bytes !== null &&
    params.stream_options == null &&
    bytes[0] === OPENING_BRACE &&
    !('stream_options' in params)
  ) {
    return {
      body: Buffer.concat([ASK_USAGE, bytes.subarray(1)]),
      params: { ...params, stream_options: { include_usage: true } },
    }
  }
  const changed: Record<string, unknown> = { ...params, model: changes.model }
  for (const field of OWN_FIELDS) delete changed[field]
  if (asks) changed.stream_options = { ...optionsOf(params), include_usage: true }
  if (changes.limit !== null) setLimit(changed, changes.limit, changes.limitField)
  return { body: JSON.stringify(changed), params: changed }
}

export function asksForUsage(params: Readonly<Record<string, unknown>>): boolean {
  return optionsOf(params).include_usage === true
}

/** Whether the answer's content is to be JSON. */
export function asksForJson({ response_format: format }: Readonly<Record<string, unknown>>): boolean {
  const { type } = (format ?? {}) as { type?: unknown }
  return type === 'json_object' || type === 'json_schema'
}

function optionsOf(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const options = params.stream_options
  return typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : {}
}

function setLimit(params: Record<string, unknown>, limit: number, otherwise: BodyChanges['limitField']): void {
  const used = (['max_completion_tokens', 'max_tokens'] as const).filter((field) => params[field] != null)
  for (const field of used) params[field] = Math.min(params[field] as number, limit)
  if (used.length === 0) params[otherwise] = limit
}
