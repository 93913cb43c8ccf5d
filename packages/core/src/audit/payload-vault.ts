import { randomBytes } from 'node:crypto'
import { HooshError } from '../errors.js'
import type { Logger } from '../options.js'
import type { Clock } from '../time.js'
import {
  KEY_BYTES,
  payloadHash,
  SALT_BYTES,
  seal,
  subjectHash,
  unseal,
  type WrappingKey,
  wrappingKey,
} from './payload-seal.js'
import type { PayloadStore, SubjectKey } from './payload-store.js'
import type { AuditDetails, AuditRecord } from './store.js'

/** What calls said, encrypted under a key of their user's, and what of it the log may say. */
export interface PayloadVault {
  /** Largest part of a payload that is kept, bytes. */
  readonly maxBytes: number
  /**
   * Cuts a payload to size and hashes it with a salt of its own; keeps nothing yet.
   *
   * @param size bytes of all of it, where only its beginning is given
   */
  prepare(bytes: Uint8Array, size?: number): PreparedPayload
  /**
   * Keeps a payload under the id of the entry that will name it, durable before it resolves.
   *
   * @throws HooshError `store_unavailable`
   */
  keep(record: AuditRecord, payload: PreparedPayload): Promise<void>
  /** Drops what no entry will name after all; what cannot be dropped now goes with its age. */
  discard(record: AuditRecord): Promise<void>
  /** Null where nothing is kept under this id. */
  read(id: string): Promise<ReadPayload | null>
  /** Destroys the key of a user's payloads. False where there is none. */
  erase(user: string): Promise<boolean>
  /**
   * Looks whether all keys can be unwrapped.
   *
   * @throws HooshError `invalid_options` where a key is missing
   */
  start(): Promise<void>
  /** Drops what is too old, wraps keys anew, and forgets those it knows in the clear; bounded. */
  tend(): Promise<void>
}

/** What of a payload is kept, with its hash; `details` are the entry's. */
export interface PreparedPayload {
  readonly salt: Buffer
  readonly bytes: Buffer
  readonly size: number
  /** In the order of its keys. */
  readonly details: AuditDetails
}

/** A payload as it was read back. */
export type ReadPayload =
  | { readonly status: 'erased' | 'damaged'; readonly at: number }
  | {
      readonly status: 'kept'
      readonly at: number
      readonly bytes: Buffer
      /** Lower-case hex. */
      readonly salt: string
      readonly hash: string
      /** Bytes of the whole payload. */
      readonly size: number
    }

export interface VaultOptions {
  readonly store: PayloadStore
  /** What keys are wrapped under, and what may still unwrap some. */
  readonly key: string
  readonly otherKeys: readonly string[]
  readonly maxBytes: number
  readonly keepMs: number
  readonly ids: () => string
  readonly clock: Clock
  readonly logger: Logger
}

/** A subject's key in the clear. */
interface OpenKey {
  readonly id: string
  readonly key: Buffer
}

interface Parts extends VaultOptions {
  readonly present: WrappingKey
  readonly byId: ReadonlyMap<string, WrappingKey>
  /** By subject, until the next `tend`: an erasure in another process shall not leave a key here for long. */
  readonly open: Map<string, OpenKey>
  hasOthers: boolean
}

/** Keys that are known in the clear at the same time. */
const MOST_OPEN = 1_000
/** Payloads or keys of one step, and steps of one `tend`. */
const STEP = 500
const MOST_STEPS = 20
const SIZE_BYTES = 8

export function createPayloadVault(options: VaultOptions): PayloadVault {
  const present = wrappingKey(options.key)
  const byId = new Map([present, ...options.otherKeys.map(wrappingKey)].map((key) => [key.id, key]))
  const parts: Parts = { ...options, present, byId, open: new Map(), hasOthers: true }
  const { store, maxBytes, logger } = options
  return {
    maxBytes,
    prepare: (bytes, size = bytes.byteLength) => prepare(bytes, size, maxBytes),
    keep: (record, payload) => keep(parts, record, payload),
    async discard({ id }) {
      try {
        await store.remove(id)
      } catch (err) {
        logger.warn({ err, payload: id }, 'the payload of a call that was refused stays until it is too old')
      }
    },
    read: (id) => read(parts, id),
    async erase(user) {
      const subject = subjectHash(user)
      const erased = await store.erase(subject)
      parts.open.delete(subject)
      return erased
    },
    async start() {
      for (const key of await store.wrappedByOthers(present.id, STEP)) unwrap(parts, key)
    },
    tend: () => tend(parts),
  }
}

function prepare(bytes: Uint8Array, size: number, maxBytes: number): PreparedPayload {
  const salt = randomBytes(SALT_BYTES)
  const kept = Buffer.from(bytes.buffer, bytes.byteOffset, cutAt(bytes, maxBytes))
  const details: AuditDetails = {
    payload_bytes: size,
    payload_hash: payloadHash(salt, kept),
    ...(kept.length < size && { payload_kept: kept.length }),
  }
  return { salt, bytes: kept, size, details }
}

/** Where a text may be cut: never inside of a character, so that what is left of it is text. */
function cutAt(bytes: Uint8Array, most: number): number {
  if (bytes.byteLength <= most) return bytes.byteLength
  let end = most
  while (end > most - 4 && (bytes[end]! & 0xc0) === 0x80) end -= 1
  return end
}

async function keep(parts: Parts, { id, subject: user = '', timestamp }: AuditRecord, payload: PreparedPayload) {
  const subject = subjectHash(user)
  const size = Buffer.alloc(SIZE_BYTES)
  size.writeBigUInt64BE(BigInt(payload.size))
  const whole = Buffer.concat([payload.salt, size, payload.bytes])
  // Each time that it is erased in between, the user's next key is the one.
  for (let tries = 0; tries < 10; tries += 1) {
    const { id: key, key: secret } = await keyOf(parts, subject)
    const sealed = seal(secret, whole, aboutPayload(id, subject))
    if (await parts.store.put({ id, subject, key, at: timestamp, sealed })) return
    parts.open.delete(subject)
  }
  throw new HooshError('store_unavailable', {
    message: 'A payload could not be kept: its user is erased all the time.',
  })
}

async function keyOf(parts: Parts, subject: string): Promise<OpenKey> {
  const known = parts.open.get(subject)
  if (known !== undefined) return known
  const stands = (await parts.store.key(subject)) ?? (await parts.store.addKey(freshKey(parts, subject)))
  const key = { id: stands.id, key: unwrap(parts, stands) }
  if (parts.open.size >= MOST_OPEN) parts.open.clear()
  parts.open.set(subject, key)
  return key
}

function freshKey(parts: Parts, subject: string): SubjectKey {
  return wrapped(parts, { subject, id: parts.ids() }, randomBytes(KEY_BYTES))
}

function wrapped({ present }: Parts, key: Pick<SubjectKey, 'subject' | 'id'>, secret: Buffer): SubjectKey {
  return { ...key, wrappedBy: present.id, wrapped: seal(present.key, secret, aboutKey(key)) }
}

/** @throws HooshError `invalid_options` */
function unwrap({ byId }: Parts, key: SubjectKey): Buffer {
  const by = byId.get(key.wrappedBy)
  const secret = by === undefined ? null : unseal(by.key, key.wrapped, aboutKey(key))
  if (secret !== null) return secret
  throw new HooshError('invalid_options', {
    message:
      by === undefined
        ? `Keys of payloads are wrapped under a key that is not configured (id ${key.wrappedBy}). Add it to \`audit.payloads.otherKeys\`.`
        : 'The stored key of a payload is not what was kept.',
  })
}

async function read(parts: Parts, id: string): Promise<ReadPayload | null> {
  const found = await parts.store.get(id)
  if (found === null) return null
  const { payload, key } = found
  const { at, subject } = payload
  if (key === null) return { status: 'erased', at }
  const whole = unseal(unwrap(parts, key), payload.sealed, aboutPayload(id, subject))
  if (whole === null) return { status: 'damaged', at }
  const salt = whole.subarray(0, SALT_BYTES)
  const bytes = whole.subarray(SALT_BYTES + SIZE_BYTES)
  const size = Number(whole.readBigUInt64BE(SALT_BYTES))
  return { status: 'kept', at, bytes, salt: salt.toString('hex'), hash: payloadHash(salt, bytes), size }
}

async function tend(parts: Parts): Promise<void> {
  const { store, clock, keepMs, logger, present } = parts
  parts.open.clear()
  for (let steps = 0; steps < MOST_STEPS && (await store.drop(clock() - keepMs, STEP)) === STEP; steps += 1);
  let count = 0
  for (let steps = 0; steps < MOST_STEPS && parts.hasOthers; steps += 1) {
    const others = await store.wrappedByOthers(present.id, STEP)
    for (const key of others) await store.rewrap(wrapped(parts, key, unwrap(parts, key)))
    count += others.length
    parts.hasOthers = others.length > 0
  }
  if (count > 0) logger.info({ keys: count, all: !parts.hasOthers }, 'keys of payloads were wrapped anew')
}

const aboutPayload = (id: string, subject: string) => `hoosh-payload\0${subject}\0${id}`
const aboutKey = ({ subject, id }: Pick<SubjectKey, 'subject' | 'id'>) => `hoosh-subject-key\0${subject}\0${id}`
