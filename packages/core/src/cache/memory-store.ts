import { LRUCache } from 'lru-cache'
import { HooshError } from '../errors.js'
import type { Clock } from '../time.js'
import { type CacheStore, MOST_CACHED_BYTES } from './store.js'

/** How much the cache in memory keeps, and by which clock. */
export interface MemoryCacheOptions {
  /** The gateway's; `Date.now` by default. */
  clock?: Clock
  /** Entries that may be forgotten, 10_000 by default. */
  maxEntries?: number
  /** Bytes of their keys and values together, 64 MiB by default; a value of more than a quarter of it, or of 12 MiB, is not. */
  maxBytes?: number
  /**
   * Bytes of what must not be forgotten, 64 MiB by default: idempotency keys, and for 24 hours what was answered to them. Answers
   * of more than 4 KiB take at most half of it. Where it is full, calls with new keys are refused.
   */
  maxClaimedBytes?: number
}

interface Entry {
  readonly value: Uint8Array
  readonly until: number
}

const MOST_BYTES = 64 * 1024 * 1024

/** Largest value of `putIfAbsent`: what replaces one and is no larger always has room. */
const MOST_CLAIM_BYTES = 4_096

/** A key counts two bytes a character, and an entry about a hundred of its own. */
const sizeOf = ({ value }: Entry, key: string) => value.byteLength + 2 * key.length + 100

/**
 * A cache of this process. What was put is forgotten where there is too much of it, the longest unused first; what `putIfAbsent`
 * has written is not. What is over goes when it is met, or when its room is needed, so that no timer is needed.
 */
export function memoryCache(options: MemoryCacheOptions = {}): CacheStore {
  const { clock = Date.now, maxEntries = 10_000, maxBytes = MOST_BYTES, maxClaimedBytes = MOST_BYTES } = options
  const entries = new LRUCache<string, Entry>({ max: maxEntries, maxSize: maxBytes, sizeCalculation: sizeOf })
  const claims = claimed(maxClaimedBytes, clock)
  const standing = (key: string): Uint8Array | null => {
    const entry = claims.get(key) ?? entries.get(key)
    if (entry === undefined) return null
    if (entry.until > clock()) return entry.value
    claims.delete(key)
    entries.delete(key)
    return null
  }
  return {
    get: standing,
    put(key, value, ttlMs) {
      if (value.byteLength > Math.min(MOST_CACHED_BYTES, maxBytes / 4)) return false
      const entry = { value, until: clock() + ttlMs }
      if (standing(key) !== null && claims.get(key) !== undefined) return claims.replace(key, entry)
      entries.set(key, entry)
      return true
    },
    putIfAbsent(key, value, ttlMs) {
      const stands = standing(key)
      if (stands === null) claims.add(key, { value, until: clock() + ttlMs })
      return stands
    },
    delete(key) {
      claims.delete(key)
      entries.delete(key)
    },
  }
}

/** Entries that stand until their time is over. */
function claimed(maxBytes: number, clock: Clock) {
  const entries = new Map<string, Entry>()
  let bytes = 0
  /** Before that moment none is over, as far as was looked. */
  let calmUntil = 0

  function drop(key: string, entry = entries.get(key)): void {
    if (entry === undefined) return
    entries.delete(key)
    bytes -= sizeOf(entry, key)
  }

  function set(key: string, entry: Entry): void {
    drop(key)
    entries.set(key, entry)
    bytes += sizeOf(entry, key)
    calmUntil = Math.min(calmUntil, entry.until)
  }

  /** Whether there are so many bytes left of `most`, once what is over has gone. */
  function hasRoom(size: number, most: number): boolean {
    const now = clock()
    if (bytes + size > most && now >= calmUntil) {
      calmUntil = Number.POSITIVE_INFINITY
      for (const [key, entry] of entries) {
        if (entry.until <= now) drop(key, entry)
        else calmUntil = Math.min(calmUntil, entry.until)
      }
    }
    return bytes + size <= most
  }

  return {
    get: (key: string) => entries.get(key),
    delete: (key: string) => drop(key),
    /** False where so large a value would keep new keys out. */
    replace(key: string, entry: Entry): boolean {
      if (entry.value.byteLength > MOST_CLAIM_BYTES && !hasRoom(sizeOf(entry, key), maxBytes / 2)) return false
      set(key, entry)
      return true
    },
    add(key: string, entry: Entry): void {
      if (!hasRoom(sizeOf(entry, key), maxBytes)) throw full(calmUntil - clock())
      set(key, entry)
    },
  }
}

function full(retryAfterMs: number): HooshError {
  const message =
    'The cache in memory is full of idempotency keys, which it must not forget for 24 hours. Send this call without one or come ' +
    'later. Host: raise `maxClaimedBytes` of `memoryCache`, or give `storage.cache` a database.'
  return new HooshError('cache_full', { message, details: { retryAfterMs } })
}
