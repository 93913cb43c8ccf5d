import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Identity } from '../options.js'

/** What a browser token says. Whoever holds it can read this: nothing in it is secret. Times are in ms since the epoch. */
export interface TokenClaims {
  readonly id: string
  readonly identity: Omit<Identity, 'credential' | 'roles'>
  /** The only page it may be sent from. */
  readonly origin: string
  readonly expiresAt: number
}

/** Signs tokens and knows its own. */
export interface TokenSigner {
  sign(claims: TokenClaims): string
  /** Null for whatever was not signed here, whole and unchanged. */
  read(text: string): TokenClaims | null
}

/** Where a request came from, as its headers say: what pages cannot forge, since browsers write it. */
export interface PageHeaders {
  readonly origin?: string | undefined
  readonly host?: string | undefined
  /** `Sec-Fetch-Site`. */
  readonly site?: string | undefined
}

const PREFIX = 'hooshweb_'
const SHAPE = /^hooshweb_([0-9a-f]{8})\.([A-Za-z0-9_-]{1,8000})\.([A-Za-z0-9_-]{43})$/

/** Whether a text looks like a browser token. */
export function isBrowserToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/**
 * HMAC-SHA256 under keys that are derived from the host's secrets, so that a secret which serves something else too gives
 * nothing away.
 *
 * @param secrets the newest first: it signs, all are accepted
 */
export function tokenSigner(secrets: readonly [string, ...string[]]): TokenSigner {
  const keys = secrets.map((secret) => {
    const key = createHmac('sha256', secret).update('hoosh browser token v1').digest()
    return { key, id: createHmac('sha256', key).update('key id').digest('hex').slice(0, 8) }
  })
  return {
    sign(claims) {
      const { key, id } = keys[0]!
      const signed = `${PREFIX}${id}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
      return `${signed}.${macOf(key, signed).toString('base64url')}`
    },
    read(text) {
      const match = SHAPE.exec(text)
      const known = match === null ? undefined : keys.find(({ id }) => id === match[1])
      if (match === null || known === undefined) return null
      const given = Buffer.from(match[3]!, 'base64url')
      const right = macOf(known.key, text.slice(0, text.lastIndexOf('.')))
      if (!timingSafeEqual(given, right)) return null
      return JSON.parse(Buffer.from(match[2]!, 'base64url').toString('utf8')) as TokenClaims
    },
  }
}

function macOf(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Whose token a text is; null for one that is over, or was sent from another page than it was made for. */
export function identifyToken(signer: TokenSigner, text: string, page: PageHeaders, now: number): Identity | null {
  const claims = signer.read(text)
  if (claims === null || claims.expiresAt <= now || !isFrom(claims.origin, page)) return null
  const { id, identity } = claims
  return { ...identity, credential: { kind: 'browser', id } }
}

/** Browsers send no `Origin` with a GET to the page's own server, and say so in another header. */
function isFrom(expected: string, { origin, host, site }: PageHeaders): boolean {
  if (origin !== undefined) return origin === expected
  return site === 'same-origin' && host !== undefined && host === new URL(expected).host
}
