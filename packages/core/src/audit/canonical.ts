import canonicalizeModule from 'canonicalize'
import { HooshError } from '../errors.js'
import type { AuditDetails, AuditIntegrity, AuditRecord, AuditValue } from './store.js'

// Its types describe an ES module; what Node imports is the function itself.
const canonicalize = canonicalizeModule as unknown as (value: object) => string

/** Largest canonical text of an entry, in UTF-8 bytes. */
export const MAX_ENTRY_BYTES = 65_536

/** Objects and arrays inside one another, metadata itself being the first. */
export const MAX_DETAIL_LEVELS = 32

/** What of an entry's integrity is part of the text that is hashed. */
export type Place = Pick<AuditIntegrity, 'version' | 'writer' | 'seq' | 'epoch'>

/**
 * The text of an entry that is hashed: RFC 8785 of the record with its integrity reduced to version, writer, seq and
 * epoch. The record must have been through `checkRecord`, else the text is not canonical.
 *
 * JSON.stringify writes strings and safe integers as RFC 8785 wants them and leaves out what is undefined; only the
 * order of keys is ours to see to. That of the fields stands here, that of metadata mostly comes from `checkRecord`: a
 * third of what sorting anew costs.
 */
export function bodyOf(record: AuditRecord, { epoch, seq, version, writer }: Place): string {
  const entry = {
    event: record.event,
    id: record.id,
    integrity: { epoch, seq, version, writer },
    level: record.level,
    message: record.message,
    metadata: record.metadata,
    model: record.model,
    pool: record.pool,
    provider: record.provider,
    requestId: record.requestId,
    reservation: record.reservation,
    subject: record.subject,
    timestamp: record.timestamp,
  }
  return isSorted(record.metadata) ? JSON.stringify(entry) : canonicalize(entry)
}

/** Whether JSON.stringify would write the keys, at every level, in the order of their UTF-16 code units. */
export function isSorted(value: AuditValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isSorted)
  const object = value as AuditDetails
  let before = ''
  for (const key of Object.keys(object)) {
    if (key < before || !isSorted(object[key])) return false
    before = key
  }
  return true
}

const TEXTS = ['provider', 'model', 'subject', 'pool', 'reservation', 'requestId'] as const
const FIELDS: ReadonlySet<string> = new Set([...TEXTS, 'id', 'timestamp', 'event', 'level', 'message', 'metadata'])

/** Whether a record, or an entry with its integrity, has fields that its text would not show. */
export function hasUnknownFields(record: AuditRecord): boolean {
  for (const field in record) if (!FIELDS.has(field) && field !== 'integrity') return true
  return false
}

/**
 * A frozen copy of a record that can be written without loss; fields that are undefined are absent.
 *
 * @param writer whose chain it is meant for: its name counts towards the size
 * @throws HooshError `invalid_audit_details`, naming the path in `param`: for lone surrogates, fractions, numbers
 *   beyond 2^53, undefined, dates and other instances, more than 32 levels, more than 64 KiB
 */
export function checkRecord(record: AuditRecord, writer: string): AuditRecord {
  const meter = { left: MAX_ENTRY_BYTES }
  if (!Number.isSafeInteger(record.timestamp)) throw refusal('timestamp', 'is not a safe integer')
  if (!LEVELS.has(record.level)) throw refusal('level', 'is not info, warn or error')
  const copy: Writable<AuditRecord> = {
    id: textOf(record.id, 'id', meter),
    timestamp: record.timestamp,
    event: textOf(record.event, 'event', meter),
    level: record.level,
    message: textOf(record.message, 'message', meter),
  }
  for (const field of TEXTS) {
    const value = record[field]
    if (value !== undefined) copy[field] = textOf(value, field, meter)
  }
  if (record.metadata !== undefined) copy.metadata = detailsOf(record.metadata, meter)
  checkSize(copy, writer, meter.left)
  return Object.freeze(copy)
}

/** Characters of a message of our own, which may quote a provider at length. */
const MAX_OWN_MESSAGE = 2_000

/**
 * A record of the gateway's own making, as it stands: nobody else holds it, its metadata is flat and whole, and of its
 * texts only two can come from outside. The message is made well-formed, so that no provider's words keep a call from
 * being settled; the model's name is the caller's and is refused.
 *
 * @throws HooshError `invalid_audit_details` for a lone surrogate in the model's name
 */
export function ownRecord(record: Writable<AuditRecord>): AuditRecord {
  const { message, model } = record
  if (message.length > MAX_OWN_MESSAGE || !message.isWellFormed())
    record.message = message.slice(0, MAX_OWN_MESSAGE).toWellFormed()
  if (model !== undefined && !model.isWellFormed()) throw refusal('model', 'holds a lone surrogate')
  return record
}

export type Writable<T> = { -readonly [field in keyof T]: T[field] }
type Meter = { left: number }

const LEVELS: ReadonlySet<string> = new Set(['info', 'warn', 'error'])

/** Metering counts one byte a character; escapes and UTF-8 make at most six of it, so few entries are measured exactly. */
function checkSize(record: AuditRecord, writer: string, left: number): void {
  const counted = MAX_ENTRY_BYTES - left + writer.length
  if (counted * 6 + 1_024 <= MAX_ENTRY_BYTES) return
  const body = bodyOf(record, { version: '2', writer, seq: Number.MAX_SAFE_INTEGER, epoch: 0 })
  if (Buffer.byteLength(body) > MAX_ENTRY_BYTES) throw refusal('metadata', 'makes the entry larger than 64 KiB')
}

function detailsOf(value: unknown, meter: Meter): AuditDetails {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('metadata', 'is not an object')
  return copyOf(value, 'metadata', 1, meter) as AuditDetails
}

function copyOf(value: unknown, path: string, level: number, meter: Meter): AuditValue {
  if (typeof value === 'string') return textOf(value, path, meter)
  spend(meter, 1, path)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw refusal(path, 'is not a safe integer')
    return value
  }
  if (typeof value !== 'object') throw refusal(path, `is of type ${typeof value}`)
  if (level > MAX_DETAIL_LEVELS) throw refusal(path, `is nested deeper than ${MAX_DETAIL_LEVELS} levels`)
  return Array.isArray(value) ? listOf(value, path, level, meter) : objectOf(value, path, level, meter)
}

function listOf(list: readonly unknown[], path: string, level: number, meter: Meter): AuditValue {
  if (Object.keys(list).length !== list.length) throw refusal(path, 'has holes or named properties')
  return Object.freeze(list.map((item, index) => copyOf(item, `${path}.${index}`, level + 1, meter)))
}

function objectOf(object: object, path: string, level: number, meter: Meter): AuditValue {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw refusal(path, 'is not a plain object')
  const keys = Object.keys(object).sort()
  if (keys.length !== Reflect.ownKeys(object).length) throw refusal(path, 'has symbols or hidden properties')
  const copy: Record<string, AuditValue> = {}
  for (const key of keys) {
    textOf(key, path, meter)
    // Assigning `__proto__` would set the prototype and lose the value.
    if (key === '__proto__') throw refusal(path, 'has a property named __proto__')
    copy[key] = copyOf((object as Record<string, unknown>)[key], `${path}.${key}`, level + 1, meter)
  }
  return Object.freeze(copy)
}

function textOf(value: unknown, path: string, meter: Meter): string {
  if (typeof value !== 'string') throw refusal(path, 'is not a string')
  if (!value.isWellFormed()) throw refusal(path, 'holds a lone surrogate')
  spend(meter, value.length + 2, path)
  return value
}

/** Stops before a small graph that refers to itself twice a level is written out as gigabytes. */
function spend(meter: Meter, bytes: number, path: string): void {
  meter.left -= bytes
  if (meter.left < 0) throw refusal(path, 'makes the entry larger than 64 KiB')
}

function refusal(path: string, what: string): HooshError {
  return new HooshError('invalid_audit_details', {
    message: `\`${path.slice(0, 200)}\` ${what}: an audit record keeps strings, safe integers, booleans, null, arrays and objects.`,
    details: { param: path.slice(0, 200) },
  })
}
