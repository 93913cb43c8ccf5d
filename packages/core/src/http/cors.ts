import type { GatewayReply } from '../exchange.js'

/** Headers of answers that a page may read: all that hoosh sends for clients to act on, `x-should-retry` first of all. */
export const EXPOSED: readonly string[] = [
  'x-request-id',
  'x-should-retry',
  'x-hoosh-cache',
  'x-hoosh-route',
  'x-hoosh-model',
  'x-hoosh-cost-micro-usd',
  'x-hoosh-budget-remaining',
  'x-hoosh-budget-remaining-usd',
  'x-hoosh-limited-by',
  'x-hoosh-dropped',
  'x-hoosh-queue-position',
  'x-hoosh-replay',
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-tokens',
  'retry-after',
]

/** Headers for an allowed origin; none for any other. */
export function corsHeaders(origins: readonly string[], origin: string | undefined): Record<string, string> {
  if (origin === undefined || !(origins.includes(origin) || origins.includes('*'))) return { vary: 'Origin' }
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED.join(', '),
    vary: 'Origin',
  }
}

/** Names of headers, as a browser lists them. */
const HEADER_NAMES = /^[\w-]+(?:, *[\w-]+){0,63}$/

/**
 * Answer to a preflight; whether the origin may go on is said by `corsHeaders`. Whatever headers it asks for are fine: the
 * openai package sends a dozen of its own.
 *
 * @param asked the names in `access-control-request-headers`
 */
export function preflight(methods: string, asked = ''): GatewayReply {
  const headers = {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': HEADER_NAMES.test(asked)
      ? asked
      : 'authorization, content-type, x-request-id, x-hoosh-provider, idempotency-key',
    'access-control-max-age': '600',
  }
  return { status: 204, headers, body: '' }
}
