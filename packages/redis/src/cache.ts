import { isUtf8 } from 'node:buffer'
import { type CacheStore, MOST_CACHED_BYTES } from '@hoosh/core/storage'
import { DELETE, GET, PUT, PUT_IF_ABSENT } from './scripts/cache.js'
import type { Server } from './server.js'

/** While so much is sent, the server is not silent but listens. */
const BYTES_IN_TIME = 1024 * 1024

/**
 * Entries that end on their own, by the server's clock. They have no hash tag in common, so a cluster spreads them.
 *
 * @param prefix in front of each key
 */
export function redisCache(server: Server, prefix: string): CacheStore {
  const keyOf = (key: string) => `${prefix}:cache:${key}`
  return {
    async get(key) {
      const [, found] = await server.run(GET, [], { key: keyOf(key) })
      return bytesOf(found)
    },
    async put(key, value, ttlMs) {
      if (value.byteLength > MOST_CACHED_BYTES) return false
      const silentMs = server.silentMs * (1 + value.byteLength / BYTES_IN_TIME)
      await server.run(PUT, [textOf(value), String(ttlMs)], { key: keyOf(key), silentMs })
      return true
    },
    async putIfAbsent(key, value, ttlMs) {
      const [, stands] = await server.run(PUT_IF_ABSENT, [textOf(value), String(ttlMs)], { key: keyOf(key) })
      return bytesOf(stands)
    },
    async delete(key) {
      await server.run(DELETE, [], { key: keyOf(key) })
    },
  }
}

/** Clients read answers as UTF-8, so bytes that are none travel in base64. The first letter says which. */
function textOf(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isUtf8(bytes) ? `t${bytes.toString()}` : `b${bytes.toString('base64')}`
}

function bytesOf(found: unknown): Uint8Array | null {
  const text = String(found)
  if (text === '') return null
  return Buffer.from(text.slice(1), text.startsWith('b') ? 'base64' : 'utf8')
}
