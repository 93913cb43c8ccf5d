import type { HooshError } from './errors.js'
import type { GatewayReply } from './exchange.js'

/** What the client is told of an error, as OpenAI's clients expect it: never the cause, never a stack. */
export interface ErrorBody {
  error: {
    message: string
    type: string
    param: string | null
    code: string | null
    pool?: string
    available?: number
    available_usd?: string
    resets_at?: string | null
  }
}

/** The body of an error, also the last event of a stream that fails. */
export function errorBody({ code, type, message, details }: HooshError): ErrorBody {
  const { upstream, pool, available, availableUsd, resetsAt } = details
  return {
    error: {
      message,
      type,
      param: upstream?.param ?? details.param ?? null,
      // A provider's own code, null included, is what its clients look for.
      code: upstream?.code === undefined ? code : upstream.code,
      ...(pool !== undefined && { pool }),
      ...(available !== undefined && { available }),
      ...(availableUsd !== undefined && { available_usd: availableUsd }),
      ...(resetsAt !== undefined && { resets_at: resetsAt }),
    },
  }
}

/** The whole answer to a request that failed. `Retry-After` is in seconds, rounded up. */
export function errorReply(error: HooshError, requestId: string): GatewayReply {
  const { retryAfterMs, retryable, allow, headers: more } = error.details
  const headers: Record<string, string> = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...more,
  }
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.max(0, Math.ceil(retryAfterMs / 1000)))
  // The clients of OpenAI retry 429 and 5xx unless told otherwise.
  if (retryable === false) headers['x-should-retry'] = 'false'
  if (allow !== undefined) headers.allow = allow
  if (error.status === 401) headers['www-authenticate'] = 'Bearer'
  const isLast = error.code === 'shutting_down'
  return { status: error.status, headers, body: JSON.stringify(errorBody(error)), ...(isLast && { isLast }) }
}
