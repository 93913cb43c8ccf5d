import { rmSync } from 'node:fs'
import type { SqlStorage, SqlStorageOptions } from '@hoosh/sql'
import { hasPostgres, PATIENT_MS, postgresSchema } from './postgres.js'
import { sqliteFile } from './sqlite.js'

/** A database of a test's own, that other processes can reach too. */
export interface TestDatabase {
  /** Where it is, as `test/processes/storage.mjs` reads it. */
  readonly place: string
  /** A file that is nobody's, beside which a test may put others. */
  readonly file: string
  /** Another handle, as another process would have it. */
  open(): Promise<SqlStorage>
  /** Rows of one moment, whatever is written meanwhile; `$.` in the text is where the tables stand. */
  read<Row extends object>(text: string): Promise<Row[]>
  /** Statements by somebody who is not hoosh. */
  tamper(text: string): Promise<void>
  remove(): Promise<void>
}

export interface DatabaseKind {
  readonly name: string
  /** Why its tests are skipped; null where they run. */
  readonly missing: string | null
  make(options?: SqlStorageOptions): TestDatabase
}

export const DATABASES: readonly DatabaseKind[] = [
  {
    name: 'SQLite',
    missing: null,
    make(options) {
      const sqlite = sqliteFile(options)
      return {
        place: sqlite.file,
        file: sqlite.file,
        open: () => sqlite.open(),
        read: async (text) => sqlite.read(text.replaceAll('$.', '')),
        tamper: async (text) => sqlite.exec(text.replaceAll('$.', '')),
        remove: () => sqlite.remove(),
      }
    },
  },
  {
    name: 'PostgreSQL',
    missing: hasPostgres ? null : 'no PostgreSQL at 127.0.0.1:5432',
    make(options) {
      const postgres = postgresSchema(options)
      const folder = sqliteFile()
      return {
        place: `postgres://postgres@127.0.0.1:5432/postgres?schema=${postgres.schema}&silence=${PATIENT_MS}`,
        file: folder.file,
        open: () => postgres.open(),
        read: (text) => postgres.read(text),
        tamper: async (text) => void (await postgres.read(text)),
        async remove() {
          await postgres.remove()
          await folder.remove()
          rmSync(`${folder.file}.go`, { force: true })
        },
      }
    },
  },
]
