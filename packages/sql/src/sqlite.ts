import type { Dialect, Durability } from './dialect.js'

/** Milliseconds a synchronous driver may stand still for a lock before the event loop gets a turn. */
const LOCK_TIMEOUT_MS = 250

/**
 * Pages in the log before they are copied into the file, 16 MB. The last pages of tables and indexes are written with
 * each commit; copied after 1,000 pages, as is the default, they cost a fifth more.
 */
const CHECKPOINT_PAGES = 4_000

/** Most rows of one statement: beyond, to bind them costs as much as to run it again. */
const MOST_ROWS = 16

/** How long a connection waits for a lock: asked for, and set where nobody has set it. */
export const lockTimeout = { read: 'pragma busy_timeout', set: `pragma busy_timeout = ${LOCK_TIMEOUT_MS}` }

/** What a connection is told before its first use. */
export function pragmas(durability: Durability): readonly string[] {
  return [
    'pragma journal_mode = wal',
    `pragma synchronous = ${durability}`,
    `pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  ]
}

/** SQLITE_BUSY and SQLITE_LOCKED, as node:sqlite numbers them. */
const BUSY_CODES = new Set([5, 6])

/** As node:sqlite numbers them; other drivers tell them by their names. */
const REFUSED: Readonly<Record<number, string>> = {
  3: 'PERM',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  26: 'NOTADB',
}

export const sqlite: Dialect = {
  name: 'sqlite',
  probe: 'select sqlite_version()',
  begin: 'begin immediate',
  beginReading: 'begin',
  locksRows: false,
  isBusy(error) {
    const { code, errcode, message } = Object(error) as { code?: unknown; errcode?: unknown; message?: unknown }
    // The host's own transaction on the same connection: it ends, and then ours may begin.
    if (String(message).includes('within a transaction')) return true
    if (typeof errcode === 'number') return BUSY_CODES.has(errcode & 0xff)
    return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)
  },
  refusalOf(error) {
    const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown }
    const name = typeof errcode === 'number' ? REFUSED[errcode & 0xff] : /^SQLITE_([A-Z]+)/.exec(String(code))?.[1]
    if (name === undefined || !Object.values(REFUSED).includes(name)) return null
    return `SQLite refuses what the SQL storage asks of it (SQLITE_${name}): look at its file, the rights to that and its folder, and the disk.`
  },
  isMissingTable: (error) => String((Object(error) as { message?: unknown }).message).includes('no such table'),
  numbered: (text) => text,
  now: "cast(unixepoch('subsec') * 1000 as integer)",
  list: (values) => JSON.stringify(values),
  strings: '(select value from json_each(?))',
  rows(columns) {
    const places = Object.keys(columns).map((name, place) => `value ->> ${place} as "${name}"`)
    return `(select ${places.join(', ')} from json_each(?))`
  },
  rowsParameters: (_columns, rows) => [JSON.stringify(rows)],
  // A parameter for each place: no JSON to take apart.
  boundRows(columns, count) {
    const names = Object.keys(columns)
    const first = names.map((name) => `? as "${name}"`).join(', ')
    const others = ` union all select ${names.map(() => '?').join(', ')}`.repeat(count - 1)
    return `(select ${first}${others})`
  },
  // `rows.flat()` takes thirty times as long.
  boundParameters: (_columns, rows) => ([] as unknown[]).concat(...rows),
  countsRows: true,
  // Made for 1, 2, 4, 8 and 16 rows, so that few statements do for any number.
  atOnce: (left) => Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(left))),
  isSame(text, told) {
    const same = told.map(([field, column]) => `${column} is not distinct from ${text} ->> '$.${field}'`)
    return `case when json_valid(${text}) then ${same.join(' and ')} else false end`
  },
  numberIn: (text, key) =>
    `case when instr(${text}, '"${key}":') > 0
      then cast(substr(${text}, instr(${text}, '"${key}":') + ${key.length + 3}, 17) as integer) end`,
  settings: `select 'journal_mode' as name, journal_mode as found, 'wal' as expected
    from pragma_journal_mode where journal_mode <> 'wal'`,
  told: (text) => text,
  bytes: (text) => `cast(${text} as blob)`,
  types: { text: 'text', bytes: 'blob', counter: 'integer' },
}
