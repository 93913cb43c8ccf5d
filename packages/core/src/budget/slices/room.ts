import type { LRUCache } from 'lru-cache'
import { type Amount, nothing, plus } from '../../amount.js'
import { HooshError } from '../../errors.js'
import type { Awaitable } from '../../time.js'
import { budgetExceeded, decide, type Granted, type Refused } from '../grant.js'
import type { Account } from '../memory-account.js'
import {
  accountFor,
  accountsOf,
  type Books,
  enterAccount,
  enterHold,
  expiredOf,
  type Held,
  overdueIn,
} from '../memory-books.js'
import { after, born, expireOne, grantOf, type memoryLedger, withoutRepetition } from '../memory-store.js'
import type { Ask, ExpirePolicy, Grant, PoolAsk, ReserveRequest } from '../store.js'
import { book, cover, type Desk, fetch, inTurn, isRefusal, look, widen } from './desk.js'
import { endLeases, hasRoom, isLow, lackOf, newShare, type Share } from './share.js'

/** The sliced pools of a process, and the calls that are held in them. */
export interface Room {
  /** Accounts here stand as `Share.account` says. */
  readonly books: Books
  readonly ledger: ReturnType<typeof memoryLedger>
  readonly shares: Map<Account, Share>
  readonly desk: Desk
  /** Calls in sliced pools that the store holds, since these had credits: by id, the latest ones. */
  readonly held: LRUCache<string, true>
  /** Calls that are on their way to a hold, by id. */
  readonly arriving: Map<string, Promise<void>>
  isSliced(pool: string): boolean
}

/** What is asked of shares; `onExpire` where overdue holds of these pools end with it. */
interface Asked {
  readonly ask: Ask
  readonly now: number
  readonly onExpire?: ExpirePolicy['onExpire']
}

/** So often a pool may have less than it said a moment ago, since others were quicker; then its no stands. */
const MOST_REFUSALS = 3
/** A new window is known after one look, or two where an override of another process has made it. */
const MOST_LOOKS = 3
const NO_WINDOW = 'The store has another window of this pool than this process; do they share one time zone database?'

/** The shares of sliced pools, in the window that `now` is in; new ones know nothing of their pool yet. */
export function sharesFor(room: Room, pools: readonly PoolAsk[], now: number): Share[] {
  return withoutRepetition(pools).map((ask) => {
    const account = enterAccount(room.books, accountFor(room.books, ask, now), ask.terms)
    let share = room.shares.get(account)
    if (share === undefined) {
      // Where only an override says what the pool is, what runs is judged by that also when it is gone.
      share = newShare(account, ask.terms === null ? { name: ask.name, terms: account.terms } : ask)
      room.shares.set(account, share)
    }
    if (ask.terms !== null) share.ask = ask
    return share
  })
}

/** What this process has of a pool, in whatever windows. */
export function sharesIn({ books, shares }: Room, pool: string): Share[] {
  const known = books.pools.get(pool)
  return known === undefined ? [] : accountsOf(known).flatMap((account) => shares.get(account) ?? [])
}

/** The shares of a hold. */
export function sharesOf(room: Room, { accounts }: Held): Share[] {
  return accounts.map((account) => {
    let share = room.shares.get(account)
    if (share === undefined) {
      share = newShare(account, { name: account.name, terms: account.terms })
      room.shares.set(account, share)
    }
    return share
  })
}

/** Whether calls in these are for the store to hold. */
export function haveCredits(shares: readonly Share[]): boolean {
  for (const { hasCredits } of shares) if (hasCredits) return true
  return false
}

/** The shares, once the store has been asked about those that know nothing of their pool yet. */
export async function whenKnown({ desk }: Room, find: () => readonly Share[]): Promise<readonly Share[]> {
  const shares = await found(desk, find)
  await lookAt(desk, blindOf(shares))
  return shares
}

function blindOf(shares: readonly Share[]): Share[] {
  return shares.filter(({ isKnown }) => !isKnown)
}

async function lookAt(desk: Desk, shares: readonly Share[]): Promise<void> {
  await Promise.all(shares.map((share) => look(desk, share)))
}

/** What an ask gets where nobody has to be asked for it; null where the store has to be. */
export function grantHere(room: Room, shares: readonly Share[], asked: Asked): Granted | null {
  for (const { isKnown } of shares) if (!isKnown) return null
  const decision = decideHere(room, shares, asked)
  return decision.granted && isCovered(shares, decision.amount) ? decision : null
}

function isCovered(shares: readonly Share[], amount: Amount): boolean {
  for (const share of shares) if (!hasRoom(share, amount)) return false
  for (const share of shares) share.isActive = true
  return true
}

const accountOf = ({ account }: Share): Account => account

/** Calls of this process that are overdue end with a grant, as in any ledger; the next answer tells of them. */
function decideHere(room: Room, shares: readonly Share[], { ask, onExpire }: Asked): Granted | Refused {
  const { books, desk } = room
  const at = desk.clock()
  const accounts = shares.map(accountOf)
  if (onExpire === undefined) return decide(ask, accounts)
  const overdue = overdueIn(accounts, at).filter(({ isMixed }) => !isMixed)
  if (overdue.length === 0) return decide(ask, accounts)
  const decision = decide(ask, after(accounts, overdue, onExpire, at))
  if (!decision.granted) return decision
  for (const late of overdue) {
    expireOne(books, late, onExpire, at)
    doubt(room, late, plus)
  }
  desk.untold.push(...overdue.map(expiredOf))
  return decision
}

/** Puts what an expired call was charged in doubt, or takes it out: it lives in this process and may say the truth yet. */
export function doubt(room: Room, held: Held, how: (a: Amount, b: Amount) => Amount): void {
  for (const share of sharesOf(room, held)) share.doubtful = how(share.doubtful, held.charged)
}

/**
 * Leases what an ask needs, and tells what it gets as soon as all its shares have room for that: `then` has to take it
 * before anything else happens. Nobody is refused before the store was asked how his pools stand now.
 */
export async function whenLeased<T>(
  room: Room,
  find: () => readonly Share[],
  asked: Asked,
  then: (granted: Granted, shares: readonly Share[]) => T,
): Promise<T> {
  const trying: Trying = { isFresh: false, refusals: 0, looks: 0 }
  for (;;) {
    const shares = await found(room.desk, find)
    for (const share of shares) share.users += 1
    try {
      const granted = await oneTry(room, shares, asked, trying)
      if (granted !== null && isCovered(shares, granted.amount)) return then(granted, shares)
    } finally {
      for (const share of shares) share.users -= 1
    }
  }
}

/** What has been tried for a call. */
interface Trying {
  /** The store has just said how the pools stand. */
  isFresh: boolean
  refusals: number
  looks: number
}

/** One step towards a grant: what is to be had if its shares are covered, null where it is to be decided again. */
async function oneTry(room: Room, shares: readonly Share[], asked: Asked, trying: Trying): Promise<Granted | null> {
  const { desk } = room
  const blind = blindOf(shares)
  if (blind.length > 0) {
    trying.looks += 1
    if (trying.looks > MOST_LOOKS) throw new HooshError('store_unavailable', { message: NO_WINDOW })
    await lookAt(desk, blind)
    return null
  }
  const decision = decideHere(room, shares, asked)
  if (decision.granted) {
    if (isCovered(shares, decision.amount)) return decision
    const refusal = await widenAll(desk, shares, decision.amount)
    trying.isFresh = false
    if (refusal === null) return null
    trying.refusals += 1
    if (trying.refusals === MOST_REFUSALS) throw refusal
  } else if (trying.isFresh) throw budgetExceeded(decision, asked.now)
  // It had less than was thought here, or may have more.
  await lookAt(desk, shares)
  trying.isFresh = true
  return null
}

/** A name that neither the host nor an override known here explains may have one in the store. */
async function found(desk: Desk, find: () => readonly Share[]): Promise<readonly Share[]> {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof HooshError) || error.code !== 'unknown_pool') throw error
    await desk.syncOverrides()
    return find()
  }
}

/** What a pool said that has less than was thought here; null where all have been widened. */
async function widenAll(desk: Desk, shares: readonly Share[], amount: Amount): Promise<HooshError | null> {
  for (const share of shares) {
    try {
      await inTurn(share, () => widen(desk, share, amount))
    } catch (error) {
      if (isRefusal(error)) return error
      throw error
    }
  }
  return null
}

/** Enters a hold whose room is certain. */
export function enter(room: Room, request: ReserveRequest, granted: Granted, shares: readonly Share[]): Grant {
  const at = room.desk.clock()
  // What credits pay for is drawn with the lease, in the store.
  const held = born(request, granted, shares.map(accountOf), null, at + request.leaseMs)
  enterHold(room.books, held)
  for (const share of shares) if (!share.isFetching && isLow(share)) fetchAhead(room.desk, share, granted.amount)
  const grant = grantOf(held, granted.outputTokens, [], at)
  return room.desk.untold.length === 0 ? grant : { ...grant, expired: room.desk.untold.splice(0) }
}

function fetchAhead(desk: Desk, share: Share, amount: Amount): void {
  share.isFetching = true
  const fetching = inTurn(share, () => fetch(desk, share, amount))
  fetching
    .catch((error) => {
      // Whoever needs it asks again, and is told.
      share.low = nothing
      if (!isRefusal(error)) desk.failed(error, 'the next slice could not be fetched')
    })
    .finally(() => {
      share.isFetching = false
    })
}

/** After a hold has ended: leases that are used up are charged, and what exceeds all of them is covered, which is waited for. */
export function afterEnd({ desk }: Room, shares: readonly Share[]): Awaitable<void> {
  let covering: Promise<void>[] | undefined
  for (const share of shares) {
    const lack = lackOf(share, nothing)
    if (lack.tokens > 0 || lack.nanoUsd > 0) {
      covering ??= []
      covering.push(inTurn(share, () => cover(desk, share)))
    } else if (share.leases.length > 1) {
      const before = share.ended.length
      endLeases(share, 'used up')
      if (share.ended.length > before) bookBehind(desk, share)
    }
  }
  return covering === undefined ? undefined : Promise.all(covering).then(() => {})
}

function bookBehind(desk: Desk, share: Share): void {
  inTurn(share, () => book(desk, share)).catch((error) =>
    desk.failed(error, 'a slice is settled with the next heartbeat'),
  )
}
