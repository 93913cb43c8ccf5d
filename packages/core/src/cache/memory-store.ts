import { LRUCache } from 'lru-cache'
import type { Clock } from '../time.js'
import type { CacheStore } from './store.js'

/** How much the cache in memory keeps, and by which clock. */
export interface MemoryCacheOptions {
  /** The gateway's; `Date.now` by default. */
  clock?: Clock
  /** 10_000 by default. */
  maxEntries?: number
  /** Bytes of all keys and values together, 64 MiB by default; a value of more than a quarter of it is not kept. */
  maxBytes?: number
}

interface Entry {
  readonly value: Uint8Array
  readonly until: number
}

/**
 * A cache of this process. What was longest not used goes first; what is over goes when it is met, or when it is the
 * longest unused, so that no timer is needed.
 */
export function memoryCache(options: MemoryCacheOptions = {}): CacheStore {
  const { clock = Date.now, maxEntries = 10_000, maxBytes = 64 * 1024 * 1024 } = options
  const entries = new LRUCache<string, Entry>({
    max: maxEntries,
    maxSize: maxBytes,
    // A key counts two bytes a character, and an entry about a hundred of its own.
    sizeCalculation: ({ value }, key) => value.byteLength + 2 * key.length + 100,
  })
  const standing = (key: string): Uint8Array | null => {
    const entry = entries.get(key)
    if (entry === undefined) return null
    if (entry.until > clock()) return entry.value
    entries.delete(key)
    return null
  }
  const put = (key: string, value: Uint8Array, ttlMs: number) => entries.set(key, { value, until: clock() + ttlMs })
  return {
    get: standing,
    put(key, value, ttlMs) {
      if (value.byteLength > maxBytes / 4) return false
      put(key, value, ttlMs)
      return true
    },
    putIfAbsent(key, value, ttlMs) {
      const stands = standing(key)
      if (stands === null) put(key, value, ttlMs)
      return stands
    },
    delete: (key) => void entries.delete(key),
  }
}
