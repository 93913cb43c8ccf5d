import { createPrivateKey, KeyObject } from 'node:crypto'
import { HooshError } from '../errors.js'

/** Whether a value is what signs checkpoints: an Ed25519 private key. */
export function isSigningKey(value: unknown): value is KeyObject {
  return value instanceof KeyObject && value.type === 'private' && value.asymmetricKeyType === 'ed25519'
}

/**
 * A key from its PEM text. Line ends may be written as `\\n`, as environment files do.
 *
 * @throws HooshError `invalid_options`, without a word of the text
 */
export function signingKeyOf(pem: string): KeyObject {
  const key = readKey(pem.replaceAll('\\n', '\n'))
  if (isSigningKey(key)) return key
  throw new HooshError('invalid_options', {
    message: '`audit.signingKey` has to be an Ed25519 private key in PEM (PKCS #8); `auditKey.signing()` makes one.',
  })
}

function readKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}
