import { createHash } from 'node:crypto'
import { HooshError } from '@hoosh/core/storage'
import type { Columns, Dialect, Rows } from './dialect.js'

/**
 * Errors after which the same transaction may pass: a serialization failure, a deadlock, a lock that was not to be had in
 * time, and a key that somebody else has entered a moment before.
 */
const BUSY = new Set(['40001', '40P01', '55P03', '23505'])

/** No such table, no such schema. */
const MISSING = new Set(['42P01', '3F000'])

/** Password, database, schema, rights, tables, or a server that only reads. */
const REFUSED = /^(0A000|25006|28[0-9A-Z]{3}|3D[0-9A-Z]{3}|3F[0-9A-Z]{3}|42[0-9A-Z]{3})$/

const TYPES = { text: 'text', integer: 'bigint' } as const

export const postgres: Dialect = {
  name: 'postgres',
  probe: "select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding",
  // Whatever the host's default is: rows are locked first, and a statement after that has to see what others committed.
  begin: 'begin isolation level read committed read write',
  beginReading: 'begin isolation level repeatable read read only',
  locksRows: true,
  isBusy: (error) => BUSY.has(codeOf(error)),
  refusalOf(error) {
    const code = codeOf(error)
    if (!REFUSED.test(code)) return null
    return `PostgreSQL refuses what the SQL storage asks of it (SQLSTATE ${code}): look at the rights of its role, at its tables, and whether it is the primary.`
  },
  isMissingTable: (error) => MISSING.has(codeOf(error)),
  numbered(text) {
    let count = 0
    return text.replaceAll('?', () => `$${++count}`)
  },
  now: '(extract(epoch from statement_timestamp()) * 1000)::bigint',
  list: (values) => values.map(storable),
  strings: '(select unnest(?::text[]) as value)',
  rows: unnested,
  rowsParameters: arrays,
  boundRows: unnested,
  boundParameters: arrays,
  countsRows: false,
  atOnce: (left) => left,
  // To read one field here fails for a text that has a NUL in any other.
  isSame: () => 'null',
  numberIn: (text, key) => `substring(${text} from '"${key}":(-{0,1}[0-9]{1,16})')::bigint`,
  settings: `select * from (values
      ('The version of PostgreSQL', current_setting('server_version_num')::int >= 120000, current_setting('server_version'), '12 or newer'),
      ('The encoding of the database', current_setting('server_encoding') = 'UTF8', current_setting('server_encoding'), 'UTF8'),
      ('fsync', current_setting('fsync')::boolean, current_setting('fsync'), 'on'),
      ('synchronous_commit', current_setting('synchronous_commit') <> 'off', current_setting('synchronous_commit'), 'on'),
      ('This server', not pg_is_in_recovery(), 'a replica', 'the primary, which has what is not here yet')
    ) as s (name, fine, found, expected) where not fine`,
  told,
  bytes: (text) => text,
  types: { text: 'text collate "C"', bytes: 'bytea', counter: 'bigint generated always as identity' },
}

/** An array for each column: the same text for any number of rows. */
function unnested(columns: Columns): string {
  const names = Object.keys(columns).map((name) => `"${name}"`)
  const types = Object.values(columns).map((type) => `?::${TYPES[type]}[]`)
  return `(select * from unnest(${types.join(', ')}) as u (${names.join(', ')}))`
}

function arrays(columns: Columns, rows: Rows): unknown[] {
  return Object.keys(columns).map((_name, place) =>
    rows.map((row) => {
      const value = row[place]
      return typeof value === 'string' ? storable(value) : value
    }),
  )
}

/** Longest text that an index takes beside others, in UTF-16 units: an entry of one has at most 2,700 bytes. */
const LONGEST_TOLD = 200

function told(text: string): string {
  const sound = text.replaceAll('\u0000', '\u2400')
  if (sound.length <= LONGEST_TOLD) return sound
  // Through bytes, since the cut may have gone through a pair of surrogates.
  const beginning = Buffer.from(sound.slice(0, LONGEST_TOLD - 64)).toString()
  return beginning + createHash('sha256').update(sound).digest('hex')
}

function storable(text: string): string {
  if (!text.includes('\u0000')) return text
  const message = 'PostgreSQL keeps no names with a NUL character (U+0000) in them; leave it out.'
  throw new HooshError('invalid_request', { message, details: { retryable: false } })
}

function codeOf(error: unknown): string {
  return String((Object(error) as { code?: unknown }).code)
}
