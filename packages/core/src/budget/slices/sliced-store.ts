import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { type Amount, minus } from '../../amount.js'
import type { UsageStore } from '../../cost/store.js'
import { compileGlob } from '../../glob.js'
import type { Awaitable, Clock } from '../../time.js'
import { emptyBooks, type Held, openIn, reservationOf } from '../memory-books.js'
import { reservationIn } from '../memory-reservations.js'
import { memoryLedger } from '../memory-store.js'
import type * as store from '../store.js'
import type { PoolTerms } from '../terms.js'
import { beat, close, expire, noteExpired } from './clockwork.js'
import { type Desk, giveAllBack } from './desk.js'
import { endMixed, extendMixed } from './mixed.js'
import { reserve, seenHere, withPools } from './reserving.js'
import { afterEnd, doubt, grantHere, type Room, sharesIn, sharesOf, whenLeased } from './room.js'
import { withoutRecords } from './without-records.js'

/** Which pools are sliced, and what the slices live by. */
export interface SliceOptions extends store.ExpirePolicy {
  /** Where the pools are, shared by all processes. */
  readonly store: store.BudgetStore
  /** Where costs are read: a store of budgets that `persists` usage there keeps lost calls itself. */
  readonly usage?: UsageStore | undefined
  /** Patterns of the pools that are sliced; all others stay in the store. */
  readonly pools: readonly string[]
  readonly clock: Clock
  /** How long a slice outlives its process, ms; `beat` has to be called about three times in it. */
  readonly leaseMs: number
  /** Makes ids that no process ever makes again. */
  readonly ids: () => string
  /** Told of each charge of a slice that is in the store: its pools may have crossed a threshold with it. */
  readonly booked?: (settlement: store.Settlement, charged: Amount) => void
  /** Told of what goes wrong where no caller waits for it. */
  readonly failed?: (error: unknown, what: string) => void
}

/** A ledger whose hot pools are granted from memory, and its clockwork. */
export interface Slices {
  readonly budgets: store.BudgetStore
  /** Keeps the slices alive, charges what was used, gives back what nobody needs. Every process, every third of the lease. */
  beat(): Promise<void>
  /** Charges all that was used and gives all slices back but for calls that are still open: their lease is charged. */
  close(): Promise<void>
}

/** Calls that have ended and are remembered, so that a repeated settle finds its answer. */
const REMEMBERED_CALLS = 10_000
/** Pool names remembered as sliced or not. */
const REMEMBERED_POOLS = 10_000

/**
 * Budgets over a store of any kind. In pools that match, this process leases slices and grants calls from them in memory,
 * exactly: what slices hold and have been charged is never less than what their calls hold and have used.
 *
 * Held in the store as ever are pools that do not match, and reservations of phase `reserved`, which any process may end.
 * What is given up is said in docs/budgets.md.
 */
export function slicedBudgets(options: SliceOptions): Slices {
  const room = roomOf(options)
  const there = room.desk.store
  return {
    budgets: {
      reserve: (request) => reserve(room, request),
      extend: (id, ask) => extend(room, id, ask),
      renew: (running, leaseMs) => renew(room, running, leaseMs),
      settle: (id, actual) =>
        end(
          room,
          id,
          () => there.settle(id, actual),
          () => room.ledger.settle(id, actual),
        ),
      release: (id) =>
        end(
          room,
          id,
          () => there.release(id),
          () => room.ledger.release(id),
        ),
      expire: (policy) => expire(room, policy),
      read: (pools, now) => seen(room, () => there.read(pools, now)),
      list: (filter) => seen(room, () => there.list(filter)),
      credit: (pool, given, now) => credit(room, pool, given, now),
      refund: (given) => there.refund(given),
      entries: (pool, page) => there.entries(pool, page),
      find: (query) => find(room, query),
      define: (pool, terms) => define(room, pool, terms),
      freeze: (pool, frozen) => freeze(room, pool, frozen),
      overrides: () => mirrored(room),
      forget: (pool) => forget(room, pool),
      ...(there.join !== undefined && { join: there.join }),
      ...(there.check !== undefined && { check: there.check }),
    },
    beat: () => beat(room),
    close: () => close(room),
  }
}

function roomOf({ store: given, usage, pools, clock, leaseMs, onExpire, ids, booked, failed }: SliceOptions): Room {
  const books = emptyBooks(REMEMBERED_CALLS, 0)
  const globs = pools.map(compileGlob)
  const known = new LRUCache<string, boolean>({ max: REMEMBERED_POOLS })
  const name = `slice:${ids()}`
  let leases = 0
  const shares: Room['shares'] = new Map()
  const desk: Desk = {
    store: withoutRecords(given, usage, (expired) => noteExpired(room, expired)),
    clock,
    leaseMs,
    onExpire,
    nextId: () => `${name}:${++leases}`,
    syncOverrides: async () => void (await mirrored(room)),
    booked: booked ?? (() => {}),
    failed: failed ?? (() => {}),
    untold: [],
  }
  const room: Room = {
    books,
    ledger: memoryLedger(books, clock),
    shares,
    held: new LRUCache({ max: REMEMBERED_CALLS }),
    arriving: new Map(),
    desk,
    isSliced(pool) {
      let found = known.get(pool)
      if (found === undefined) {
        found = globs.some((glob) => glob.test(pool))
        known.set(pool, found)
      }
      return found
    },
  }
  return room
}

function inOrder<T>(answer: Awaitable<T>, then: (answer: T) => T): Awaitable<T> {
  return answer instanceof Promise ? answer.then(then) : then(answer)
}

function extend(room: Room, id: string, ask: store.Ask): Awaitable<store.Grant> {
  const held = openIn(room.books, id)
  if (held === undefined) return inOrder(room.desk.store.extend(id, ask), (grant) => withPools(room, grant))
  if (held.isMixed) return extendMixed(room, held, ask)
  const shares = sharesOf(room, held)
  const asked = { ask, now: room.desk.clock() }
  if (grantHere(room, shares, asked) !== null) return room.ledger.extend(id, ask)
  return whenLeased(
    room,
    () => shares,
    asked,
    () => room.ledger.extend(id, ask),
  )
}

function renew(
  { books, ledger, desk }: Room,
  running: readonly { id: string; counted: Amount }[],
  leaseMs: number,
): Awaitable<string[]> {
  const here = running.filter(({ id }) => openIn(books, id) !== undefined)
  ledger.renew(here, leaseMs)
  const there = running.filter(({ id }) => {
    const held = openIn(books, id)
    return held === undefined || held.isMixed
  })
  return there.length === 0 ? [] : desk.store.renew(there, leaseMs)
}

function end(
  room: Room,
  id: string,
  there: () => Awaitable<store.Settlement>,
  here: () => store.Settlement,
): Awaitable<store.Settlement> {
  const held = reservationIn(room.books.reservations, id)
  if (held === undefined) return inOrder(there(), (settlement) => withPools(room, settlement))
  if (held.isMixed) return endMixed(room, held, there, () => settled(room, held, here))
  const shares = sharesOf(room, held)
  const settlement: store.Settlement = { ...settled(room, held, here), booked: NONE }
  const covering = afterEnd(room, shares)
  return covering === undefined ? settlement : covering.then(() => settlement)
}

/** A correction leaves no doubt. */
function settled(room: Room, held: Held, here: () => store.Settlement): store.Settlement {
  const settlement = here()
  if (settlement.outcome === 'corrected' && !settlement.repeated) doubt(room, held, minus)
  return settlement
}

const NONE: readonly store.PoolState[] = []

/** States of the store, with what runs here in place of what is leased for it. */
async function seen(room: Room, ask: () => Awaitable<store.PoolState[]>): Promise<store.PoolState[]> {
  await Promise.all([...room.shares.values()].map(({ turn }) => turn))
  return (await ask()).map((state) => seenHere(room, state))
}

async function find(
  { books, desk }: Room,
  query: Parameters<store.BudgetStore['find']>[0],
): Promise<store.Reservation | null> {
  const held = 'id' in query ? reservationIn(books.reservations, query.id) : undefined
  if (held === undefined) return desk.store.find(query)
  const here = reservationOf(held)
  const there = held.isMixed ? await desk.store.find(query) : null
  return there === null ? here : { ...there, holds: [...here.holds, ...there.holds] }
}

/** From here on calls in it are the store's to hold, until a look tells that its credits are spent. */
async function credit(room: Room, ask: store.PoolAsk, given: store.NewCredit, now: number): Promise<store.Credited> {
  const credited = await room.desk.store.credit(ask, given, now)
  for (const share of sharesIn(room, ask.name)) share.hasCredits = true
  return { ...credited, pool: seenHere(room, credited.pool) }
}

async function define({ desk, ledger, isSliced }: Room, pool: string, terms: PoolTerms | null): Promise<void> {
  await desk.store.define(pool, terms)
  if (isSliced(pool)) ledger.define(pool, terms)
}

async function freeze(
  { desk, ledger, isSliced }: Room,
  pool: store.PoolAsk,
  frozen: boolean,
): Promise<PoolTerms | null> {
  const terms = await desk.store.freeze(pool, frozen)
  if (isSliced(pool.name)) ledger.define(pool.name, terms)
  return terms
}

/** What is leased of it and not needed goes back first; what still runs keeps the pool from being gone. */
async function forget(room: Room, pool: string): Promise<boolean> {
  const { desk, ledger, shares, isSliced } = room
  if (!isSliced(pool)) return desk.store.forget(pool)
  ledger.define(pool, null)
  await giveAllBack(desk, sharesIn(room, pool))
  const isGone = await desk.store.forget(pool)
  if (!isGone) return false
  for (const { account } of sharesIn(room, pool)) shares.delete(account)
  return ledger.forget(pool)
}

/** The overrides of the store, which count here from now on. */
async function mirrored({ desk, books, ledger, isSliced }: Room) {
  const found = await desk.store.overrides()
  const names = new Set(found.map(({ name }) => name))
  for (const name of books.overrides.keys()) if (!names.has(name)) ledger.define(name, null)
  for (const { name, terms } of found) {
    if (isSliced(name) && !isDeepStrictEqual(terms, books.overrides.get(name))) ledger.define(name, terms)
  }
  return found
}
