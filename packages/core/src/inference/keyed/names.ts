import { createHash } from 'node:crypto'
import { HooshError } from '../../errors.js'
import type { Call } from '../call.js'

/** Printable ASCII, as a header can have it. */
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/

/**
 * The name of a key in the cache and the ledger: a user's keys are that user's alone, and nobody can guess another's.
 *
 * @throws HooshError `invalid_request`
 */
export function scopeOf(user: string, key: string): string {
  if (!KEY.test(key)) {
    throw new HooshError('invalid_request', {
      message: 'Idempotency-Key: must be 1 to 255 printable ASCII characters.',
      details: { param: 'Idempotency-Key' },
    })
  }
  return digest(['idempotency', user, key])
}

/** What was asked: the body, the endpoint, the provider that was named. */
export function printOf({ kind, provider, params }: Call): string {
  return digest([kind, provider ?? null, params])
}

/** Where the record of a scope stands in the cache. */
export const recordKey = (scope: string) => `idempotency:${scope}`

/** Stands as long as the process that makes the call is alive. */
export const holderKey = (scope: string, holder: string) => `idempotency:${scope}:alive:${holder}`

/** Stands as long as somebody in another process waits for the answer. */
export const wantedKey = (scope: string) => `idempotency:${scope}:wanted`

/** The reservation's id, the same in every process: a UUID v8, which is what RFC 9562 has for ids that are hashes. */
export function reservationId(scope: string, turn: number): string {
  const hex = digest(['reservation', scope, turn])
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** SHA-256, lower-case hex; of JSON, so that no two lists of parts are the same text. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
