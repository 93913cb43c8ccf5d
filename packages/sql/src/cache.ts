import { type CacheStore, type Clock, MOST_CACHED_BYTES } from '@hoosh/core/storage'
import { bytesOf } from './bytes.js'
import type { Connection } from './connection.js'
import { type Runner, statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Write } from './write.js'

type Row = Record<string, unknown>

/**
 * Bytes under a name, for a time, on the clock of the store.
 *
 * @param clock absent where that is the database's
 */
export function sqlCache(
  connection: Connection,
  { cache }: Tables,
  { write, clock }: { write: Write; clock: Clock | undefined },
): CacheStore {
  const { dialect } = connection
  const now = clock === undefined ? dialect.now : 'cast(? as bigint)'
  const moment = () => (clock === undefined ? [] : [clock()])
  const values = `(?, ?, ${now} + cast(? as bigint))`
  const change = 'on conflict (key) do update set value = excluded.value, until = excluded.until'
  const find = statement<Row>(dialect, `select value from ${cache} where key = ? and until > ${now}`)
  const insert = statement<never>(dialect, `insert into ${cache} (key, value, until) values ${values} ${change}`)
  const insertIfAbsent = statement<Row>(
    dialect,
    `insert into ${cache} as c (key, value, until) values ${values} ${change} where c.until <= ${now} returning key`,
  )
  const remove = statement<never>(dialect, `delete from ${cache} where key = ?`)
  const get = async (runner: Runner, key: string) => {
    const [row] = await find(runner, key, ...moment())
    return row === undefined ? null : bytesOf(row.value)
  }
  /** What stood in the way may be over, or deleted, before it is read: then it is tried again. */
  const putIfAbsent = async (runner: Runner, key: string, value: Uint8Array, ttlMs: number) => {
    for (;;) {
      const put = await insertIfAbsent(runner, key, Buffer.from(value), ...moment(), ttlMs, ...moment())
      if (put.length > 0) return null
      const found = await get(runner, key)
      if (found !== null) return found
    }
  }
  return {
    get: (key) => connection.read((runner) => get(runner, key)),
    async put(key, value, ttlMs) {
      if (value.byteLength > MOST_CACHED_BYTES) return false
      await write((runner) => insert(runner, key, Buffer.from(value), ...moment(), ttlMs))
      return true
    },
    putIfAbsent: (key, value, ttlMs) => write((runner) => putIfAbsent(runner, key, value, ttlMs)),
    delete: async (key) => void (await write((runner) => remove(runner, key))),
  }
}
