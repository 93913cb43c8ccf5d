import type { OpenTransaction } from '@hoosh/core/conformance'
import { CamelCasePlugin, CompiledQuery, Kysely, PostgresDialect, SqliteDialect } from 'kysely'
import Database from 'libsql'
import type { PoolClient } from 'pg'
import { hasPostgres, postgresSchema } from './postgres.js'
import { sqliteFile } from './sqlite.js'

/** A transaction that a host has open, and a statement of its own inside of it; `$.` is where the tables stand. */
export interface HostsTransaction extends OpenTransaction {
  run(text: string): Promise<unknown>
}

/** A host's database with the tables of hoosh in it, and the host's own way to transactions. */
export interface HostsDatabase {
  open: ReturnType<typeof postgresSchema>['open']
  /** Where only one may be open at a time, it waits for the one before. */
  begin(): Promise<HostsTransaction>
  read<Row extends object>(text: string): Promise<Row[]>
  remove(): Promise<void>
}

type Options = Parameters<typeof postgresSchema>[0]

/** Every kind of object that a host may hand over as its transaction. */
export const HOSTS: readonly {
  readonly name: string
  readonly isThere: boolean
  make(options?: Options): HostsDatabase
}[] = [
  { name: "on PostgreSQL, a client of `pg`'s", isThere: hasPostgres, make: (options) => onPostgres(options, clients) },
  { name: "on PostgreSQL, Kysely's", isThere: hasPostgres, make: (options) => onPostgres(options, kyselyOnPool) },
  { name: 'on SQLite, a database object', isThere: true, make: (options) => onSqlite(options, handles) },
  { name: "on SQLite, Kysely's", isThere: true, make: (options) => onSqlite(options, kyselyOnFile) },
]

type Schema = ReturnType<typeof postgresSchema>

function onPostgres(options: Options, beginner: (schema: Schema) => HostsDatabase['begin']): HostsDatabase {
  const schema = postgresSchema(options)
  const begin = beginner(schema)
  return { open: schema.open, begin, read: (text) => schema.read(text), remove: schema.remove }
}

function clients(schema: Schema): HostsDatabase['begin'] {
  const pool = schema.pool({ max: 12 })
  return async () => {
    const client: PoolClient = await pool.connect()
    await client.query('begin')
    const end = async (how: string) => {
      await client.query(how)
      client.release()
    }
    return {
      transaction: client,
      run: (text) => client.query(text.replaceAll('$.', `${schema.schema}.`)),
      commit: () => end('commit'),
      rollback: () => end('rollback'),
    }
  }
}

function kyselyOnPool(schema: Schema): HostsDatabase['begin'] {
  const dialect = new PostgresDialect({ pool: schema.pool({ max: 12 }) })
  return beginWith(new Kysely({ dialect, plugins: [new CamelCasePlugin()] }), `${schema.schema}.`)
}

type Opened = { begin: HostsDatabase['begin']; close(): void }

function onSqlite(options: Options, beginner: (file: string) => Opened): HostsDatabase {
  const sqlite = sqliteFile(options)
  const { begin, close } = beginner(sqlite.file)
  return {
    open: sqlite.open,
    begin,
    read: async (text) => sqlite.read(text.replaceAll('$.', '')),
    async remove() {
      close()
      await sqlite.remove()
    },
  }
}

function handles(file: string): Opened {
  const database = new Database(file)
  let last: Promise<void> = Promise.resolve()
  const turn = async () => {
    const before = last
    let done = () => {}
    last = new Promise((resolve) => {
      done = resolve
    })
    await before
    return done
  }
  return {
    close: () => void database.close(),
    async begin() {
      const done = await turn()
      database.exec('begin immediate')
      const end = (how: string) => {
        database.exec(how)
        done()
      }
      return {
        transaction: database,
        run: async (text) => void database.exec(text.replaceAll('$.', '')),
        commit: () => end('commit'),
        rollback: () => end('rollback'),
      }
    },
  }
}

function kyselyOnFile(file: string): Opened {
  const database = new Database(file)
  const kysely = new Kysely({ dialect: new SqliteDialect({ database }), plugins: [new CamelCasePlugin()] })
  return { begin: beginWith(kysely, ''), close: () => void database.close() }
}

function beginWith(kysely: Kysely<unknown>, place: string): HostsDatabase['begin'] {
  return async () => {
    const transaction = await kysely.startTransaction().execute()
    const said = (text: string): CompiledQuery => CompiledQuery.raw(text.replaceAll('$.', place))
    return {
      transaction,
      run: (text) => transaction.executeQuery(said(text)),
      commit: () => transaction.commit().execute(),
      rollback: () => transaction.rollback().execute(),
    }
  }
}
