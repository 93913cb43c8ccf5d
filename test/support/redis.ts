import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type RedisClient, type RedisStorage, type RedisStorageOptions, redisStorage } from '@hoosh/redis'
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import { createClient } from 'redis'
import { createClient as createClient6 } from 'redis6'

export const REDIS_URL = process.env.HOOSH_REDIS_URL ?? 'redis://127.0.0.1:6379'

/** A client of either library, as a host would make it. */
interface Connected {
  readonly client: RedisClient
  close(): Promise<void>
}

/** What is needed of an ioredis beside its scripts. */
type IoredisClass = new (
  url: string,
  options: { lazyConnect: boolean },
) => RedisClient & { on(event: 'error', heard: () => void): unknown; connect(): Promise<void>; disconnect(): void }

const ioredis = (Class: IoredisClass) => async (url: string) => {
  const client = new Class(url, { lazyConnect: true })
  client.on('error', () => {}) // what cannot be connected says so where it is used
  await client.connect()
  return { client, close: async () => client.disconnect() }
}

type CreateNodeRedis = (options: {
  url: string
}) => RedisClient & { on(event: 'error', heard: () => void): unknown; connect(): Promise<unknown>; destroy(): void }

const nodeRedis = (create: CreateNodeRedis) => async (url: string) => {
  const client = create({ url })
  client.on('error', () => {})
  await client.connect()
  return { client, close: async () => client.destroy() }
}

const CLIENTS = {
  ioredis: ioredis(Redis),
  'node-redis': nodeRedis(createClient),
  'ioredis 6': ioredis(Redis6),
  'node-redis 6': nodeRedis(createClient6),
} satisfies Record<string, (url: string) => Promise<Connected>>

export type ClientKind = keyof typeof CLIENTS
/** Every library in every major version that is promised. */
export const ALL_CLIENT_KINDS = Object.keys(CLIENTS) as ClientKind[]
/** Each library once. */
export const CLIENT_KINDS = ['ioredis', 'node-redis'] as const

export const connected = (kind: ClientKind, url: string = REDIS_URL): Promise<Connected> => CLIENTS[kind](url)

/** Whether there is a Redis to test with, and why not. */
export async function redisMissing(): Promise<string | null> {
  const client = new Redis(REDIS_URL, { lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    await client.connect()
    return null
  } catch (error) {
    return `no Redis at ${REDIS_URL}: ${String(error)}`
  } finally {
    client.disconnect()
  }
}

/**
 * A ledger of its own on a server, with any number of handles; keys of nobody else are touched. A machine that does other
 * things too may be silent for longer than a gateway would wait.
 */
export function redisLedger({ url = REDIS_URL, ...options }: RedisStorageOptions & { url?: string } = {}) {
  const prefix = `test-${randomUUID()}`
  const opened: Connected[] = []
  return {
    prefix,
    /** Another handle, as another process would have it. */
    async open(kind: ClientKind = 'ioredis', more: RedisStorageOptions = {}): Promise<RedisStorage> {
      const one = await connected(kind, url)
      opened.push(one)
      return redisStorage(one.client, { prefix, allowVolatile: true, timeoutMs: 2_000, ...options, ...more })
    },
    /** Every key of the ledger and when it ends, ms; -1 for never. */
    async keys(): Promise<Map<string, number>> {
      return withClient(url, async (client) => {
        const found = await keysOf(client, prefix)
        const ends = await Promise.all(found.map((key) => client.pttl(key)))
        return new Map(found.map((key, at) => [key.replace(/^.*?[:}]+/, ''), ends[at]!]))
      })
    },
    advanceCache: (ms: number) => advanceCache(url, prefix, ms),
    async remove(): Promise<void> {
      await Promise.all(opened.map((one) => one.close()))
      await withClient(url, async (client) => {
        const found = await keysOf(client, prefix)
        for (let at = 0; at < found.length; at += 500) await client.unlink(...found.slice(at, at + 500))
      })
    },
  }
}

/** Waits, or for longer than a second makes all entries of a cache older: the server's clock is nobody's to set. */
export async function advanceCache(url: string, prefix: string, ms: number): Promise<void> {
  if (ms < 1_000) return pause(ms + 5)
  await withClient(url, async (client) => {
    for (const key of await keysOf(client, `${prefix}:cache:`)) {
      await client.pexpire(key, Math.max(0, (await client.pttl(key)) - ms))
    }
  })
}

async function keysOf(client: Redis, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const page of client.scanStream({ match: `*${prefix}*`, count: 1_000 })) found.push(...(page as string[]))
  return [...new Set(found)].sort()
}

async function withClient<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}
