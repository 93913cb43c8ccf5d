// The storage of a process that a test starts, from the built packages: a file of SQLite, or the URL of a schema.
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import pg from 'pg'

/** @param place a file, or postgres://HOST:PORT/DATABASE?schema=NAME&silence=MS */
export function storageAt(place) {
  if (!place.startsWith('postgres:')) return sqlStorage(new Database(place))
  const url = new URL(place)
  const schema = url.searchParams.get('schema')
  const silenceMs = Number(url.searchParams.get('silence') ?? 200)
  url.search = ''
  return sqlStorage(new pg.Pool({ connectionString: url.href, max: 4 }), { schema, silenceMs })
}
