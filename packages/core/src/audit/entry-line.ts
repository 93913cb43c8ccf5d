import { isWhole } from '../amount.js'
import { bodyOf, hasUnknownFields, isSorted, MAX_DETAIL_LEVELS } from './canonical.js'
import { isHash } from './checkpoint.js'
import { isTooDeep } from './json-levels.js'
import type { AuditDetails, AuditEntry, AuditIntegrity, AuditRecord, ChainHead, StoredEntry } from './store.js'

/** A line of an exported log: an entry, the place where a writer's entries begin, or where a segment of them ends. */
export type Line =
  | { readonly kind: 'entry'; readonly record: AuditRecord; readonly body: string; readonly integrity: AuditIntegrity }
  | { readonly kind: 'anchor' | 'end'; readonly writer: string; readonly at: ChainHead }
  /** Not what a log has in it; `isJson`: all the same a JSON text, so nobody cut it off. */
  | { readonly kind: 'other'; readonly isJson: boolean; readonly writer: string | null; readonly seq: number | null }

/**
 * An entry as a line: RFC 8785 of the entry with its whole integrity. What was damaged in the store stays visible as
 * such, so that a verifier stops at it.
 */
export function lineOfEntry({ body = '', integrity, damaged, record }: StoredEntry): string {
  const place = integrity ?? { writer: '', seq: 0 }
  const line = integrity === undefined || damaged !== undefined ? null : withIntegrity(body, integrity)
  if (line !== null && bodyOf(record, integrity!) === body) return line
  return JSON.stringify({ damaged: { seq: place.seq, text: body.toWellFormed(), writer: place.writer.toWellFormed() } })
}

/** The line before a writer's first entry where that is not number 1: `{"anchor":{"hash","seq","writer"}}`. */
export function anchorLine(writer: string, { seq, hash }: ChainHead): string {
  return JSON.stringify({ anchor: { hash, seq, writer } })
}

/** The line after the last entry of an archived segment. */
export function endLine(writer: string, { seq, hash }: ChainHead): string {
  return JSON.stringify({ end: { hash, seq, writer } })
}

/** What a line says; only the canonical text of it is taken. */
export function readLine(line: string): Line {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return NO_JSON
  }
  return entryFrom(line, value) ?? placeFrom(line, value) ?? (isTooDeep(line) ? NO_JSON : unknownLine(value))
}

const NO_JSON = { kind: 'other', isJson: false, writer: null, seq: null } as const

const MARK = ',"integrity":'
const PLACE_KEYS = 3
const INTEGRITY_KEYS = 7

/**
 * The body with the whole of its integrity. That it stands behind the first `,"integrity":` is sure: the keys before it
 * are `event` and `id`, and in their texts every quote is escaped.
 */
function withIntegrity(body: string, integrity: AuditIntegrity): string | null {
  const { epoch, hash, previous_hash, seq, signature, version, writer } = integrity
  const reduced = JSON.stringify({ epoch, seq, version, writer })
  const at = body.indexOf(MARK) + MARK.length
  if (at < MARK.length || !body.startsWith(reduced, at)) return null
  const whole = JSON.stringify({ epoch, hash, previous_hash, seq, signature, version, writer })
  return body.slice(0, at) + whole + body.slice(at + reduced.length)
}

function entryFrom(line: string, value: unknown): Extract<Line, { kind: 'entry' }> | null {
  if (!isObject(value)) return null
  const record = value as unknown as AuditEntry
  const { integrity } = record
  if (!isIntegrity(integrity) || !isEntry(record)) return null
  const body = isSorted(value as AuditDetails) && JSON.stringify(value) === line ? cutBody(line, integrity) : null
  if (body !== null) return { kind: 'entry', record, body, integrity }
  // Keys that look like numbers come out of JSON.parse in another order than they stood in.
  const slowly = bodyOf(record, integrity)
  return withIntegrity(slowly, integrity) === line ? { kind: 'entry', record, body: slowly, integrity } : null
}

/** What of a canonical integrity is not hashed, but for the tag itself. */
const UNHASHED = '"hash":"","previous_hash":"","signature":"",'.length + 2 * 64

/** The body of a canonical line: two thirds of what writing it anew costs. */
function cutBody(line: string, { epoch, seq, signature, version, writer }: AuditIntegrity): string {
  const at = line.indexOf(MARK) + MARK.length
  const reduced = JSON.stringify({ epoch, seq, version, writer })
  return line.slice(0, at) + reduced + line.slice(at + reduced.length + UNHASHED + signature.length)
}

function placeFrom(line: string, value: unknown): Extract<Line, { kind: 'anchor' | 'end' }> | null {
  if (!isObject(value)) return null
  for (const kind of ['anchor', 'end'] as const) {
    const place = value[kind]
    if (!isPlace(place)) continue
    const { writer, seq, hash } = place
    if ((kind === 'anchor' ? anchorLine : endLine)(writer, place) === line) return { kind, writer, at: { seq, hash } }
  }
  return null
}

/** Whose line it claims to be, so that a report can name more than its number. */
function unknownLine(value: unknown): Extract<Line, { kind: 'other' }> {
  const { integrity, anchor, end, damaged } = isObject(value) ? value : {}
  const claim = [integrity, anchor, end, damaged].find(isObject) ?? {}
  return {
    kind: 'other',
    isJson: true,
    writer: isText(claim.writer) ? claim.writer : null,
    seq: isWhole(claim.seq) ? claim.seq : null,
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

/** Somebody's place in a chain, as anchors, ends, boot entries and closed segments name it. */
export function isPlace(value: unknown): value is { writer: string } & ChainHead {
  if (!isObject(value) || Object.keys(value).length !== PLACE_KEYS) return false
  return isText(value.writer) && isWhole(value.seq) && value.seq > 0 && isHash(value.hash)
}

function isIntegrity(value: unknown): value is AuditIntegrity {
  if (!isObject(value) || Object.keys(value).length !== INTEGRITY_KEYS) return false
  const { epoch, hash, previous_hash, seq, signature, version, writer } = value
  return (
    version === '2' &&
    isText(writer) &&
    isWhole(epoch) &&
    isWhole(seq) &&
    seq > 0 &&
    isHash(hash) &&
    isHash(previous_hash) &&
    (signature === '' || isHash(signature))
  )
}

function isEntry(entry: AuditEntry): boolean {
  const { id, timestamp, event, level, message, metadata, provider, model, subject, pool, reservation } = entry
  if (!isText(id) || !isText(event) || !isText(message) || !isText(level)) return false
  if (!Number.isSafeInteger(timestamp) || hasUnknownFields(entry)) return false
  if (!maybeText(provider) || !maybeText(model) || !maybeText(subject) || !maybeText(pool)) return false
  if (!maybeText(reservation) || !maybeText(entry.requestId)) return false
  return metadata === undefined || (isObject(metadata) && isDetail(metadata, 1))
}

function maybeText(value: unknown): boolean {
  return value === undefined || isText(value)
}

function isDetail(value: AuditDetails | unknown, level: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isSafeInteger(value)
  if (value === null || typeof value === 'boolean') return true
  if (level > MAX_DETAIL_LEVELS) return false
  if (Array.isArray(value)) return value.every((item) => isDetail(item, level + 1))
  for (const key in value as object) {
    if (!key.isWellFormed() || !isDetail((value as Record<string, unknown>)[key], level + 1)) return false
  }
  return true
}
