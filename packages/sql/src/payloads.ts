import type { PayloadStore, StoredPayload, SubjectKey } from '@hoosh/core/storage'
import { bytesOf } from './bytes.js'
import type { Connection } from './connection.js'
import type { Dialect } from './dialect.js'
import { type Runner, statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Write } from './write.js'

type Row = Record<string, unknown>

const KEY = 'subject, id, wrapped_by, wrapped'

/** Payloads of calls and the wrapped keys of their users, each a row. */
export function sqlPayloads(connection: Connection, tables: Tables, write: Write): PayloadStore {
  const { dialect } = connection
  const sql = payloadStatements(dialect, tables)
  const read = <Result>(work: (runner: Runner) => Promise<Result>) => connection.read(work)
  const inOne: Write = dialect.locksRows ? (work) => connection.transaction(work) : write
  const keyOf = async (runner: Runner, subject: string) => {
    const [row] = await sql.findKey(runner, subject)
    return row === undefined ? null : keyIn(row)
  }
  return {
    put: ({ id, subject, key, at, sealed }) =>
      inOne(async (runner) => {
        const [stands] = await sql.holdKey(runner, subject)
        if (stands?.id !== key) return (await sql.find(runner, id)).length > 0
        await sql.insert(runner, id, subject, key, at, Buffer.from(sealed))
        return true
      }),
    get: (id) =>
      read(async (runner) => {
        const [row] = await sql.find(runner, id)
        if (row === undefined) return null
        return { payload: payloadIn(row), key: row.wrapped_by === null ? null : keyIn({ ...row, id: row.key }) }
      }),
    remove: async (id) => void (await write((runner) => sql.remove(runner, id))),
    key: (subject) => read((runner) => keyOf(runner, subject)),
    addKey: (key) =>
      write(async (runner) => {
        const { subject, id, wrappedBy, wrapped } = key
        // What stood in the way may be erased before it is read: then it is tried again.
        for (;;) {
          const added = await sql.insertKey(runner, subject, id, wrappedBy, Buffer.from(wrapped))
          const stands = added.length > 0 ? key : await keyOf(runner, subject)
          if (stands !== null) return stands
        }
      }),
    rewrap: async ({ subject, id, wrappedBy, wrapped }) => {
      const changed = await write((runner) => sql.rewrap(runner, wrappedBy, Buffer.from(wrapped), subject, id))
      return changed.length > 0
    },
    wrappedByOthers: async (wrappedBy, limit) =>
      (await read((runner) => sql.wrappedByOthers(runner, wrappedBy, limit))).map(keyIn),
    erase: (subject) =>
      write(async (runner) => {
        // SQLite leaves what is deleted where it stood in the file, until something else needs the place.
        const stands = dialect.locksRows ? null : await keyOf(runner, subject)
        if (stands !== null) await sql.overwrite(runner, Buffer.alloc(stands.wrapped.byteLength), subject)
        return (await sql.erase(runner, subject)).length > 0
      }),
    drop: async (before, limit) => (await write((runner) => sql.drop(runner, before, limit))).length,
  }
}

function payloadStatements(dialect: Dialect, { payloads, subjects }: Tables) {
  const [locked, free] = dialect.locksRows ? [' for share', ' for update skip locked'] : ['', '']
  return {
    // An erasure waits until what is encrypted under the key is there, so that it is told of all there is.
    holdKey: statement<Row>(dialect, `select id from ${subjects} where subject = ?${locked}`),
    insert: statement<never>(
      dialect,
      `insert into ${payloads} (id, subject, key, at, sealed) values (?, ?, ?, ?, ?) on conflict do nothing`,
    ),
    find: statement<Row>(
      dialect,
      `select p.id, p.subject, p.key, p.at, p.sealed, s.wrapped_by, s.wrapped
        from ${payloads} as p left join ${subjects} as s on s.subject = p.subject and s.id = p.key where p.id = ?`,
    ),
    remove: statement<never>(dialect, `delete from ${payloads} where id = ?`),
    findKey: statement<Row>(dialect, `select ${KEY} from ${subjects} where subject = ?`),
    insertKey: statement<Row>(
      dialect,
      `insert into ${subjects} (${KEY}) values (?, ?, ?, ?) on conflict do nothing returning id`,
    ),
    rewrap: statement<Row>(
      dialect,
      `update ${subjects} set wrapped_by = ?, wrapped = ? where subject = ? and id = ? returning id`,
    ),
    wrappedByOthers: statement<Row>(dialect, `select ${KEY} from ${subjects} where wrapped_by <> ? limit ?`),
    overwrite: statement<never>(dialect, `update ${subjects} set wrapped = ? where subject = ?`),
    erase: statement<Row>(dialect, `delete from ${subjects} where subject = ? returning id`),
    drop: statement<Row>(
      dialect,
      `delete from ${payloads} where id in (
        select id from ${payloads} where at < ? order by at limit ?${free}
      ) returning id`,
    ),
  }
}

function payloadIn({ id, subject, key, at, sealed }: Row): StoredPayload {
  return { id: String(id), subject: String(subject), key: String(key), at: Number(at), sealed: bytesOf(sealed) }
}

function keyIn({ subject, id, wrapped_by, wrapped }: Row): SubjectKey {
  return { subject: String(subject), id: String(id), wrappedBy: String(wrapped_by), wrapped: bytesOf(wrapped) }
}
