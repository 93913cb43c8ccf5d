import { describe, expect, it } from 'vitest'
import { idsFrom } from '../../packages/core/src/random.js'

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('ids', () => {
  it('are UUIDs of version 7 that say when they were made', () => {
    const now = Date.UTC(2026, 10, 28)
    const id = idsFrom(undefined, () => now)()
    expect(id).toMatch(V7)
    expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(now)
  })

  it('rise and differ, also where the clock stands still or steps back, and beyond what a millisecond can count', () => {
    let now = 1_800_000_000_000
    const next = idsFrom(undefined, () => now)
    const ids: string[] = []
    for (let count = 0; count < 10_000; count += 1) {
      if (count % 3_000 === 2_999) now -= 5_000
      ids.push(next())
    }
    expect(ids.every((id) => V7.test(id))).toBe(true)
    expect([...ids].sort()).toEqual(ids)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('come again with the same clock and the same random bytes', () => {
    const made = () => {
      let seed = 0
      const next = idsFrom(
        (bytes) => new Uint8Array(bytes).fill(++seed),
        () => 1_800_000_000_000,
      )
      return [next(), next(), next()]
    }
    expect(made()).toEqual(made())
    expect(made().every((id) => V7.test(id))).toBe(true)
  })
})
