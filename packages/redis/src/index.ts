import { type Clock, checkOptionNames, HooshError, type Storage } from '@hoosh/core/storage'
import { redisBudgets } from './budgets.js'
import { redisCache } from './cache.js'
import { checkLedger } from './check.js'
import { checkClient, type RedisClient, scriptsOn } from './client.js'
import { patience } from './patience.js'
import { redisRates } from './rates.js'
import { openLedger, serverOn } from './server.js'
import { termsBook } from './terms.js'

export type { IoredisClient, NodeRedisClient, RedisClient } from './client.js'

/** How the ledger is kept. */
export interface RedisStorageOptions {
  /**
   * Hash tag of all keys, `hoosh`: everything of one prefix is on one node of a cluster. Give each tenant its own to
   * spread them. Letters, digits, `_`, `-`, `.` and `:`, at most 100.
   */
  prefix?: string
  /**
   * Keeps budgets on a server without an append-only file: a restart of Redis forgets what was spent, whereupon callers
   * may spend it again. false by default, and such a server is refused.
   */
  allowVolatile?: boolean
  /** How long an ended reservation (so that a repeated settle finds it), its entries and an old window are kept: 2 days, ms. */
  keepMs?: number
  /**
   * Redis counts as away when it has said nothing for so long, ms: 200. Lists and sweeps wait ten times that; in a burst a
   * call waits for its turn, up to fifty times that, as long as others are answered.
   */
  timeoutMs?: number
  /** The clock of leases; the server's own by default, so that no process's clock matters. For tests. */
  clock?: Clock
}

/** What is kept in Redis. Audit log and usage are not: put them into SQL. */
export type RedisStorage = Pick<Storage, 'budgets' | 'rates' | 'cache'> & Required<Pick<Storage, 'open' | 'describe'>>

const OPTIONS = { prefix: true, allowVolatile: true, keepMs: true, timeoutMs: true, clock: true } as const

const DAY_MS = 86_400_000

/** A burst is answered in turn, by the one node that has the ledger. Times of `timeoutMs`. */
const LONGEST = 50
/** Of the nodes that have cached answers one may be silent while others are not. */
const LONGEST_CACHED = 5

/**
 * Budgets, limits and cached answers in the host's own Redis 7 or newer or Valkey, shared by any number of processes. The client is
 * the host's: ioredis or node-redis, alone or on a cluster.
 *
 * @example
 * hoosh({ storage: { ...sqlStorage(database), rates: redisStorage(new Redis()).rates } })
 * @throws HooshError `invalid_options` for what is no client, a prefix that is no hash tag, times that are none, or options that it has not
 */
export function redisStorage(client: RedisClient, options: RedisStorageOptions = {}): RedisStorage {
  checkClient(client)
  if (typeof options !== 'object' || options === null) throw invalid('options', 'an object')
  checkOptionNames<RedisStorageOptions>(options, OPTIONS, 'redisStorage')
  const { prefix = 'hoosh', allowVolatile = false, keepMs = 2 * DAY_MS, timeoutMs = 200, clock } = options
  if (!/^[\w.:-]{1,100}$/.test(prefix)) throw invalid('prefix', 'letters, digits, "_", "-", "." and ":", at most 100')
  if (!isTime(keepMs) || keepMs < 60_000) throw invalid('keepMs', 'whole milliseconds, a minute or more')
  if (!isTime(timeoutMs)) throw invalid('timeoutMs', 'whole milliseconds, 1 or more')
  const run = scriptsOn(client)
  const serverFor = (longest: number) => {
    const patient = patience({ now: () => performance.now(), usualMs: timeoutMs, longest })
    return serverOn(run, { root: `{${prefix}}:`, silentMs: timeoutMs, patience: patient })
  }
  const server = serverFor(LONGEST)
  const ready = once(() => openLedger(server, { allowVolatile }))
  const said = () => (clock === undefined ? '' : String(clock()))
  return {
    budgets: {
      ...redisBudgets({ server, book: termsBook(), ready, keepMs, clock: said }),
      check: () => checkLedger({ server, clock: said }),
    },
    rates: redisRates(server),
    cache: redisCache(serverFor(LONGEST_CACHED), prefix),
    describe: allowVolatile ? 'redis, volatile' : 'redis',
    async open() {
      await ready()
    },
  }
}

/** Does something until it has succeeded; from then on there is nothing to wait for. */
function once(work: () => Promise<void>): () => Promise<void> | undefined {
  let state: 'new' | 'done' | Promise<void> = 'new'
  return () => {
    if (state === 'done') return undefined
    if (state === 'new') {
      state = work().then(
        () => {
          state = 'done'
        },
        (error: unknown) => {
          state = 'new'
          throw error
        },
      )
    }
    return state
  }
}

function isTime(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}

function invalid(option: string, rule: string): HooshError {
  return new HooshError('invalid_options', { message: `${option} of redisStorage must be ${rule}.` })
}
