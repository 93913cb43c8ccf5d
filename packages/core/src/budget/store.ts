import type { Amount } from '../amount.js'
import type { AuditRecord, AuditStore } from '../audit/store.js'
import type { CallFacts, UsageRecord, UsageStore } from '../cost/store.js'
import type { Awaitable } from '../time.js'
import type { BookCheck } from './findings.js'
import type { JoinsTransactions } from './joining.js'
import type { PoolTerms } from './terms.js'

/**
 * Accounts, reservations and entries: the ledger's memory.
 *
 * Every operation is one atomic step over all pools it names: two callers, in any processes, never both get what
 * only one can have. A store that cannot answer throws `store_unavailable`, having done all of a step or nothing;
 * repeating the same call with the same id and values is always safe and has the same outcome.
 *
 * An account counts up to 2^53 - 1 in each unit, used and held together. A step that would take one beyond, or whose
 * amount is no whole one, is `invalid_request` and changes nothing: sums are never rounded.
 */
export interface BudgetStore extends Partial<JoinsTransactions> {
  /**
   * The stores beside it that it writes to in the same step as a hold or a settle: these very objects. Where the gateway's own
   * store of a kind is the one named here, `ReserveRequest.intent` and `CallRecords` of that kind are given to it. Otherwise
   * it gets none of the kind, and the engine writes them itself.
   */
  readonly persists?: Siblings

  /**
   * Holds an amount in every pool named, or in none. Durable before it resolves.
   *
   * First ends overdue holds of these pools, so that nothing depends on a sweep. Creates what is missing from the
   * terms given; an override (`define`) wins over them. A pool named twice is held in once. A refusal changes nothing:
   * it creates no account, and leaves overdue holds to the next step, which then tells of them.
   *
   * While it is held, the same `id` with the same owner, phase and pools returns the first answer, with the figures of
   * now. With others, or once it has ended, it is a conflict: an answer would let a call run without a hold.
   *
   * @throws HooshError, the first that applies: `reservation_conflict`, `too_many_reservations`, `unknown_pool`
   *   (no terms and no override), `pool_frozen` (names the first that is), `budget_exceeded` (names the tightest pool,
   *   what is left, when it resets)
   */
  reserve(request: ReserveRequest): Awaitable<Grant>

  /**
   * Holds more for a running call, by the same rule as `reserve`, in every pool of its hold or in none.
   *
   * @throws HooshError `not_held` (never made, or already ended), `pool_frozen`, `budget_exceeded`
   */
  extend(id: string, ask: Ask): Awaitable<Grant>

  /**
   * Heartbeat of all running calls of a process in one step: their leases end `leaseMs` from now. `counted` is all
   * that a call is known to have spent so far, prompt bound included; it never lowers what was counted before, and
   * what exceeds the hold does not count.
   *
   * @returns the ids that are no longer held
   */
  renew(running: readonly { id: string; counted: Amount }[], leaseMs: number): Awaitable<string[]>

  /**
   * Ends a hold and adds `actual` to what its pools have used, whatever was held. After an expiry it is a
   * correction (the signed difference to what expiry charged), never a second charge.
   *
   * @throws HooshError `not_held` (never reserved), `reservation_conflict` (settled with other values, or released)
   */
  settle(id: string, actual: Amount, records?: CallRecords): Awaitable<Settlement>

  /** Ends a hold at zero. Errors as `settle`; a settle after it is a conflict, a release after an expiry a correction. */
  release(id: string, records?: CallRecords): Awaitable<Settlement>

  /**
   * Ends at most `limit` holds past their lease, and enters what was left of credits when they expired (100 at most). Any
   * process, at any time, many at once.
   */
  expire(policy: ExpirePolicy & { limit: number }): Awaitable<ExpiredReservation[]>

  /** Pools as they are now, in the order asked; a pool without account reads as unused. */
  read(pools: readonly PoolAsk[], now: number): Awaitable<PoolState[]>

  /** Pools that were ever used or overridden, by name, after `after`. */
  list(filter: { limit: number; after?: string; now: number }): Awaitable<PoolState[]>

  /**
   * Adds a credit to a pool: what it may spend beside the cap of its window, until it is spent or has expired.
   *
   * Whatever expires soonest pays first, the window's allowance among the credits by the window's end. What a hold took of a
   * credit stays its own, whether or not that has expired; what it does not use goes back, to what lasts longest first. An
   * expired credit counts for nothing. All of that is decided on the store's clock, in the step that holds or ends.
   *
   * The same `id` with the same values is the same credit, however often it comes. It creates what is missing as `reserve`.
   *
   * @param now the gateway's clock, for the window in the answer
   * @throws HooshError, the first that applies: `unknown_pool`, `entry_conflict` (the id with other values),
   *   `invalid_request` (nothing, no whole amount, expired already; more than 100 credits of one pool or 2^52 of a unit)
   */
  credit(pool: PoolAsk, credit: NewCredit, now: number, records?: CallRecords): Awaitable<Credited>

  /**
   * Gives back of what a reservation was charged, in all its pools and in the windows that were charged. What credits paid goes
   * back to them, and to those that have expired for nothing.
   *
   * The same `id` for one reservation with the same values is the same refund. A settle that comes after an expiry and a refund
   * corrects what is still charged, never to less than nothing.
   *
   * @throws HooshError, the first that applies: `not_held` (never reserved), `entry_conflict` (the id with other values),
   *   `reservation_conflict` (still held), `invalid_request` (nothing, no whole amount, more than is still charged)
   */
  refund(refund: NewRefund, records?: CallRecords): Awaitable<Refunded>

  /**
   * What changed what a pool has used, and what became of its credits: newest first, before the entry id `before`. Nothing that
   * was told is ever changed.
   *
   * @throws HooshError `invalid_request` for a `before` that it never gave
   */
  entries(pool: string, page: { limit: number; before?: string }): Awaitable<Entry[]>

  /**
   * One reservation by id; or the oldest open one of an owner in phase `reserved` that holds exactly `amount` (an
   * absent unit is 0) in exactly this pool. Null where there is none.
   */
  find(query: { id: string } | { owner: string; pool: string; amount: Partial<Amount> }): Awaitable<Reservation | null>

  /** Sets (or with null removes) a pool's override. Counts at once; never touches accounts. */
  define(pool: string, terms: PoolTerms | null, records?: CallRecords): Awaitable<void>

  /**
   * Freezes a pool or ends that, and leaves whatever else its terms say by then: an override that comes at the same time is
   * frozen too, or wins as a whole. Once a template says the same again, it counts again. Counts at once.
   *
   * @returns its override from now on; null where it has none
   * @throws HooshError `unknown_pool`
   */
  freeze(pool: PoolAsk, frozen: boolean, records?: CallRecords): Awaitable<PoolTerms | null>

  /**
   * Ends a pool whose name is not used again: its override goes at once, so that nothing new is held in it, and the pool
   * itself once nothing is held there any more. Its entries stay as long as others do; a settle that comes after an
   * expiry is still booked, though the pool may be missing from what it answers.
   *
   * @returns whether it is gone; false while something is held in it: then to be asked again
   */
  forget(pool: string): Awaitable<boolean>

  /** All overrides, so that a process can tell limits and prices without a look-up per call. */
  overrides(): Awaitable<{ name: string; terms: PoolTerms }[]>

  /**
   * Looks whether the books keep the promises of the ledger, while others write into them: what it finds was so at one
   * moment. Changes nothing, not even where the store was never opened; absent where nobody can look.
   *
   * @throws HooshError `store_unavailable`
   */
  check?(): Awaitable<BookCheck>
}

/** Stores that share their steps with a ledger. */
export interface Siblings {
  readonly usage?: UsageStore
  readonly audit?: AuditStore
}

/** A pool to hold in. `terms` come from the host's template; null where none matches. */
export interface PoolAsk {
  readonly name: string
  readonly terms: PoolTerms | null
}

/**
 * A range of output tokens, and what they cost: `fixed` is the prompt's upper bound, `each` one output token.
 * Granted, with `rest` = what the tightest pool still pays for after `fixed`:
 * `rest < floor ? refuse : min(atMost, rest, max(wish, floor(rest / 8)))`.
 */
export interface Ask {
  readonly fixed: Amount
  readonly each: Amount
  readonly floor: number
  readonly wish: number
  readonly atMost: number
  /** Held in place of `fixed` where every pool has at least eight times as much left: cheap to know, too large. */
  readonly plenty?: Amount
}

/** What an overdue hold is charged: all of it, or what was counted at the last heartbeat. */
export interface ExpirePolicy {
  readonly onExpire: 'charge' | 'counted'
}

/** A hold to be taken. The lease is in milliseconds on the store's clock, 1_000 to 3_600_000. */
export interface ReserveRequest extends ExpirePolicy {
  readonly id: string
  /** The identity's user. */
  readonly owner: string
  /** `sent` for a call of ours, born so; `reserved` for holds taken over the wire or by the host. */
  readonly phase: 'reserved' | 'sent'
  readonly pools: readonly PoolAsk[]
  readonly ask: Ask
  readonly leaseMs: number
  /** The gateway's clock: chooses the window. Leases run on the store's own. */
  readonly now: number
  /** Refuse if the owner has as many open reservations in phase `reserved`. */
  readonly maxOpen?: number
  readonly intent?: AuditRecord
  /** What the usage record of the call says should nobody settle it; absent where it is no call. */
  readonly call?: CallFacts
  /** The gateway keeps usage elsewhere: of a call that is lost the store only tells, though it `persists` usage. */
  readonly usageElsewhere?: boolean
}

/** What is kept in the same step as the end of a hold. */
export interface CallRecords {
  readonly usage?: UsageRecord
  readonly audit?: readonly AuditRecord[]
}

/** What a reserve or an extension got. */
export interface Grant {
  /** Output tokens granted by this step. */
  readonly outputTokens: number
  /** All that the reservation holds now. */
  readonly held: Amount
  /** On the store's clock. */
  readonly leaseUntil: number
  readonly pools: readonly PoolState[]
  /** Overdue holds this step has ended. */
  readonly expired: readonly ExpiredReservation[]
}

/** A pool in its present window. */
export interface PoolState {
  readonly name: string
  readonly terms: PoolTerms
  readonly windowStart: number
  /** When the window ends; null for a lifetime. */
  readonly windowEnd: number | null
  readonly used: Amount
  readonly held: Amount
  /** The part of used and held together that credits pay: the window pays the rest. */
  readonly drawn: Amount
  /** Those that can be spent now, in the order they are: what expires soonest first. */
  readonly credits: readonly Credit[]
}

/** A grant or top-up of one pool, as it is given. */
export interface NewCredit {
  /** One for each credit of a pool. */
  readonly id: string
  /** Counts only in units that the pool caps. */
  readonly amount: Amount
  /** Milliseconds since the epoch, on the store's clock; null for never. */
  readonly expiresAt: number | null
  readonly note: string | null
}

/** A credit as it stands. */
export interface Credit extends NewCredit {
  /** Neither spent nor held. */
  readonly left: Amount
}

/** What came of a credit. */
export interface Credited {
  /** It had been given before: this changed nothing. */
  readonly repeated: boolean
  readonly pool: PoolState
}

/** What a hold has taken, or its settle has spent, of a credit of its pool. */
export interface Draw extends Amount {
  readonly credit: string
  readonly expiresAt: number | null
}

/** What is to be given back of a reservation that was charged. */
export interface NewRefund {
  /** One for each refund of a reservation. */
  readonly id: string
  readonly reservation: string
  readonly amount: Amount
  readonly note: string | null
}

/** What came of a refund. */
export interface Refunded {
  /** It had been given before: this changed nothing. */
  readonly repeated: boolean
  readonly pools: readonly PoolState[]
}

/** How a reservation ended. */
export interface Settlement {
  readonly outcome: 'settled' | 'released' | 'corrected'
  /** What was charged beyond the hold; after an expiry beyond what that charged, since the rest was given back. */
  readonly overrun: Amount
  /** It had ended so before: this changed nothing. Of two that settle at once with one amount, one is told so. */
  readonly repeated: boolean
  readonly pools: readonly PoolState[]
  /** Those of `pools` that it is charged in already; all where absent. What slices charge later is told of then. */
  readonly booked?: readonly PoolState[]
  /** Of a call that was told of as lost: the usage record that takes that one back, kept already where that one is. */
  readonly reversal?: UsageRecord
}

/** The part of a reservation that one pool holds. */
export interface Hold {
  readonly pool: string
  readonly windowStart: number
  readonly amount: Amount
}

/** A reservation as it stands. */
export interface Reservation {
  readonly id: string
  readonly owner: string
  readonly phase: 'reserved' | 'sent'
  readonly state: 'held' | 'settled' | 'released' | 'expired'
  readonly holds: readonly Hold[]
  /** What is known to be spent: the `fixed` parts of its grants, or the last heartbeat where that is more. */
  readonly counted: Amount
  readonly leaseUntil: number
}

/** A reservation that outlived its lease, and what that cost each of its pools. */
export interface ExpiredReservation {
  readonly id: string
  readonly owner: string
  readonly phase: 'reserved' | 'sent'
  readonly pools: readonly string[]
  readonly charged: Amount
  /** Its pools as they are by then, in the windows that were charged; without it nobody hears of thresholds they have crossed. */
  readonly booked?: readonly PoolState[]
  /** The usage record of a call, kept already in the store of usage that it `persists`; absent where it was no call. */
  readonly usage?: UsageRecord
}

/**
 * What ended a reservation in one pool (`settled`, `released`, `expired`) or mended it (`correction`, `refund`), and what came
 * and went of its credits (`credit`, `credit_expired`).
 */
export interface Entry {
  readonly id: string
  /** Null where it is about a credit. */
  readonly reservation: string | null
  readonly pool: string
  /** Null where it is about a credit, which belongs to no window. */
  readonly windowStart: number | null
  readonly kind: 'settled' | 'released' | 'expired' | 'correction' | 'refund' | 'credit' | 'credit_expired'
  /** What `used` changed by; of a credit what was given, or what was left of it when it expired. */
  readonly amount: Amount
  /** The part of `amount` beyond the hold; zero for most. */
  readonly overrun: Amount
  readonly at: number
  /** The id of the credit or of the refund; null for all others, as is `note`. */
  readonly reference: string | null
  readonly note: string | null
}
