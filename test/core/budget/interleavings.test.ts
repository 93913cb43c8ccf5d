import { memoryBudgets } from '@hoosh/core/storage'
import { redisStorage } from '@hoosh/redis'
import { sqlStorage } from '@hoosh/sql'
import fc from 'fast-check'
import { afterAll, describe, it } from 'vitest'
import { HASTY, hasPostgres, PATIENT_MS, postgresPool, postgresSchema } from '../../support/postgres.js'
import { CLIENT_KINDS, connected, redisLedger, redisMissing } from '../../support/redis.js'
import { sqliteFile } from '../../support/sqlite.js'
import { type Handles, interleaved, operationsOf, turnstile } from './interleavings.js'
import { SEQUENCES, SEQUENCES_MS } from './model-runs.js'

const clock = { now: 0 }
const gate = turnstile()
const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** Of a database that is held by others meanwhile, whole operations; of a server, whatever is said to it. */
const KINDS: { name: string; missing: string | null; open(): Promise<Handles> }[] = [
  {
    name: 'in memory',
    missing: null,
    async open() {
      const observer = memoryBudgets({ clock: () => clock.now })
      return { handles: [operationsOf(observer, gate)], observer }
    },
  },
  {
    name: 'on SQLite, through two handles',
    missing: null,
    async open() {
      const sqlite = sqliteFile({ clock: () => clock.now })
      closers.push(() => sqlite.remove())
      const storages = [await sqlite.open(), await sqlite.open()]
      return {
        handles: storages.map(({ budgets }) => operationsOf(budgets, gate)),
        observer: (await sqlite.open()).budgets,
      }
    },
  },
  {
    name: 'on PostgreSQL, through two pools, statement by statement',
    missing: hasPostgres ? null : 'no PostgreSQL at 127.0.0.1:5432',
    async open() {
      const postgres = postgresSchema({ clock: () => clock.now }, HASTY)
      closers.push(() => postgres.remove())
      const observer = (await postgres.open()).budgets
      const handles = [1, 2].map(() => {
        const pool = postgresPool(HASTY)
        closers.push(() => pool.end())
        const waiting = {
          on: pool.on.bind(pool),
          off: pool.off.bind(pool),
          connect: async () => gate.around(await pool.connect(), ['query']),
        }
        const options = { schema: postgres.schema, silenceMs: PATIENT_MS, clock: () => clock.now }
        return sqlStorage(waiting as never, options).budgets
      })
      return { handles, observer }
    },
  },
  {
    name: 'on Redis, through both clients, script by script',
    missing: await redisMissing(),
    async open() {
      const ledger = redisLedger({ clock: () => clock.now })
      closers.push(() => ledger.remove())
      const clients = await Promise.all(CLIENT_KINDS.map((kind) => connected(kind)))
      closers.push(...clients.map(({ close }) => close))
      const handles = clients.map(({ client }) => {
        const waiting = gate.around(client, ['eval', 'evalsha', 'evalSha'])
        const options = { prefix: ledger.prefix, allowVolatile: true, timeoutMs: PATIENT_MS, clock: () => clock.now }
        return redisStorage(waiting, options).budgets
      })
      return { handles, observer: (await ledger.open()).budgets }
    },
  },
]

describe.each(KINDS)('$name', ({ missing, open }) => {
  it.skipIf(missing !== null)(
    'whichever way operations at once interleave, they leave what the definition of a ledger says',
    { timeout: SEQUENCES_MS },
    async () => {
      await fc.assert(interleaved(await open(), clock, gate), SEQUENCES)
    },
  )
})
