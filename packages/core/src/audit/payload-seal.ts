import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
export const KEY_BYTES = 32
export const SALT_BYTES = 32

/** A configured key: what it is told apart by, and the key itself. */
export interface WrappingKey {
  readonly id: string
  readonly key: Buffer
}

/** The key that a configured text stands for. Its id tells nothing of it. */
export function wrappingKey(text: string): WrappingKey {
  const derive = (info: string, bytes: number) => Buffer.from(hkdfSync('sha256', text, '', info, bytes))
  return { id: derive('hoosh-payload-key-id', 8).toString('hex'), key: derive('hoosh-payload-key', KEY_BYTES) }
}

/** AES-256-GCM: nonce, text, tag. It opens only for the same `about`. */
export function seal(key: Buffer, bytes: Uint8Array, about: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about))
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

/** @returns null where it is not what was sealed with this key, about this */
export function unseal(key: Buffer, sealed: Uint8Array, about: string): Buffer | null {
  if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) return null
  const tagAt = sealed.byteLength - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, tagAt)), decipher.final()])
  } catch {
    return null
  }
}

/**
 * What an audit entry says of a payload, `payload_hash`: lower-case hex of `SHA-256("hoosh-payload-v1" 0x00 salt bytes)`.
 *
 * @param salt its 32 bytes, or their hex
 * @param content the bytes that were kept, or their text
 */
export function payloadHash(salt: Uint8Array | string, content: Uint8Array | string): string {
  const raw = typeof salt === 'string' ? Buffer.from(salt, 'hex') : salt
  return createHash('sha256').update('hoosh-payload-v1\0').update(raw).update(content).digest('hex')
}

/** What stands for a user in the payload store and in `admin.erasure`. */
export function subjectHash(user: string): string {
  return createHash('sha256').update(`hoosh-subject\0${user}`).digest('hex')
}
