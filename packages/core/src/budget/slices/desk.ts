import { isDeepStrictEqual } from 'node:util'
import { type Amount, minus, nothing, plus } from '../../amount.js'
import { HooshError } from '../../errors.js'
import type { Clock } from '../../time.js'
import type { Ask, BudgetStore, ExpiredReservation, ExpirePolicy, Settlement } from '../store.js'
import {
  addLease,
  charge,
  endLeases,
  isExact,
  isReachable,
  lackOf,
  type Share,
  see,
  sliceFor,
  unsettledHere,
} from './share.js'

/** Owner of the leases in the store; they are born `sent`, so nobody can name one over the wire. */
const OWNER = 'slices'

/** Between the shares of a process and the store that they are leased from. */
export interface Desk extends ExpirePolicy {
  readonly store: BudgetStore
  readonly clock: Clock
  readonly leaseMs: number
  /** Never the same, in any process. */
  nextId(): string
  /** Takes over the overrides as the store has them now. */
  syncOverrides(): Promise<void>
  /** Told of each charge that is in the store. */
  booked(settlement: Settlement, charged: Amount): void
  /** Told of what goes wrong where no caller waits for it. */
  failed(error: unknown, what: string): void
  /** Overdue holds that a lease has ended, for the next sweep to tell of. */
  readonly untold: ExpiredReservation[]
}

/** One thing at a time between a share and the store: two figures of different moments cannot be told apart. */
export function inTurn<T>(share: Share, step: () => Promise<T>): Promise<T> {
  share.users += 1
  const mine = share.turn.then(step).finally(() => {
    share.users -= 1
  })
  share.turn = mine.catch(() => {})
  return mine
}

/**
 * Leases what `amount` lacks; where the pool has plenty, a slice beside it.
 *
 * @throws HooshError `budget_exceeded`, `pool_frozen`, `store_unavailable`
 */
export async function widen(desk: Desk, share: Share, amount: Amount): Promise<void> {
  await book(desk, share)
  const lack = lackOf(share, amount)
  if (lack.tokens === 0 && lack.nanoUsd === 0) return
  await lease(desk, share, lack, sliceFor(share, amount, desk.clock()))
}

/** Leases the next slice although what is there would still do. */
export async function fetch(desk: Desk, share: Share, amount: Amount): Promise<void> {
  await book(desk, share)
  const slice = sliceFor(share, amount, desk.clock())
  if (slice.tokens > 0 || slice.nanoUsd > 0) await lease(desk, share, nothing, slice)
}

async function lease(desk: Desk, share: Share, least: Amount, slice: Amount): Promise<void> {
  const ask = { ...exactly(least), plenty: plus(least, slice) }
  const known = isReachable(share) ? undefined : share.leases.at(-1)
  const { id } = known ?? { id: desk.nextId() }
  const grant = known === undefined ? await reserve(desk, share, id, ask) : await desk.store.extend(id, ask)
  const [state] = grant.pools
  if (state === undefined || state.windowStart !== share.account.windowStart) {
    // An override of another process has divided the pool into other windows.
    await desk.store.release(id)
    return desk.syncOverrides()
  }
  const before = share.size
  const leased = known ?? { id, size: nothing, isExpired: false }
  leased.size = grant.held
  addLease(share, leased, state, desk.clock())
  const more = minus(share.size, before)
  const isSlice = more.tokens > least.tokens || more.nanoUsd > least.nanoUsd
  share.low = isSlice ? { tokens: Math.floor(more.tokens / 4), nanoUsd: Math.floor(more.nanoUsd / 4) } : nothing
  if (!isDeepStrictEqual(state.terms, share.account.terms)) await desk.syncOverrides()
}

/** The start of the window stands for any moment of it, also after it has ended. */
async function reserve(desk: Desk, share: Share, id: string, ask: Ask) {
  const { store, leaseMs, onExpire } = desk
  const { windowStart: now } = share.account
  try {
    const request = { id, owner: OWNER, phase: 'sent', pools: [share.ask], ask, leaseMs, now, onExpire } as const
    const grant = await store.reserve(request)
    desk.untold.push(...grant.expired)
    return grant
  } catch (error) {
    // It may have been granted all the same: then it is to be given back.
    if (isAway(error)) charge(share, { id, size: nothing, isExpired: false, charged: nothing })
    throw error
  }
}

/** Writes the charges that are decided, each until the store has it. */
export async function book(desk: Desk, share: Share): Promise<void> {
  while (share.ended.length > 0) {
    const { id, charged } = share.ended[0]!
    let settlement: Settlement | undefined
    try {
      settlement = await desk.store.settle(id, charged)
    } catch (error) {
      if (isAway(error)) throw error
      // A lease whose grant was never heard of is not there; whatever else is refused would be so for ever.
      if (charged.tokens > 0 || charged.nanoUsd > 0) desk.failed(error, 'a slice could not be settled')
    }
    share.ended.shift()
    if (settlement === undefined) continue
    if (settlement.pools[0] !== undefined) see(share, settlement.pools[0])
    desk.booked(settlement, charged)
  }
}

/** Asks the store how the pool stands. Those that come before the question is put share the answer. */
export function look(desk: Desk, share: Share): Promise<void> {
  share.look ??= inTurn(share, async () => {
    share.look = null
    await book(desk, share)
    const [state] = await desk.store.read([share.ask], share.account.windowStart)
    if (state === undefined || state.windowStart !== share.account.windowStart) return desk.syncOverrides()
    see(share, state)
    if (!isDeepStrictEqual(state.terms, share.account.terms)) await desk.syncOverrides()
  })
  return share.look
}

/**
 * Covers what calls have used beyond their holds: by a lease, or where the pool has nothing left by an overrun on record.
 * A pool that takes no hold at all, or no more in this window, is charged with the last lease.
 */
export async function cover(desk: Desk, share: Share): Promise<void> {
  try {
    await widen(desk, share, nothing)
  } catch (error) {
    if (!isRefusal(error)) throw error
    if (!isReachable(share)) return
    const charged = lackOf(share, nothing)
    const id = desk.nextId()
    try {
      await reserve(desk, share, id, exactly(nothing))
    } catch (refused) {
      if (isRefusal(refused)) return
      throw refused
    }
    charge(share, { id, size: nothing, isExpired: false, charged })
    await book(desk, share)
  }
}

/**
 * What a heartbeat does for a share: all that was used is charged, and nothing is kept that no call holds, unless it was
 * leased since the last one.
 */
export async function tidy(desk: Desk, share: Share): Promise<void> {
  const isFresh = share.seasoned === 0 && share.isActive
  if (isFresh) await book(desk, share)
  else await giveBack(desk, share)
  share.seasoned = share.leases.length
  share.isActive = false
}

/** Charges all that was used and keeps what calls hold. What runs is leased anew, so that the leases before it can end. */
async function giveBack(desk: Desk, share: Share): Promise<void> {
  await cover(desk, share)
  const open = unsettledHere(share)
  const isOpen = open.tokens > 0 || open.nanoUsd > 0
  if (isOpen && !isExact(share) && isReachable(share)) await leaseAnew(desk, share, open)
  endLeases(share, 'spare')
  await book(desk, share)
}

/** The same for several. */
export async function giveAllBack(desk: Desk, shares: readonly Share[]): Promise<void> {
  await Promise.all(shares.map((share) => inTurn(share, () => giveBack(desk, share))))
}

async function leaseAnew(desk: Desk, share: Share, open: Amount): Promise<void> {
  try {
    await lease(desk, share, open, nothing)
  } catch (error) {
    // Where the pool has no room for both at once, the old ones stay.
    if (!isRefusal(error)) throw error
  }
}

/** Whether a pool has said no. */
export function isRefusal(error: unknown): error is HooshError {
  return error instanceof HooshError && (error.code === 'budget_exceeded' || error.code === 'pool_frozen')
}

function isAway(error: unknown): boolean {
  return !(error instanceof HooshError) || error.code === 'store_unavailable'
}

function exactly(fixed: Amount): Ask {
  return { fixed, each: nothing, floor: 0, wish: 0, atMost: 0 }
}
