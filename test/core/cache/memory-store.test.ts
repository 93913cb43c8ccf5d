import { cacheStoreCases } from '@hoosh/core/conformance'
import { memoryCache } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'

const HOUR_MS = 3_600_000

describe('the cache in memory', () => {
  it.each(cacheStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const store = memoryCache({ clock: clock.now })
    await run({ open: () => store, advance: (ms) => void clock.advance(ms) })
  })

  it('keeps an entry to the last millisecond of its time', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const store = memoryCache({ clock: clock.now })
    await store.put('k', Buffer.from('v'), 1_000)
    clock.advance(999)
    expect(await store.get('k')).not.toBeNull()
    clock.advance(1)
    expect(await store.get('k')).toBeNull()
  })

  it('holds no more entries than it may: those longest not used go first', async () => {
    const store = memoryCache({ maxEntries: 3 })
    for (const key of ['a', 'b', 'c']) await store.put(key, Buffer.from(key), HOUR_MS)
    await store.get('a')
    await store.put('d', Buffer.from('d'), HOUR_MS)
    const standing = await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => (await store.get(key)) !== null))
    expect(standing).toEqual([true, false, true, true])
  })

  it('holds no more bytes than it may, and refuses a value that would push most of the others out', async () => {
    const store = memoryCache({ maxBytes: 10_000 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) expect(await store.put(key, new Uint8Array(2_400), HOUR_MS)).toBe(true)
    const standing = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (key) => (await store.get(key)) !== null))
    expect(standing.filter(Boolean)).toHaveLength(3)
    expect(await store.put('e', new Uint8Array(2_501), HOUR_MS)).toBe(false)
    expect((await store.get('e'))?.byteLength).toBe(2_400)
  })

  it('forgets nothing that `putIfAbsent` has written, whatever is put there and elsewhere, before its time', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const store = memoryCache({ clock: clock.now })
    for (let count = 0; count < 10_300; count += 1) {
      await store.putIfAbsent(`key ${count}`, Buffer.from('running'), 24 * HOUR_MS)
      await store.put(`alive ${count}`, Buffer.from(''), HOUR_MS)
      await store.put(`key ${count}`, Buffer.from('answered'), 24 * HOUR_MS)
    }
    for (const count of [0, 5_000, 10_299])
      expect(Buffer.from((await store.get(`key ${count}`))!).toString()).toBe('answered')
    clock.advance(24 * HOUR_MS)
    expect(await store.putIfAbsent('key 0', Buffer.from('again'), HOUR_MS)).toBeNull()
  })

  it('refuses a new key where all room is taken by such, and says when to come again', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const store = memoryCache({ clock: clock.now, maxClaimedBytes: 1_000 })
    const claim = async (key: string, ttlMs = HOUR_MS) => store.putIfAbsent(key, new Uint8Array(300), ttlMs)
    await claim('a')
    await claim('b', 2 * HOUR_MS)
    const refused = { code: 'cache_full', status: 503, details: { retryAfterMs: HOUR_MS } }
    await expect(claim('c')).rejects.toMatchObject(refused)
    expect(await claim('a')).not.toBeNull()
    await store.put('other', new Uint8Array(300), HOUR_MS)
    clock.advance(HOUR_MS)
    expect(await claim('c')).toBeNull()
    await expect(claim('d')).rejects.toMatchObject(refused)
    await store.delete('b')
    expect(await claim('d')).toBeNull()
  })

  it('keeps half of that room free of large answers: where they do not fit they are refused, and the key stands', async () => {
    const store = memoryCache({ maxClaimedBytes: 100_000 })
    const answered = async (key: string, bytes: number) => {
      await store.putIfAbsent(key, Buffer.from('running'), HOUR_MS)
      return store.put(key, new Uint8Array(bytes), HOUR_MS)
    }
    expect([await answered('a', 30_000), await answered('b', 30_000)]).toEqual([true, false])
    expect(Buffer.from((await store.get('b'))!).toString()).toBe('running')
    for (let count = 0; count < 10; count += 1) expect(await answered(`small ${count}`, 4_096)).toBe(true)
  })
})
