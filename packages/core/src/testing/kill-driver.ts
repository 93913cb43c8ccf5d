import type { Method, Seam } from './kill-seams.js'

/** A driver as it is, but that it passes the points where it commits the one step: a pool of pg's, SQLite, a client of Redis. */
export function aroundCommits<Database extends object>(database: Database, seam: Seam): Database {
  if ('prepare' in database) return aroundSqlite(database, seam)
  if ('evalsha' in database || 'evalSha' in database) return aroundRedis(database, seam)
  return aroundPool(database, seam)
}

/** Tells of each statement whether it commits the one step: what was under way when the transaction began is in it. */
function transactions(seam: Seam): (text: string) => boolean {
  let isIn = false
  return (text) => {
    if (/^begin/i.test(text)) isIn = seam.running > 0
    return isIn && /^commit/i.test(text)
  }
}

function committing(seam: Seam, run: () => unknown): unknown {
  seam.pass(`in-${seam.step}`)
  const answer = run()
  seam.pass(`sent-${seam.step}`)
  return answer
}

function aroundPool<Pool extends object>(pool: Pool, seam: Seam): Pool {
  return replacing(pool, {
    connect:
      (connect) =>
      async (...args) => {
        const commits = transactions(seam)
        return replacing(Object(await connect(...args)), {
          query:
            (query) =>
            (text, ...values) =>
              commits(String(text)) ? committing(seam, () => query(text, ...values)) : query(text, ...values),
        })
      },
  })
}

function aroundSqlite<Database extends object>(database: Database, seam: Seam): Database {
  const commits = transactions(seam)
  return replacing(database, {
    prepare: (prepare) => (text) => {
      const statement = Object(prepare(text))
      if (!/^(begin|commit)/i.test(String(text))) return statement
      const spoken =
        (run: Method): Method =>
        (...args) =>
          commits(String(text)) ? committing(seam, () => run(...args)) : run(...args)
      return replacing(statement, { run: spoken, all: spoken })
    },
  })
}

/** A script is sent, taken and done in one: there is no moment in it. */
function aroundRedis<Client extends object>(client: Client, seam: Seam): Client {
  const spoken =
    (run: Method): Method =>
    (...args) => {
      const answer = run(...args)
      // node-redis writes in the next turn what is said in this one.
      if (seam.running > 0) setImmediate(() => seam.pass(`sent-${seam.step}`))
      return answer
    }
  return replacing(client, { evalsha: spoken, evalSha: spoken, eval: spoken })
}

/** An object with some of its methods replaced, by what is made of them; where it has none of a name it gets none. */
function replacing<Target extends object>(
  target: Target,
  replacements: Record<string, (method: Method) => Method>,
): Target {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      const bound = value.bind(target) as Method
      const replace = typeof key === 'string' ? replacements[key] : undefined
      return replace === undefined ? bound : replace(bound)
    },
  })
}
