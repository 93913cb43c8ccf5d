import type { Awaitable } from '../time.js'

/** What every store keeps of one value: answers that are longer are not given again. */
export const MOST_CACHED_BYTES = 12 * 1024 * 1024

/**
 * Bytes under a name, for a time: what any process may need again and nobody has to have.
 *
 * Every operation is one atomic step on its key, and is seen by whoever asks after it resolved, in any process. Times
 * run on the store's clock: an entry is there until `ttlMs` after it was written, and at that very moment no more. A
 * store with a bound may forget entries before their time, those first that were longest not used, but none that `putIfAbsent` has
 * written: that stands, whatever is put there later, until its time is over or it is deleted. A store that cannot answer throws
 * `store_unavailable`; whether it did the step is then open, and repeating it is safe.
 *
 * Keys are texts of 1 to 512 characters. Bytes that were handed over or came back are nobody's to change.
 */
export interface CacheStore {
  /** What stands under a key, whole; null where nothing does, or its time is over. */
  get(key: string): Awaitable<Uint8Array | null>

  /**
   * Writes a value, whatever stood there; of several at once one is the last, whole.
   *
   * @param ttlMs 1 to 2_678_400_000 (31 days)
   * @returns false where the value is larger than the store keeps (none is up to `MOST_CACHED_BYTES`), or where it has no room for
   *   so large a one that it must not forget: then nothing has changed
   */
  put(key: string, value: Uint8Array, ttlMs: number): Awaitable<boolean>

  /**
   * Writes a value only where nothing stands, or its time is over. Of any number of callers that race for a key, in any
   * processes, exactly one is told null; the others get what that one wrote.
   *
   * @param value at most 4_096 bytes, which every store keeps
   * @returns null where the value stands now; else what stood there, which stays
   * @throws HooshError `cache_full` where there is no room for one more that it must not forget
   */
  putIfAbsent(key: string, value: Uint8Array, ttlMs: number): Awaitable<Uint8Array | null>

  /** Forgets a key; one that is not there is forgotten already. */
  delete(key: string): Awaitable<void>
}
