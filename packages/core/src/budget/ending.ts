import { type Amount, larger, minus, nothing, plus, sameAmount, usdText } from '../amount.js'
import { HooshError } from '../errors.js'
import { wholeAmount } from './grant.js'
import type { Entry, ExpirePolicy, NewRefund, Reservation, ReserveRequest, Settlement } from './store.js'

/** How a reservation stands: what a store keeps of it beside its pools. Every amount is the same in each of its pools. */
export interface Standing {
  readonly id: string
  readonly state: Reservation['state']
  /** Held, or held when it ended. */
  readonly held: Amount
  /** Prompt and output known so far; see `countedBy`. */
  readonly counted: Amount
  /** What ended it charged; nothing while it is held. A correction leaves it as it was. */
  readonly charged: Amount
  /** What a settle or release said after an expiry; null until one did. */
  readonly corrected: Amount | null
  /** What was given back of it; nothing for nearly all. */
  readonly refunds: readonly Refund[]
}

/** A refund that was entered. */
export type Refund = Omit<NewRefund, 'reservation'>

/** Of a reservation that kept what it was charged: nearly all of them. */
export const NO_REFUNDS: readonly Refund[] = Object.freeze([])

/** One step's change to every pool of a reservation, and the entry that tells of it. */
export interface Ending {
  readonly kind: Entry['kind']
  readonly outcome: Settlement['outcome']
  /** Comes off `held`. */
  readonly freed: Amount
  /** Goes onto `used`; negative where a correction gives back. */
  readonly charged: Amount
  readonly overrun: Amount
  /** What a settle or release said; a correction is remembered by it. */
  readonly actual: Amount
  /** It is in the books already: nothing is to be written. */
  readonly repeated: boolean
}

/**
 * What a settle does: charges the truth, whatever was held. After an expiry it corrects what that charged, once. Said
 * again with the same amount it changes nothing.
 *
 * @throws HooshError `reservation_conflict` (ended with another amount, or released), `invalid_request` (no whole amount)
 */
export function settled(standing: Standing, actual: Amount): Ending {
  wholeAmount(actual)
  const { state, held, charged, corrected } = standing
  if (state === 'expired') {
    if (corrected !== null && !sameAmount(corrected, actual)) throw conflict(standing)
    // The rest of the hold was given back at the expiry, so whatever exceeds that charge was covered by no hold.
    const overrun = beyond(actual, charged)
    const repeated = corrected !== null
    // What was refunded cannot be given back a second time.
    const mended = minus(larger(actual, refundedOf(standing)), charged)
    return { kind: 'correction', outcome: 'corrected', freed: nothing, charged: mended, overrun, actual, repeated }
  }
  if (state === 'released' || (state === 'settled' && !sameAmount(charged, actual))) throw conflict(standing)
  const overrun = beyond(actual, held)
  const repeated = state === 'settled'
  return { kind: 'settled', outcome: 'settled', freed: held, charged: actual, overrun, actual, repeated }
}

/**
 * What a release does: ends the hold at zero. After an expiry it corrects the charge to zero.
 *
 * @throws HooshError `reservation_conflict` (settled)
 */
export function released(standing: Standing): Ending {
  if (standing.state === 'expired') return settled(standing, nothing)
  if (standing.state === 'settled') throw conflict(standing)
  const repeated = standing.state === 'released'
  const none = { charged: nothing, overrun: nothing, actual: nothing }
  return { kind: 'released', outcome: 'released', freed: standing.held, ...none, repeated }
}

/**
 * Lets a refund through that a reservation was charged for, or that repeats one.
 *
 * @returns whether it repeats one
 * @throws HooshError `entry_conflict`, `reservation_conflict` (still held), `invalid_request`
 */
export function checkRefund(standing: Standing, refund: NewRefund): boolean {
  const { id, note } = refund
  const amount = wholeAmount(refund.amount)
  const known = standing.refunds.find((other) => other.id === id)
  if (known !== undefined) {
    if (sameAmount(known.amount, amount) && known.note === note) return true
    const message = `The refund "${id}" was given with another amount or note: repeat it with the same, or give another refund an id of its own.`
    throw new HooshError('entry_conflict', { message, details: { param: 'id', retryable: false } })
  }
  if (standing.state === 'held') {
    const message = `Reservation "${standing.id}" is still held; refund it when it has ended.`
    throw new HooshError('reservation_conflict', { message, details: { retryable: false } })
  }
  const charge = netCharge(standing)
  for (const unit of ['tokens', 'nanoUsd'] as const) {
    const isNothing = sameAmount(amount, nothing)
    if (amount[unit] <= charge[unit] && !isNothing) continue
    const left = `${charge.tokens} tokens and ${usdText(charge.nanoUsd)} USD`
    const message = `A refund gives back something of what is still charged: ${left}.`
    throw new HooshError('invalid_request', { message, details: { param: unit } })
  }
  return false
}

/** What a reservation stands for in each of its pools: what it holds, or what it was charged less what was given back. */
export function netCharge(standing: Standing): Amount {
  const { state, held, charged, corrected } = standing
  if (state === 'held') return held
  const refunded = refundedOf(standing)
  return minus(corrected === null ? charged : larger(corrected, refunded), refunded)
}

function refundedOf({ refunds }: Pick<Standing, 'refunds'>): Amount {
  return refunds.reduce((sum, { amount }) => plus(sum, amount), nothing)
}

/** What an expiry charges: the whole hold, or with `counted` what was known at the last heartbeat. */
export function expiryCharge(standing: Standing, onExpire: ExpirePolicy['onExpire']): Amount {
  return onExpire === 'counted' ? standing.counted : standing.held
}

/**
 * What a reservation counts as spent. It is born with the `fixed` part of its grant, each extension adds its own, and a
 * heartbeat raises it to the whole that the process counted, prompt bound included. It never falls, and never passes the
 * hold.
 */
export function countedBy(heartbeat: Amount, standing: Pick<Standing, 'counted' | 'held'>): Amount {
  const known = larger(standing.counted, heartbeat)
  const { held } = standing
  return { tokens: Math.min(known.tokens, held.tokens), nanoUsd: Math.min(known.nanoUsd, held.nanoUsd) }
}

/** Hold and count after an extension was granted. */
export function extended(
  standing: Pick<Standing, 'counted' | 'held'>,
  granted: { readonly amount: Amount; readonly fixed: Amount },
): Pick<Standing, 'counted' | 'held'> {
  return { held: plus(standing.held, granted.amount), counted: plus(standing.counted, granted.fixed) }
}

/**
 * Lets a reserve through that repeats an open one: same owner, same phase, same pools in any order.
 *
 * One that has ended holds nothing any more, so its id is refused too: else a call would run without a hold.
 *
 * @throws HooshError `reservation_conflict`
 */
export function checkRepeated(
  first: Pick<Reservation, 'id' | 'owner' | 'phase' | 'state'> & { readonly pools: readonly string[] },
  again: Pick<ReserveRequest, 'owner' | 'phase' | 'pools'>,
): void {
  const names = new Set(again.pools.map((pool) => pool.name))
  const samePools = names.size === first.pools.length && first.pools.every((name) => names.has(name))
  if (first.owner !== again.owner || first.phase !== again.phase || !samePools) throw conflict(first)
  if (first.state !== 'held') throw conflict(first)
}

/** The error for an id that no reservation has, or (for `extend`) none that is still held. */
export function notHeld(id: string): HooshError {
  return new HooshError('not_held', { message: `There is no open reservation "${id}".`, details: { retryable: false } })
}

function conflict({ id, state }: Pick<Standing, 'id' | 'state'>): HooshError {
  const message = `Reservation "${id}" is ${state} already, with other values than these; that stands.`
  return new HooshError('reservation_conflict', { message, details: { retryable: false } })
}

function beyond(actual: Amount, covered: Amount): Amount {
  if (actual.tokens <= covered.tokens && actual.nanoUsd <= covered.nanoUsd) return nothing
  return larger(minus(actual, covered), nothing)
}
