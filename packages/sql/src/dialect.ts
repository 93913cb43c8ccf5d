/** What the places of a row hold, by name. Integers are safe ones. */
export type Columns = Readonly<Record<string, 'text' | 'integer'>>

/** All that differs between databases. Everything else is SQL that SQLite and Postgres both speak. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** Answers only on this database, so that another one is found out at once. */
  readonly probe: string
  /** Begins a transaction: on SQLite one that no other writer can step into, on Postgres one that locks rows itself. */
  readonly begin: string
  /** Begins a transaction that sees one moment throughout, and writes nothing. */
  readonly beginReading: string
  /** Whether transactions of several processes run side by side, so that each has to lock what it decides about. */
  readonly locksRows: boolean
  /** Whether the same transaction may pass if it is tried again. */
  isBusy(error: unknown): boolean
  /** What to look at where the database will not do what it is asked, however often; null where another try may help. */
  refusalOf(error: unknown): string | null
  /** Whether a failed read only means that the table is not there. */
  isMissingTable(error: unknown): boolean
  /** A statement, whose parameters are written `?`, as this database reads it. */
  numbered(text: string): string
  /** The database's own clock, ms, the same throughout a statement. */
  readonly now: string
  /** A parameter for `strings`. */
  list(values: readonly string[]): unknown
  /** The strings of one parameter, made by `list`, as the column `value`. */
  readonly strings: string
  /** Rows of few columns. Its parameters are made by `rowsParameters`. */
  rows(columns: Columns): string
  rowsParameters(columns: Columns, rows: Rows): unknown[]
  /** The same for tables with many columns, for so many rows. Its parameters are made by `boundParameters`. */
  boundRows(columns: Columns, count: number): string
  boundParameters(columns: Columns, rows: Rows): unknown[]
  /** Whether the text of `boundRows` is another for each count. */
  readonly countsRows: boolean
  /** How many of the rows that are left go into one statement. */
  atOnce(left: number): number
  /** Whether columns say what the fields of a JSON text say; null where that is found out after reading. */
  isSame(text: string, told: readonly (readonly [field: string, column: string])[]): string
  /** The whole number that follows a key in a JSON text, null without: read without taking apart what may be damaged. */
  numberIn(text: string, key: string): string
  /** What a gateway may lose by how the server is set: name, value and what it should be, where that is another. */
  readonly settings: string
  /** A text that was kept to be found by, as this database can hold it. */
  told(text: string): string
  /** A text as bytes: drivers may fail, or end the process, over text that was damaged. */
  bytes(text: string): string
  readonly types: {
    /** Texts are compared byte by byte. */
    readonly text: string
    readonly bytes: string
    /** A key that the database counts up. */
    readonly counter: string
  }
}

export type Rows = readonly (readonly unknown[])[]

/**
 * How much a commit survives. SQLite: with `normal` the end of the process at any moment, while a power cut may lose the
 * last ones; `full` waits for the disk each time. Postgres: whatever the server is set to.
 */
export type Durability = 'normal' | 'full'
