import { hash, timingSafeEqual } from 'node:crypto'
import type { Random } from '../random.js'
import type { KeyRecord } from './store.js'

/** `hoosh_`, the key's id, and 32 random bytes. Of fixed lengths, so that scanners for leaked secrets can know it. */
const SHAPE = /^hoosh_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32
/** What is compared where there is no such key, so that an answer takes as long. */
const NO_DIGEST = Buffer.alloc(32)

/** A new secret, and what is kept of it: it has 256 random bits, so one round of SHA-256 is enough. */
export function newSecret(random: Random): { secret: string; hash: string } {
  const secret = Buffer.from(random(SECRET_BYTES)).toString('base64url')
  return { secret, hash: hash('sha256', secret) }
}

/** What the holder of a key sends. */
export function keyText(id: string, secret: string): string {
  return `hoosh_${id.replaceAll('-', '')}_${secret}`
}

/** The id and the secret's digest in a text; null where it is no key of ours. */
export function readKeyText(text: string): { id: string; digest: Buffer } | null {
  const match = SHAPE.exec(text)
  if (match === null) return null
  return { id: match.slice(1, 6).join('-'), digest: hash('sha256', match[6]!, 'buffer') }
}

/** Whether one of a key's secrets has this digest; takes as long where there is no key, or another secret fits. */
export function hasSecret(key: KeyRecord | null, digest: Buffer, now: number): boolean {
  let fits = false
  for (const index of [0, 1]) {
    const secret = key?.secrets[index]
    const isOpen = secret !== undefined && (secret.until === null || secret.until > now)
    const known = secret === undefined ? NO_DIGEST : Buffer.from(secret.hash, 'hex')
    if (timingSafeEqual(known, digest) && isOpen) fits = true
  }
  return fits
}
