import type { Limits, Priority } from '../options.js'
import type { Awaitable } from '../time.js'

/**
 * The keys that hoosh issues. A key's text is never kept, only what it is compared with.
 *
 * Every operation is one atomic step, and is seen by whoever asks after it resolved, in any process: a key that was
 * revoked is revoked everywhere. A store that cannot answer throws `store_unavailable`; whether it did the step is then
 * open.
 */
export interface KeyStore {
  /** Keeps a new key. Durable before it resolves. False where the id is known: then nothing has changed. */
  add(key: KeyRecord): Awaitable<boolean>

  /** The key of an id, whether or not it still opens anything; null where there is none. */
  get(id: string): Awaitable<KeyRecord | null>

  /** Keys by id, compared by its bytes, the largest first, those before the id `before`; at most `limit`. */
  list(filter: KeyFilter): Awaitable<KeyRecord[]>

  /**
   * Puts a key in the place of its former version. Durable before it resolves. Of two that change the same version, in
   * any processes, exactly one is told true.
   *
   * @param key its `version` is one more than that of the key it replaces; id and user are the same
   * @returns false where the stored version is another, or there is no such key: then nothing has changed
   */
  replace(key: KeyRecord): Awaitable<boolean>

  /** Forgets a key; one that is not there is forgotten already. */
  remove(id: string): Awaitable<void>
}

/** Which keys are wanted; every field given must match. */
export interface KeyFilter {
  readonly user?: string
  readonly before?: string
  readonly limit: number
}

/** One key, as it is kept: plain JSON. Times are in ms since the epoch. */
export interface KeyRecord {
  /** A UUID v7, so that later keys have larger ids. Public: it is a part of the key's text. */
  readonly id: string
  /** 1 at first, and one more with each change. */
  readonly version: number
  /** Whose calls they are that are made with it. */
  readonly user: string
  /** What people call it. */
  readonly name: string
  /** The user who made it. */
  readonly createdBy: string
  readonly createdAt: number
  /** What it is compared with, the newest first: two while a rotation overlaps. */
  readonly secrets: readonly KeySecret[]
  /** From then on it opens nothing; null for never. */
  readonly expiresAt: number | null
  /** When it was revoked; null while it was not. */
  readonly revokedAt: number | null
  /** Every pool that pays. */
  readonly pools: readonly string[]
  /** Patterns of the models it may use; all if absent. */
  readonly models?: readonly string[]
  /** For the calls of this key alone. */
  readonly limits?: Limits
  /** What a user who made it for themselves was bound to: it counts for all calls of that user together. */
  readonly userLimits?: Limits
  readonly priority?: Priority
  /** Patterns of the tools it may use; all if absent. */
  readonly tools?: readonly string[]
  readonly metadata?: Readonly<Record<string, string>>
  /** Addresses it may be used from, `203.0.113.0/24` or `2001:db8::1`; from anywhere if absent. */
  readonly ipRanges?: readonly string[]
}

/** One secret of a key. */
export interface KeySecret {
  /** SHA-256 of the secret, lower-case hex. */
  readonly hash: string
  /** From then on it opens nothing; null while it is the key's newest. */
  readonly until: number | null
}
