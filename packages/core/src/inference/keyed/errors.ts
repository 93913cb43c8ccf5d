import { HooshError } from '../../errors.js'

/** For a key whose call was, or may have been, charged, and whose answer nobody has. */
export function idempotencyUnknown(
  message = 'The call of this key was made, and its answer is lost. Look whether it had an effect, then use a new key.',
): HooshError {
  return new HooshError('idempotency_unknown', { message, details: { retryable: false } })
}

/** For a key that was used for something else. */
export function idempotencyMismatch(): HooshError {
  return new HooshError('idempotency_mismatch', {
    message: 'This Idempotency-Key was used with another body in the last 24 hours; use a new key for a new request.',
    details: { retryable: false },
  })
}
