import assert from 'node:assert/strict'
import { type CacheStore, MOST_CACHED_BYTES } from '../cache/store.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface CacheHarness {
  /** Another handle on the same entries, as another process would have it; at first there are none. */
  open(): Awaitable<CacheStore>
  /** Lets the store's clock run on, at least by so much, up to 31 days; where it is a server's, entries get older instead. */
  advance(ms: number): Awaitable<void>
}

/** A promise of `CacheStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface CacheCase {
  readonly name: string
  run(harness: CacheHarness): Promise<void>
}

const DAY_MS = 86_400_000
/** Long enough that nothing is over by itself while a case runs. */
const LONG_MS = 3_600_000
const SHORT_MS = 200

const bytes = (text: string) => Buffer.from(text)
const textOf = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value).toString())

/** Every promise of `CacheStore`. Each case wants a harness of its own, without entries. */
export const cacheStoreCases: readonly CacheCase[] = [
  {
    name: 'what was put is there, for every handle, until it is put anew or deleted',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      assert.equal(await left.get('k'), null)
      assert.equal(await left.put('k', bytes('one'), LONG_MS), true)
      assert.equal(textOf(await right.get('k')), 'one')
      assert.equal(await right.put('k', bytes('two'), LONG_MS), true)
      assert.equal(textOf(await left.get('k')), 'two')
      await left.put('l', bytes('other'), LONG_MS)
      await left.delete('l')
      assert.deepEqual([await right.get('l'), textOf(await right.get('k'))], [null, 'two'])
      await left.delete('k')
      assert.equal(await right.get('k'), null)
      await left.delete('k')
    },
  },
  {
    name: 'bytes come back as they went in: zeros, halves of characters, none at all, and a mebibyte',
    async run({ open }) {
      const store = await open()
      const every = Uint8Array.from({ length: 256 }, (_, index) => index)
      const large = new Uint8Array(1024 * 1024).fill(0xc3)
      for (const [key, value] of Object.entries({ every, large, empty: new Uint8Array() })) {
        assert.equal(await store.put(key, value, LONG_MS), true)
        const found = await store.get(key)
        assert.ok(found !== null && Buffer.from(value).equals(found), `"${key}" is changed`)
      }
    },
  },
  {
    name: 'keys are told apart by every character, up to 512 of them',
    async run({ open }) {
      const store = await open()
      const keys = ['k', 'K', 'k ', 'k:1', 'k%', 'k_', 'ключ', '"k"', `${'k'.repeat(511)}a`, `${'k'.repeat(511)}b`]
      for (const key of keys) await store.put(key, bytes(`of ${key}`), LONG_MS)
      for (const key of keys) assert.equal(textOf(await store.get(key)), `of ${key}`)
    },
  },
  {
    name: 'an entry is gone when its time is over, and a new one has a time of its own',
    async run({ open, advance }) {
      const store = await open()
      await store.put('short', bytes('a'), SHORT_MS)
      await store.put('renewed', bytes('a'), SHORT_MS)
      await store.put('renewed', bytes('b'), LONG_MS)
      await store.putIfAbsent('taken', bytes('a'), SHORT_MS)
      await advance(SHORT_MS)
      assert.equal(await store.get('short'), null)
      assert.equal(await store.get('taken'), null)
      assert.equal(textOf(await store.get('renewed')), 'b')
    },
  },
  {
    name: 'an entry is there for all of its time, be it a day or 31 days',
    async run({ open, advance }) {
      const store = await open()
      const margin = 60_000
      const ttl = { hour: DAY_MS / 24, day: DAY_MS, month: 31 * DAY_MS }
      for (const [key, ttlMs] of Object.entries(ttl)) {
        await store.put(`put ${key}`, bytes(key), ttlMs)
        await store.putIfAbsent(`taken ${key}`, bytes(key), ttlMs)
      }
      let passed = 0
      for (const [key, ttlMs] of Object.entries(ttl)) {
        await advance(ttlMs - margin - passed)
        for (const how of ['put', 'taken']) assert.equal(textOf(await store.get(`${how} ${key}`)), key)
        await advance(margin)
        for (const how of ['put', 'taken']) assert.equal(await store.get(`${how} ${key}`), null)
        passed = ttlMs
      }
    },
  },
  {
    name: 'putIfAbsent writes where nothing stands, else hands out what does and leaves it and its time alone',
    async run({ open, advance }) {
      const store = await open()
      assert.equal(await store.putIfAbsent('k', bytes('first'), SHORT_MS), null)
      assert.equal(textOf(await store.putIfAbsent('k', bytes('second'), LONG_MS)), 'first')
      assert.equal(textOf(await store.get('k')), 'first')
      await advance(SHORT_MS)
      assert.equal(await store.putIfAbsent('k', bytes('third'), LONG_MS), null)
      await store.delete('k')
      assert.equal(await store.putIfAbsent('k', bytes('fourth'), LONG_MS), null)
      assert.equal(textOf(await store.get('k')), 'fourth')
    },
  },
  {
    name: 'what putIfAbsent wrote, up to 4,096 bytes, is kept whole, and not pushed out by whatever else is put',
    async run({ open }) {
      const [store, other] = [await open(), await open()]
      const record = new Uint8Array(4_096).map((_, index) => index % 251)
      assert.equal(await store.putIfAbsent('taken', record, LONG_MS), null)
      assert.equal(await store.putIfAbsent('answered', record, LONG_MS), null)
      assert.equal(await store.put('answered', bytes('answer'), LONG_MS), true)
      const large = new Uint8Array(4 * 1_048_576)
      for (let count = 0; count < 18; count += 1) await other.put(`other ${count}`, large, LONG_MS)
      const taken = await store.get('taken')
      assert.ok(taken !== null && Buffer.from(record).equals(taken), 'what was taken is there')
      assert.equal(textOf(await store.putIfAbsent('answered', record, LONG_MS)), 'answer')
    },
  },
  {
    name: 'of many that race for a key exactly one wins, and all others are told what it wrote',
    async run({ open }) {
      const handles = [await open(), await open()]
      for (const key of ['a', 'b', 'c', 'd', 'e']) {
        const racers = Array.from({ length: 20 }, async (_, index) => {
          return textOf(await handles[index % 2]!.putIfAbsent(key, bytes(`from ${index}`), LONG_MS))
        })
        const told = await Promise.all(racers)
        assert.equal(told.filter((value) => value === null).length, 1)
        const winner = `from ${told.indexOf(null)}`
        assert.ok(told.every((value) => value === null || value === winner))
        assert.equal(textOf(await handles[0]!.get(key)), winner)
      }
    },
  },
  {
    name: 'a key whose time is over is won by one of many too',
    async run({ open, advance }) {
      const handles = [await open(), await open()]
      await handles[0]!.put('k', bytes('old'), SHORT_MS)
      await advance(SHORT_MS)
      const racers = Array.from({ length: 20 }, async (_, index) => {
        return textOf(await handles[index % 2]!.putIfAbsent('k', bytes(`from ${index}`), LONG_MS))
      })
      const told = await Promise.all(racers)
      assert.equal(told.filter((value) => value === null).length, 1)
      assert.ok(!told.includes('old'))
    },
  },
  {
    name: 'of writes at the same time one stands afterwards, whole',
    async run({ open }) {
      const handles = [await open(), await open()]
      const values = Array.from({ length: 10 }, (_, index) => String(index).repeat(2_000))
      await Promise.all(values.map(async (value, index) => handles[index % 2]!.put('k', bytes(value), LONG_MS)))
      assert.ok(values.includes(textOf(await handles[0]!.get('k'))!))
    },
  },
  {
    name: 'a value of 12 MiB is kept; a larger one is too, or is refused and leaves what stood there',
    async run({ open }) {
      const store = await open()
      const most = new Uint8Array(MOST_CACHED_BYTES).fill(0xc3)
      assert.equal(await store.put('most', most, LONG_MS), true)
      assert.equal((await store.get('most'))?.byteLength, most.byteLength)
      await store.put('k', bytes('small'), LONG_MS)
      const huge = new Uint8Array(17 * 1024 * 1024)
      const kept = await store.put('k', huge, LONG_MS)
      const found = await store.get('k')
      if (kept) assert.equal(found?.byteLength, huge.byteLength)
      else assert.equal(textOf(found), 'small')
    },
  },
]
