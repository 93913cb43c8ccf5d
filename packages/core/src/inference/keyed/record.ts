import type { ErrorCode, ErrorDetails } from '../../errors.js'

/** What is known of the call of an idempotency key. `print` is the hash of what was asked. */
export type KeyedRecord =
  /** Somebody is at it, and keeps an entry `holderKey` alive meanwhile. */
  | { readonly state: 'running'; readonly print: string; readonly holder: string }
  | {
      readonly state: 'answered'
      readonly print: string
      /** Id of the call that was charged. */
      readonly call: string
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
    }
  /** It failed and was charged: what its caller was told. */
  | {
      readonly state: 'failed'
      readonly print: string
      readonly code: ErrorCode
      readonly message: string
      readonly details: ErrorDetails
    }
  /** Nobody knows what it would have answered. */
  | { readonly state: 'lost'; readonly print: string }

/** A record on one line of JSON, and what was answered behind it. */
export function encodeRecord(record: KeyedRecord, body: Uint8Array = new Uint8Array()): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ v: 1, ...record })}\n`), body])
}

/** Null for what another version of hoosh has written. */
export function decodeRecord(value: Uint8Array): { record: KeyedRecord; body: Uint8Array } | null {
  const end = value.indexOf(0x0a)
  const line = Buffer.from(value.buffer, value.byteOffset, Math.max(0, end))
  try {
    const record = JSON.parse(line.toString('utf8')) as KeyedRecord & { v?: unknown }
    return record.v === 1 ? { record, body: value.subarray(end + 1) } : null
  } catch {
    return null
  }
}
