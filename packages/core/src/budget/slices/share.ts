import { type Amount, larger, minus, nothing, plus, sameAmount } from '../../amount.js'
import type { Account } from '../memory-account.js'
import type { PoolAsk, PoolState } from '../store.js'
import { windowAt } from '../window.js'

const UNITS = ['tokens', 'nanoUsd'] as const

/** A reservation of this process in the store, from which calls are granted. */
export interface Lease {
  readonly id: string
  size: Amount
  /** It outlived its lease and was charged in full, which still covers what is granted from it. */
  isExpired: boolean
}

/** A lease that covers nothing any more, and what it is charged. */
export interface EndedLease extends Lease {
  readonly charged: Amount
}

/**
 * What a process has of one pool in one window.
 *
 * All that its calls have used and hold is covered by its leases at any moment, so whatever becomes of the process, the
 * store has held or charged at least as much.
 */
export interface Share {
  /** As the host said it last. */
  ask: PoolAsk
  /** The pool as it would stand without slices: what others have, and what the calls of this process use and hold. */
  readonly account: Account
  /** The part of `account` that is in the store beside the leases. */
  readonly others: { used: Amount; held: Amount }
  /** Oldest first. */
  readonly leases: Lease[]
  /** Sum of the leases. */
  size: Amount
  /** Charges that are decided and still to be written. */
  readonly ended: EndedLease[]
  /** Charged to calls that outlived their lease here and may still say what they have used: not charged in the store yet. */
  doubtful: Amount
  /** The store has been asked how the pool stands. */
  isKnown: boolean
  /** It had credits then, or has spent some in this window: what pays for what is decided in the store, call by call. */
  hasCredits: boolean
  /** How many calls the next slice shall do for. */
  calls: number
  leasedAt: number
  /** Room below which the next slice is fetched before somebody has to wait for it. */
  low: Amount
  isFetching: boolean
  /** Something was granted since the last heartbeat. */
  isActive: boolean
  /** Who is at it and counts on finding it again. */
  users: number
  /** Leases that were there at the last heartbeat. */
  seasoned: number
  /** What is under way between this share and the store: one thing at a time. */
  turn: Promise<unknown>
  /** A look at the store that has not begun yet: whoever wants one waits for that. */
  look: Promise<void> | null
}

/** Calls that the first slice of a pool does for; each that is gone within a second is followed by one twice as large. */
const FIRST_CALLS = 8
const MOST_CALLS = 4_096
const SHORT_MS = 1_000
const LONG_MS = 4_000
/** A slice is at most a sixteenth of what is left, so that those of many processes together leave something. */
const SHARE_OF_REST = 16
/** Stands for the cap of a unit that has none, so that sums stay exact. */
const LARGEST_CAP = 2 ** 52

/** An account from which nothing was granted here yet. */
export function newShare(account: Account, ask: PoolAsk): Share {
  return {
    ask,
    account,
    others: { used: account.used, held: account.held },
    leases: [],
    size: nothing,
    ended: [],
    doubtful: nothing,
    isKnown: false,
    hasCredits: false,
    calls: FIRST_CALLS,
    leasedAt: Number.NEGATIVE_INFINITY,
    low: nothing,
    isFetching: false,
    isActive: false,
    users: 0,
    seasoned: 0,
    turn: Promise.resolve(),
    look: null,
  }
}

/** What calls of this process have used that is not charged in the store yet. */
function usedHere({ account, others }: Share): Amount {
  return minus(account.used, others.used)
}

/** What calls of this process hold. */
function openHere({ account, others }: Share): Amount {
  return minus(account.held, others.held)
}

/** What may still be used of it: what calls hold, and what is in doubt. */
export function unsettledHere(share: Share): Amount {
  return plus(openHere(share), share.doubtful)
}

/** Whether the leases cover so much more. */
export function hasRoom(share: Share, amount: Amount): boolean {
  return roomOf(share, 'tokens') >= amount.tokens && roomOf(share, 'nanoUsd') >= amount.nanoUsd
}

/** Without objects, since every call asks. Negative where more was used than was held. */
function roomOf({ size, account, others }: Share, unit: keyof Amount): number {
  return size[unit] - (account.used[unit] - others.used[unit]) - (account.held[unit] - others.held[unit])
}

/** What the leases lack to cover so much more. */
export function lackOf(share: Share, amount: Amount): Amount {
  const lack = (unit: keyof Amount) => Math.max(0, amount[unit] - roomOf(share, unit))
  return { tokens: lack('tokens'), nanoUsd: lack('nanoUsd') }
}

export function isLow(share: Share): boolean {
  return roomOf(share, 'tokens') < share.low.tokens || roomOf(share, 'nanoUsd') < share.low.nanoUsd
}

/**
 * What is leased beside what a call lacks: as much as the calls of about a second need, judged by this one and by how long
 * the last slice was enough, and at most a sixteenth of what the pool has left.
 */
export function sliceFor(share: Share, amount: Amount, now: number): Amount {
  const lastedMs = now - share.leasedAt
  if (lastedMs < SHORT_MS) share.calls = Math.min(2 * share.calls, MOST_CALLS)
  else if (lastedMs > LONG_MS) share.calls = Math.max(FIRST_CALLS, share.calls >> 1)
  const { terms, used, held } = share.account
  let { calls } = share
  for (const unit of UNITS) {
    const cap = terms.capacity[unit] ?? LARGEST_CAP
    if (amount[unit] === 0) continue
    calls = Math.min(calls, Math.floor((cap - used[unit] - held[unit]) / SHARE_OF_REST / amount[unit]))
  }
  return calls < 1 ? nothing : { tokens: amount.tokens * calls, nanoUsd: amount.nanoUsd * calls }
}

/** Whether the store would hold in this window if it were asked now: not where the pool's windows are others since. */
export function isReachable({ account }: Share): boolean {
  return windowAt(account.terms, account.windowStart).start === account.windowStart
}

/** Takes note of a lease that the store has granted or extended, and of how the pool stands there now. */
export function addLease(share: Share, lease: Lease, state: PoolState, now: number): void {
  if (!share.leases.includes(lease)) share.leases.push(lease)
  share.size = share.leases.reduce((sum, { size }) => plus(sum, size), nothing)
  share.leasedAt = now
  see(share, state)
}

/** How the pool stands in the store: nothing may be under way between the two, else it would count twice or not at all. */
export function see(share: Share, state: PoolState): void {
  const { account, others } = share
  const [used, open, ours] = [usedHere(share), openHere(share), oursIn(share)]
  others.used = minus(state.used, ours.used)
  others.held = minus(state.held, ours.held)
  account.used = plus(others.used, used)
  account.held = plus(others.held, open)
  account.drawn = state.drawn
  share.hasCredits = state.credits.length > 0 || state.drawn.tokens > 0 || state.drawn.nanoUsd > 0
  share.isKnown = true
}

/** A state of the store as it reads with the calls of this process in place of its leases. */
export function asSeenHere(share: Share, state: PoolState): PoolState {
  const ours = oursIn(share)
  return {
    ...state,
    used: plus(minus(state.used, ours.used), usedHere(share)),
    held: plus(minus(state.held, ours.held), openHere(share)),
  }
}

/** What the store's figures have of this share. A charge that is still to be written is taken as done. */
function oursIn({ leases, ended }: Share): { used: Amount; held: Amount } {
  const ours = { used: nothing, held: nothing }
  for (const { size, isExpired } of leases) {
    if (isExpired) ours.used = plus(ours.used, size)
    else ours.held = plus(ours.held, size)
  }
  for (const { size, isExpired, charged } of ended) {
    ours.used = plus(minus(ours.used, charged), isExpired ? size : nothing)
    if (!isExpired) ours.held = plus(ours.held, size)
  }
  return ours
}

/**
 * Ends leases, oldest first, each charged what of its size was used: those that are used up; or all that are not needed
 * to cover what is open (`spare`). The last one goes only where nothing is open, and with it the whole truth, also what
 * exceeds its size.
 */
export function endLeases(share: Share, which: 'used up' | 'spare'): void {
  const open = unsettledHere(share)
  const isIdle = open.tokens === 0 && open.nanoUsd === 0
  while (share.leases.length > 0) {
    const [oldest] = share.leases as [Lease]
    const isLast = share.leases.length === 1
    const used = minus(usedHere(share), share.doubtful)
    // Below zero after a correction: a charge that is written already is made up for by the next ones.
    const charged = larger(nothing, isLast ? used : smaller(used, oldest.size))
    const rest = minus(share.size, oldest.size)
    const uncovered = minus(plus(minus(used, charged), open), rest)
    if (which === 'used up' || !isIdle) {
      if (isLast || uncovered.tokens > 0 || uncovered.nanoUsd > 0) return
      if (which === 'used up' && UNITS.every((unit) => charged[unit] < oldest.size[unit])) return
    }
    share.leases.shift()
    share.seasoned = Math.max(0, share.seasoned - 1)
    share.size = rest
    charge(share, { ...oldest, charged })
  }
}

/** Whether the leases cover what is open and nothing else. */
export function isExact(share: Share): boolean {
  return sameAmount(usedHere(share), share.doubtful) && sameAmount(unsettledHere(share), share.size)
}

/** Nothing of it is in the store, and nobody is about to use it. */
export function isDone(share: Share): boolean {
  const { leases, ended, users, isActive, account } = share
  const used = usedHere(share)
  if (leases.length > 0 || ended.length > 0 || used.tokens > 0 || used.nanoUsd > 0) return false
  return users === 0 && !isActive && account.pool.open === null
}

/** From here on it counts as charged in the store. */
export function charge(share: Share, lease: EndedLease): void {
  share.ended.push(lease)
  share.others.used = plus(share.others.used, lease.charged)
}

function smaller(a: Amount, b: Amount): Amount {
  return minus(plus(a, b), larger(a, b))
}
