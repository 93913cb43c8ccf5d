import { HooshError, invalidField } from '../errors.js'
import type { BrowserToken, BrowserTokenOptions } from '../host.js'
import type { TokenSigner } from './browser-token.js'
import type { Caller } from './caller.js'
import { boundsOf, delegated } from './delegate.js'

const DEFAULT_TTL_MS = 5 * 60_000
const SHORTEST_TTL_MS = 1_000
const LONGEST_TTL_MS = 60 * 60_000

/**
 * A token for a page of the caller's: it can do no more than the caller may, on one origin, for some minutes.
 *
 * @throws HooshError `invalid_options` (no secret to sign with), `invalid_request` (the origin, the time),
 *   `pool_not_allowed`, `model_not_allowed`, `forbidden` (the caller is a browser token itself)
 */
export function mintToken(
  { signer, id, now }: { signer: TokenSigner | null; id: string; now: number },
  by: Caller,
  { origin, ttlMs = DEFAULT_TTL_MS, pool, models }: BrowserTokenOptions,
): BrowserToken {
  if (signer === null) {
    throw new HooshError('invalid_options', {
      message: 'Browser tokens need `keys: { tokenSecrets: [...] }` to be signed with.',
    })
  }
  // Else a page that was left open would stay signed in for ever.
  if (by.identity.credential?.kind === 'browser') {
    throw new HooshError('forbidden', { message: 'A browser token does not make another one.' })
  }
  if (!isOrigin(origin)) throw invalidField('origin', 'must be an origin such as "https://app.example.org".')
  if (!(Number.isSafeInteger(ttlMs) && ttlMs >= SHORTEST_TTL_MS && ttlMs <= LONGEST_TTL_MS)) {
    throw invalidField('ttlMs', `must be ${SHORTEST_TTL_MS} to ${LONGEST_TTL_MS} ms.`)
  }
  const pools = typeof pool === 'string' ? [pool] : pool
  const given = delegated(by, { ...(pools && { pools }), ...(models && { models }) })
  const { limits } = by.identity
  const identity = {
    user: by.user,
    pool: given.pools,
    ...(given.models !== undefined && { models: given.models }),
    ...(limits !== undefined && { limits }),
    ...boundsOf(by.identity),
  }
  const expiresAt = now + ttlMs
  return { token: signer.sign({ id, identity, origin, expiresAt }), expiresAt: new Date(expiresAt).toISOString() }
}

function isOrigin(text: unknown): text is string {
  return typeof text === 'string' && /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}
