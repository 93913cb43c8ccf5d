// The storage of a process that a test starts, from the built packages: a file of SQLite, the URL of a schema of PostgreSQL,
// or a Redis, with a file of SQLite for what that does not keep. HOOSH_KILL_AT is where the process dies.
import { killPoints } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'

export const kill = killPoints()

/** @param place a file, postgres://HOST:PORT/DATABASE?schema=NAME&silence=MS, or redis://HOST:PORT?prefix=NAME[&file=FILE] */
export async function storageAt(place) {
  return kill.storage(await opened(place))
}

/** What is not needed is not loaded: a test may start a hundred of these. */
async function opened(place) {
  if (place.startsWith('redis:')) return onRedis(new URL(place))
  if (!place.startsWith('postgres:')) return sqlStorage(kill.database(await fileAt(place)))
  const url = new URL(place)
  const schema = url.searchParams.get('schema')
  const silenceMs = Number(url.searchParams.get('silence') ?? 200)
  url.search = ''
  const { default: pg } = await import('pg')
  return sqlStorage(kill.database(new pg.Pool({ connectionString: url.href, max: 4 })), { schema, silenceMs })
}

async function fileAt(path) {
  const { default: Database } = await import('libsql')
  return new Database(path)
}

async function onRedis(url) {
  const [{ Redis }, { redisStorage }] = await Promise.all([import('ioredis'), import('@hoosh/redis')])
  const client = new Redis(`redis://${url.host}`)
  client.on('error', () => {})
  const prefix = url.searchParams.get('prefix')
  const redis = redisStorage(kill.database(client), { prefix, allowVolatile: true, timeoutMs: 20_000 })
  const file = url.searchParams.get('file')
  if (file === null) return redis
  const { budgets, rates, cache } = redis
  return { ...sqlStorage(await fileAt(file)), budgets, rates, cache }
}
