import { hash, type KeyObject, sign, verify } from 'node:crypto'

/** What is signed of a chain: where it stood, when, and what was signed before. */
export interface Checkpoint {
  readonly writer: string
  /** The newest entry it covers, and its hash in lower-case hex. */
  readonly seq: number
  readonly hash: string
  /** SHA-256 of this writer's previous line in lower-case hex; empty for the first. */
  readonly previous: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** The epoch it ends: the number of checkpoints before it. */
  readonly epoch: number
}

export interface SignedCheckpoint extends Checkpoint {
  /** Ed25519 in base64, over RFC 8785 of all the other fields. */
  readonly signature: string
}

/** A checkpoint as one line of canonical JSON (RFC 8785), without the newline. */
export function signCheckpoint(checkpoint: Checkpoint, key: KeyObject): string {
  const signature = sign(null, Buffer.from(signedText(checkpoint)), key).toString('base64')
  return lineOf({ ...checkpoint, signature })
}

/** What the next line of this writer says as `previous`. */
export function hashOfLine(line: string): string {
  return hash('sha256', line, 'hex')
}

/** A line as what it says; null where it is not the canonical text of a checkpoint. Its signature is not checked. */
export function readCheckpoint(line: string): SignedCheckpoint | null {
  try {
    const read = JSON.parse(line) as SignedCheckpoint
    return isCheckpoint(read) && lineOf(read) === line ? read : null
  } catch {
    return null
  }
}

export function isSignedBy(checkpoint: SignedCheckpoint, key: KeyObject): boolean {
  return verify(null, Buffer.from(signedText(checkpoint)), key, Buffer.from(checkpoint.signature, 'base64'))
}

const HEX = /^[0-9a-f]{64}$/

/** Whether it is 32 bytes in lower-case hex. A list of one would be as well, if it were only made text. */
export function isHash(value: unknown): value is string {
  return typeof value === 'string' && HEX.test(value)
}

const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= least

function isCheckpoint(read: Partial<SignedCheckpoint> | null): read is SignedCheckpoint {
  if (read === null || typeof read !== 'object') return false
  const { writer, seq, hash: entryHash, previous, time, epoch, signature } = read
  return (
    typeof writer === 'string' &&
    writer.isWellFormed() &&
    isWhole(seq, 1) &&
    isWhole(epoch, 0) &&
    isWhole(time, 0) &&
    isHash(entryHash) &&
    (previous === '' || isHash(previous)) &&
    typeof signature === 'string' &&
    isBase64(signature)
  )
}

/** Decoders pass over what is no base64: only what they would write is taken. */
function isBase64(text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 64 && bytes.toString('base64') === text
}

// JSON.stringify of keys in this order is RFC 8785: there are only strings and safe integers.
function signedText({ epoch, hash: entryHash, previous, seq, time, writer }: Checkpoint): string {
  return JSON.stringify({ epoch, hash: entryHash, previous, seq, time, writer })
}

function lineOf({ epoch, hash: entryHash, previous, seq, signature, time, writer }: SignedCheckpoint): string {
  return JSON.stringify({ epoch, hash: entryHash, previous, seq, signature, time, writer })
}
