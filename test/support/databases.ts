import { rmSync } from 'node:fs'
import type { Clock, Storage } from '@hoosh/core/storage'
import type { SqlStorage, SqlStorageOptions } from '@hoosh/sql'
import { hasPostgres, PATIENT_MS, postgresSchema } from './postgres.js'
import { REDIS_URL, redisLedger, redisMissing } from './redis.js'
import { sqliteFile } from './sqlite.js'

/** A database of a test's own, that other processes can reach too. */
export interface TestDatabase {
  /** Where it is, as `test/processes/storage.mjs` reads it. */
  readonly place: string
  /** A file that is nobody's, beside which a test may put others. */
  readonly file: string
  /** Another handle, as another process would have it. */
  open(more?: SqlStorageOptions): Promise<SqlStorage>
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
        open: (more) => sqlite.open(more),
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
        open: (more) => postgres.open(more),
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

/** Where a gateway's whole storage is, in Redis as far as that keeps it and else in SQLite. */
export interface TestStorage extends Pick<TestDatabase, 'place' | 'remove'> {
  /** @param clock of leases, where it is not the store's own */
  open(clock?: Clock): Promise<Partial<Storage> & Pick<Storage, 'budgets'>>
}

const onDatabase = ({ name, missing, make }: DatabaseKind) => ({
  name,
  missing,
  make: (): TestStorage => {
    const { place, open, remove } = make()
    return { place, remove, open: (clock) => open(clock === undefined ? {} : { clock }) }
  },
})

/** Every storage that processes can share. */
export const SHARED_STORAGES = [
  ...DATABASES.map(onDatabase),
  {
    name: 'Redis',
    missing: await redisMissing(),
    make(): TestStorage {
      const [sqlite, ledger] = [sqliteFile(), redisLedger()]
      return {
        place: `${REDIS_URL}?prefix=${ledger.prefix}&file=${sqlite.file}`,
        async open(clock) {
          const { budgets, rates, cache } = await ledger.open('ioredis', clock === undefined ? {} : { clock })
          return { ...(await sqlite.open()), budgets, rates, cache }
        },
        async remove() {
          await ledger.remove()
          await sqlite.remove()
        },
      }
    },
  },
]
