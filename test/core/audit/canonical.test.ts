import canonicalizeModule from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bodyOf, checkRecord, MAX_ENTRY_BYTES } from '../../../packages/core/src/audit/canonical.js'
import type { AuditDetails, AuditRecord, AuditValue } from '../../../packages/core/src/audit/store.js'
import { recordOf } from './support.js'

const canonicalize = canonicalizeModule as unknown as (value: unknown) => string

const WRITER = 'nöde/1'
const place = { version: '2', writer: WRITER, seq: 7, epoch: 0 } as const

const text = fc.string({ unit: 'binary', maxLength: 12 })
const tricky = fc.constantFrom(
  '',
  ':',
  '\0',
  '"',
  '\\',
  '1',
  '10',
  '9',
  'null',
  '\u2028',
  '\u{1f600}',
  'toJSON',
  'constructor',
)
// From Node 24 on, JSON.parse that has seen the key `\\` may read a later escaped key as it (nodejs/node#63785).
const readsEscapes = Number(process.versions.node.split('.')[0]) < 24
const key = fc.oneof(text, tricky).filter((name) => name !== '__proto__' && (readsEscapes || !name.includes('\\')))
const value: fc.Memo<AuditValue> = fc.memo((depth) =>
  depth <= 1
    ? fc.oneof(text, tricky, fc.maxSafeInteger(), fc.boolean(), fc.constant(null))
    : fc.oneof(value(), fc.array(value(), { maxLength: 3 }), fc.dictionary(key, value(), { maxKeys: 4 })),
)
const details = fc.dictionary(key, value(4), { maxKeys: 5 }) as fc.Arbitrary<AuditDetails>
const some = fc.oneof(text, tricky)
const record: fc.Arbitrary<AuditRecord> = fc.record(
  {
    id: some,
    timestamp: fc.maxSafeInteger(),
    event: some,
    level: fc.constantFrom('info', 'warn', 'error'),
    message: some,
    provider: some,
    model: some,
    subject: some,
    pool: some,
    reservation: some,
    requestId: some,
    metadata: details,
  },
  { requiredKeys: ['id', 'timestamp', 'event', 'level', 'message'] },
)

const refusalOf = (metadata: unknown) => {
  try {
    checkRecord(recordOf('a', { metadata: metadata as AuditDetails }), WRITER)
  } catch (error) {
    return error
  }
  return null
}

/** The same value with every object's keys added in the opposite order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, part]) => [name, turned(part)]),
  )
}

describe('canonical text', () => {
  it('is RFC 8785 of the entry, whatever the order of keys it came in', () => {
    fc.assert(
      fc.property(record, (raw) => {
        const expected = canonicalize({ ...raw, integrity: place })
        expect(bodyOf(checkRecord(raw, WRITER), place)).toBe(expected)
        expect(bodyOf(turned(raw) as AuditRecord, place)).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  it('reads back as the record: no two different records share their bytes', () => {
    fc.assert(
      fc.property(record, (raw) => {
        const { integrity, ...read } = JSON.parse(bodyOf(checkRecord(raw, WRITER), place))
        expect(integrity).toEqual(place)
        // JSON knows no negative zero, and to us it is the same integer.
        expect(read).toEqual(JSON.parse(JSON.stringify(raw)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('tells absent, empty and null, and fields that borrow from one another, apart', () => {
    const bodies = [
      recordOf('a'),
      recordOf('a', { provider: '' }),
      recordOf('a', { model: '' }),
      recordOf('a', { provider: 'x' }),
      recordOf('a', { model: 'x' }),
      recordOf('a', { message: 'a:x' }),
      recordOf('a', { metadata: {} }),
      recordOf('a', { metadata: { a: null } }),
      recordOf('a', { metadata: { a: '' } }),
      recordOf('a', { metadata: { a: 'null' } }),
      recordOf('a', { metadata: { a: [] } }),
      recordOf('a', { metadata: { a: {} } }),
      recordOf('a', { metadata: { a: 1 } }),
      recordOf('a', { metadata: { a: '1' } }),
    ].map((one) => bodyOf(one, place))
    expect(new Set(bodies).size).toBe(bodies.length)
  })
})

describe('what cannot be written without loss is refused with its path', () => {
  const lone = `x${'\u{1f600}'[0]}`
  class Instance {}
  const hidden = Object.defineProperty({}, 'secret', { value: 1, enumerable: false })
  it.each<[string, unknown, string]>([
    ['a fraction', { a: { b: [1, 0.5] } }, 'metadata.a.b.1'],
    ['not a number', { a: Number.NaN }, 'metadata.a'],
    ['infinity', { a: Number.POSITIVE_INFINITY }, 'metadata.a'],
    ['an integer beyond 2^53', { a: 2 ** 53 }, 'metadata.a'],
    ['a bigint', { a: 1n }, 'metadata.a'],
    ['a date', { a: new Date(0) }, 'metadata.a'],
    ['an instance', { a: new Instance() }, 'metadata.a'],
    ['a map', { a: new Map() }, 'metadata.a'],
    ['a function', { a: () => 1 }, 'metadata.a'],
    ['undefined', { a: undefined }, 'metadata.a'],
    ['a symbol as key', { a: { [Symbol('s')]: 1 } }, 'metadata.a'],
    ['a hidden property', { a: hidden }, 'metadata.a'],
    ['a hole in a list', { a: new Array(2) }, 'metadata.a'],
    ['a lone surrogate', { a: [lone] }, 'metadata.a.0'],
    ['a lone surrogate in a key', { a: { [lone]: 1 } }, 'metadata.a'],
    ['a key that sets the prototype', { a: JSON.parse('{"__proto__":{"x":1}}') }, 'metadata.a'],
    ['a list for metadata', [1], 'metadata'],
    ['null for metadata', null, 'metadata'],
  ])('%s', (_, metadata, param) => {
    expect(refusalOf(metadata)).toMatchObject({ code: 'invalid_audit_details', status: 400, details: { param } })
  })

  it('fields of the record too', () => {
    for (const fields of [{ message: lone }, { timestamp: 1.5 }, { level: 'fatal' }, { subject: null }, { model: 5 }]) {
      const [param] = Object.keys(fields)
      const make = () => checkRecord(recordOf('a', fields as Partial<AuditRecord>), WRITER)
      expect(make).toThrow(expect.objectContaining({ code: 'invalid_audit_details', details: { param } }))
    }
  })

  it('32 levels are kept, 33 are not, and a circle ends there', () => {
    const nested = (levels: number): unknown => (levels === 1 ? {} : { a: nested(levels - 1) })
    expect(refusalOf(nested(32))).toBeNull()
    expect(refusalOf(nested(33))).toMatchObject({ details: { param: `metadata${'.a'.repeat(32)}` } })
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(refusalOf(circle)).toMatchObject({ code: 'invalid_audit_details' })
  })

  it('an entry of 64 KiB is kept and one byte more is not, counted as UTF-8 with escapes', () => {
    for (const unit of ['a', 'ü', '\u0001', '"']) {
      const of = (length: number, rest: string) => recordOf('a', { message: unit.repeat(length) + rest })
      const size = (one: AuditRecord) => Buffer.byteLength(bodyOf(one, { ...place, seq: Number.MAX_SAFE_INTEGER }))
      const each = size(of(1, '')) - size(of(0, ''))
      const length = Math.floor((MAX_ENTRY_BYTES - size(of(0, ''))) / each)
      const rest = 'b'.repeat(MAX_ENTRY_BYTES - size(of(length, '')))
      expect(size(of(length, rest))).toBe(MAX_ENTRY_BYTES)
      expect(checkRecord(of(length, rest), WRITER).message.length).toBe(length + rest.length)
      expect(() => checkRecord(of(length, `${rest}b`), WRITER)).toThrow(/64 KiB/)
    }
  })

  it('a small graph that would be written out as gigabytes is refused at once', () => {
    let wide: unknown = 'x'
    for (let level = 0; level < 30; level += 1) wide = [wide, wide]
    expect(refusalOf({ wide })).toMatchObject({ code: 'invalid_audit_details' })
  })
})

describe('a checked record', () => {
  it('is a frozen copy: what the caller changes later is not recorded', () => {
    const metadata = { list: [{ a: 1 }] }
    const checked = checkRecord(recordOf('a', { metadata, model: undefined }), WRITER)
    metadata.list[0]!.a = 2
    expect(checked.metadata).toEqual({ list: [{ a: 1 }] })
    expect('model' in checked).toBe(false)
    expect(Object.isFrozen((checked.metadata!.list as object[])[0])).toBe(true)
  })
})
