import type { Awaitable } from '../time.js'

/**
 * Where payloads are kept beside the log. It sees no text, no user's name and no key in the clear: a payload is bytes, its
 * subject a hash, and the key that opens them is there only wrapped under one that the store does not have. So to erase a
 * subject is to destroy one row.
 */
export interface PayloadStore {
  /**
   * Keeps a payload, durable before it resolves; a known id changes nothing.
   *
   * Returns false, having kept nothing, where `payload.key` is not its subject's key any more.
   */
  put(payload: StoredPayload): Awaitable<boolean>

  /** A payload and the key it was encrypted under, which is null once that was erased. Null where there is no such payload. */
  get(id: string): Awaitable<{ readonly payload: StoredPayload; readonly key: SubjectKey | null } | null>

  /** Drops one payload, if it is there. */
  remove(id: string): Awaitable<void>

  /** The key of a subject; null where it has none, or none any more. */
  key(subject: string): Awaitable<SubjectKey | null>

  /** Gives a subject without a key this one. Of any number at once one wins; returns the one that stands. */
  addKey(key: SubjectKey): Awaitable<SubjectKey>

  /** Keeps a key as it was wrapped anew. False, having done nothing, where its subject has another one by now, or none. */
  rewrap(key: SubjectKey): Awaitable<boolean>

  /** Keys that are not wrapped by this one, in any order. */
  wrappedByOthers(wrappedBy: string, limit: number): Awaitable<SubjectKey[]>

  /**
   * Destroys a subject's key; from then on nobody reads what was encrypted under it. Durable before it resolves.
   *
   * @returns whether there was one
   */
  erase(subject: string): Awaitable<boolean>

  /** Drops payloads older than `before`, at most `limit`; how many it were. */
  drop(before: number, limit: number): Awaitable<number>
}

/** A payload as it is stored. */
export interface StoredPayload {
  /** That of the audit entry which names it. */
  readonly id: string
  /** Hash of the user whose it is. */
  readonly subject: string
  /** Id of the key that it is encrypted under. */
  readonly key: string
  /** Timestamp of its entry, ms. */
  readonly at: number
  readonly sealed: Uint8Array
}

/** The key of one subject, wrapped. */
export interface SubjectKey {
  readonly subject: string
  readonly id: string
  /** Id of the configured key that unwraps it. */
  readonly wrappedBy: string
  readonly wrapped: Uint8Array
}
