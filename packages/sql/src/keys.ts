import type { KeyRecord, KeyStore } from '@hoosh/core/storage'
import type { Connection } from './connection.js'
import { statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Write } from './write.js'

type Row = Record<string, unknown>

/** The keys that hoosh issues, each a row; whoever changes one says which version he means. */
export function sqlKeys(connection: Connection, { keys }: Tables, write: Write): KeyStore {
  const { dialect } = connection
  const insert = statement<Row>(
    dialect,
    `insert into ${keys} (id, version, "user", record) values (?, ?, ?, ?) on conflict do nothing returning id`,
  )
  const find = statement<Row>(dialect, `select record from ${keys} where id = ?`)
  const update = statement<Row>(
    dialect,
    `update ${keys} set version = ?, record = ? where id = ? and version = ? returning id`,
  )
  const remove = statement<never>(dialect, `delete from ${keys} where id = ?`)
  return {
    async add(key) {
      const { id, version, user } = key
      return (await write((runner) => insert(runner, id, version, user, JSON.stringify(key)))).length > 0
    },
    async get(id) {
      const [row] = await connection.read((runner) => find(runner, id))
      return row === undefined ? null : recordOf(row)
    },
    async list({ user, before, limit }) {
      const conditions = [...(user === undefined ? [] : ['"user" = ?']), ...(before === undefined ? [] : ['id < ?'])]
      const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
      const page = statement<Row>(dialect, `select record from ${keys} ${where} order by id desc limit ?`)
      const values = [user, before].filter((value) => value !== undefined)
      return (await connection.read((runner) => page(runner, ...values, limit))).map(recordOf)
    },
    async replace(key) {
      const { id, version } = key
      return (await write((runner) => update(runner, version, JSON.stringify(key), id, version - 1))).length > 0
    },
    remove: async (id) => void (await write((runner) => remove(runner, id))),
  }
}

function recordOf({ record }: Row): KeyRecord {
  return JSON.parse(String(record)) as KeyRecord
}
