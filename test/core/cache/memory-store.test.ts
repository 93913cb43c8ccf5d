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
})
