import type { Awaitable } from '../../time.js'
import { checkRepeated } from '../ending.js'
import { accountOf, type Held } from '../memory-books.js'
import { reservationIn } from '../memory-reservations.js'
import { grantOf } from '../memory-store.js'
import type * as store from '../store.js'
import { giveAllBack, isRefusal } from './desk.js'
import { reserveMixed } from './mixed.js'
import { enter, grantHere, haveCredits, type Room, sharesFor, sharesIn, whenKnown, whenLeased } from './room.js'
import { asSeenHere, type Share } from './share.js'

/** See `BudgetStore.reserve`. */
export function reserve(room: Room, request: store.ReserveRequest): Awaitable<store.Grant> {
  const { id, now, phase } = request
  const sliced = request.pools.filter(({ name }) => room.isSliced(name))
  const first = reservationIn(room.books.reservations, id)
  if (first !== undefined) return repeated(room, first, request, sliced)
  if (phase !== 'sent' || sliced.length === 0 || room.held.has(id)) return reserveThere(room, request, sliced)
  const twin = room.arriving.get(id)
  if (twin !== undefined) return twin.then(() => reserve(room, request))
  const find = () => sharesFor(room, sliced, now)
  const isWhole = sliced.length === request.pools.length
  if (isWhole && sliced.every(({ name, terms }) => terms !== null || room.books.overrides.has(name))) {
    const shares = find()
    const granted = haveCredits(shares) ? null : grantHere(room, shares, request)
    if (granted !== null) return enter(room, request, granted, shares)
  }
  return arriving(room, id, reserveLeasing(room, request, sliced, find))
}

async function reserveLeasing(
  room: Room,
  request: store.ReserveRequest,
  sliced: readonly store.PoolAsk[],
  find: () => readonly Share[],
): Promise<store.Grant> {
  const shares = await whenKnown(room, find)
  try {
    if (haveCredits(shares)) return await reserveThere(room, request, sliced)
    if (sliced.length < request.pools.length)
      return await reserveMixed(room, request, sliced, without(request.pools, sliced))
    return await whenLeased(room, find, request, (granted, leased) => enter(room, request, granted, leased))
  } catch (error) {
    // A pool may have got its first credit meanwhile: whoever is refused has had the store asked how it stands.
    if (haveCredits(shares) || !isRefusal(error) || !haveCredits(find())) throw error
    return reserveThere(room, request, sliced)
  }
}

/** In the store alone. What this process has leased of these pools and does not need is given back before it refuses. */
async function reserveThere(
  room: Room,
  request: store.ReserveRequest,
  sliced: readonly store.PoolAsk[],
): Promise<store.Grant> {
  const { desk } = room
  if (sliced.length === 0) return desk.store.reserve(request)
  if (request.phase === 'sent') room.held.set(request.id, true)
  try {
    return withPools(room, await desk.store.reserve(request))
  } catch (error) {
    if (!isRefusal(error)) throw error
    const leased = sliced.flatMap(({ name }) => sharesIn(room, name))
    if (leased.every(({ leases }) => leases.length === 0)) throw error
    await giveAllBack(desk, leased)
    return withPools(room, await desk.store.reserve(request))
  }
}

/** An answer of the store, with the pools as they are seen here. */
export function withPools<Answer extends { readonly pools: readonly store.PoolState[] }>(
  room: Room,
  answer: Answer,
): Answer {
  return room.shares.size === 0 ? answer : { ...answer, pools: answer.pools.map((state) => seenHere(room, state)) }
}

export function seenHere({ books, shares }: Room, state: store.PoolState): store.PoolState {
  const pool = books.pools.get(state.name)
  const account = pool === undefined ? undefined : accountOf(pool, state.windowStart)
  const share = account === undefined ? undefined : shares.get(account)
  return share === undefined ? state : asSeenHere(share, state)
}

/** Whoever comes with the same id meanwhile waits for what becomes of the first. */
function arriving(room: Room, id: string, granting: Promise<store.Grant>): Promise<store.Grant> {
  const done = granting
    .then(
      () => {},
      () => {},
    )
    .finally(() => room.arriving.delete(id))
  room.arriving.set(id, done)
  return granting
}

function without(pools: readonly store.PoolAsk[], sliced: readonly store.PoolAsk[]): store.PoolAsk[] {
  return pools.filter((pool) => !sliced.includes(pool))
}

function repeated(
  room: Room,
  first: Held,
  request: store.ReserveRequest,
  sliced: readonly store.PoolAsk[],
): Awaitable<store.Grant> {
  const { isMixed } = first
  const pools = isMixed ? sliced : request.pools
  checkRepeated({ ...first, pools: first.accounts.map(({ name }) => name) }, { ...request, pools })
  const here = grantOf(first, first.outputTokens, [], room.desk.clock())
  if (!isMixed) return here
  const again = async () => room.desk.store.reserve({ ...request, pools: without(request.pools, sliced) })
  return again().then((grant) => ({ ...grant, pools: [...here.pools, ...grant.pools] }))
}
