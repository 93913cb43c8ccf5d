import { subscribe } from 'node:diagnostics_channel'
import type { RequestListener } from 'node:http'
import { HooshError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { Awaitable } from '../time.js'
import { aroundCommits } from './kill-driver.js'
import { aroundAnswers, aroundStores, type Seam } from './kill-seams.js'

/** Steps of stores that change something, each of them all or nothing. */
const STEPS = [
  ...['reserve', 'extend', 'renew', 'settle', 'release', 'expire', 'define', 'freeze'],
  ...['stage', 'link', 'checkpoint', 'trim', 'record', 'put', 'putIfAbsent'],
]

/**
 * Of a step: before the store hears of it; `in`: it is written, its commit not yet sent; `sent`: its commit is sent, and the
 * answer is never read; `after`: it is durable, and whoever asked does not know yet. `in` is SQL's alone.
 */
const MOMENTS = ['before', 'in', 'sent', 'after']

/** Of the way to the provider; undici tells these whether somebody listens or not. */
const UPSTREAM: Readonly<Record<string, string>> = {
  'before-request': 'undici:request:create',
  'request-sent': 'undici:request:bodySent',
  'first-byte': 'undici:request:headers',
  'last-byte': 'undici:request:trailers',
}

/** Of the answer: before each piece of a stream; around the last words, which are `[DONE]` or the whole of a plain answer. */
const ANSWER = ['piece', 'before-done', 'after-done']

/** Around what takes audit checkpoints and segments to where they are safe. */
const DELIVERY = ['before-sink', 'after-sink', 'before-archive', 'after-archive']

/** Every name that `HOOSH_KILL_AT` may have. */
export const KILL_POINTS: readonly string[] = [
  ...STEPS.flatMap((step) => MOMENTS.map((moment) => `${moment}-${step}`)),
  ...Object.keys(UPSTREAM),
  ...ANSWER,
  ...DELIVERY,
]

/** What a process wraps, so that it can die where its work passes. Without a name each gives back what it was given. */
export interface KillPoints {
  /** For `before`, `after` and, with `database`, the moments between. */
  storage<Kept extends Partial<Storage>>(storage: Kept): Kept
  /** What the storage is made of: a `pg` Pool, a database of SQLite (not Kysely), or a client of Redis. */
  database<Database extends object>(database: Database): Database
  /** The handler of a Node server, for the points of an answer. */
  answers(handler: RequestListener): RequestListener
  /** `audit.onCheckpoint` or `audit.retention.archive`. */
  delivery<What>(name: 'sink' | 'archive', deliver: (what: What) => Awaitable<void>): (what: What) => Promise<void>
}

/**
 * Named points at which a process dies as by `kill -9`, for tests of what a crash leaves behind.
 *
 * The product has no such points in it. They are where it passes through something that a host gives it (stores, a
 * driver's connection, a sink, the server's response) or tells of (undici's channels), so a process that wants to die wraps these,
 * and what runs in production runs nothing of this. It counts one call at a time well; of several at once the first to come to
 * the point ends all.
 *
 * @param at one of `KILL_POINTS`, `after-reserve`; with `:3` at the third time. Empty or absent for none
 * @param die what is done there, `SIGKILL` to this process by default
 * @throws HooshError `invalid_options` for a name that is none
 * @example
 * const kill = killPoints()
 * const storage = kill.storage(sqlStorage(kill.database(new Pool())))
 * createServer(kill.answers(toNodeHandler(createGateway({ storage }), { identify }))).listen(3000)
 */
export function killPoints(at: string | undefined = process.env.HOOSH_KILL_AT, die = killThis): KillPoints {
  if (at === undefined || at === '') return NONE
  const [name = '', times = '1'] = at.split(':')
  if (!KILL_POINTS.includes(name) || !/^[1-9]\d*$/.test(times)) throw unknownPoint(at)
  let left = Number(times)
  const seam: Seam = {
    step: name.slice(name.indexOf('-') + 1),
    running: 0,
    pass(point) {
      if (point !== name) return
      left -= 1
      if (left === 0) die()
    },
  }
  const channel = UPSTREAM[name]
  if (channel !== undefined) subscribe(channel, () => seam.pass(name))
  return {
    storage: (storage) => aroundStores(storage, seam),
    database: (database) => aroundCommits(database, seam),
    answers: (handler) => aroundAnswers(handler, seam),
    delivery: (what, deliver) => async (delivered) => {
      seam.pass(`before-${what}`)
      await deliver(delivered)
      seam.pass(`after-${what}`)
    },
  }
}

const NONE: KillPoints = {
  storage: (storage) => storage,
  database: (database) => database,
  answers: (handler) => handler,
  delivery: (_name, deliver) => async (what) => deliver(what),
}

function killThis(): void {
  process.kill(process.pid, 'SIGKILL')
}

function unknownPoint(at: string): HooshError {
  const message = `"${at}" is no kill point: it is a name of KILL_POINTS, and may say after a colon at which time, from 1.`
  return new HooshError('invalid_options', { message, details: { param: 'HOOSH_KILL_AT' } })
}
