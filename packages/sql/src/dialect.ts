/** What the places of a row hold, by name. Integers are safe ones. */
export type Columns = Readonly<Record<string, 'text' | 'integer'>>

/** All that differs between databases. Everything else is SQL that SQLite and Postgres both speak. */
export interface Dialect {
  readonly name: 'sqlite'
  /** Answers only on this database, so that another one is found out at once. */
  readonly probe: string
  /** Begins a transaction that no other writer can step into. */
  readonly begin: string
  /** What a connection is told before its first use. */
  setUp(durability: Durability): readonly string[]
  /** How long a connection waits for a lock: asked for, and set where nobody has set it. */
  readonly lockTimeout: { readonly read: string; readonly set: string }
  /** Whether the same transaction may pass if it is tried again. */
  isBusy(error: unknown): boolean
  /** The rows of one JSON parameter: an array of arrays with a place for each column. */
  rows(columns: Columns): string
  /** The same with a parameter for each place of so many rows: no JSON to take apart, for tables with many columns. */
  boundRows(columns: Columns, count: number): string
  /** The strings of one JSON parameter, an array, as the column `value`. */
  readonly strings: string
  /** A field of a JSON text, null where it is absent. */
  field(column: string, field: string, type: Columns[string]): string
  /** Whether a text is JSON. */
  isJson(column: string): string
  /** The bytes of a text: drivers may fail, or end the process, over text that was damaged. */
  bytes(text: string): string
  /** Type of a key that the database counts up. */
  readonly counter: string
}

/**
 * `normal` survives the end of the process at any moment; a power cut may lose the last commits. `full` waits for the
 * disk with each commit.
 */
export type Durability = 'normal' | 'full'

/** Milliseconds a synchronous driver may stand still for a lock before the event loop gets a turn. */
const LOCK_TIMEOUT_MS = 250

/**
 * Pages in the log before they are copied into the file, 16 MB. The last pages of tables and indexes are written with
 * each commit; copied after 1,000 pages, as is the default, they cost a fifth more.
 */
const CHECKPOINT_PAGES = 4_000

export const sqlite: Dialect = {
  name: 'sqlite',
  probe: 'select sqlite_version()',
  begin: 'begin immediate',
  setUp: (durability) => [
    'pragma journal_mode = wal',
    `pragma synchronous = ${durability}`,
    `pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  ],
  lockTimeout: { read: 'pragma busy_timeout', set: `pragma busy_timeout = ${LOCK_TIMEOUT_MS}` },
  isBusy(error) {
    const { code, message } = Object(error) as { code?: unknown; message?: unknown }
    // The host's own transaction on the same connection: it ends, and then ours may begin.
    if (String(message).includes('within a transaction')) return true
    return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)
  },
  rows(columns) {
    const places = Object.keys(columns).map((name, place) => `value ->> ${place} as "${name}"`)
    return `(select ${places.join(', ')} from json_each(?))`
  },
  boundRows(columns, count) {
    const names = Object.keys(columns)
    const first = names.map((name) => `? as "${name}"`).join(', ')
    const others = ` union all select ${names.map(() => '?').join(', ')}`.repeat(count - 1)
    return `(select ${first}${others})`
  },
  strings: '(select value from json_each(?))',
  field: (column, field) => `${column} ->> '$.${field}'`,
  isJson: (column) => `json_valid(${column})`,
  bytes: (text) => `cast(${text} as blob)`,
  counter: 'integer',
}
