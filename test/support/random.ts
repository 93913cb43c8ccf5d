/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number) {
  let state = seed | 0
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** Whole numbers, both ends included. */
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    between,
    chance: (share: number) => next() < share,
    pick: <T>(from: readonly T[]): T => from[between(0, from.length - 1)]!,
    shuffled<T>(from: readonly T[]): T[] {
      const list = [...from]
      for (let last = list.length - 1; last > 0; last -= 1) {
        const other = between(0, last)
        const moved = list[last]!
        list[last] = list[other]!
        list[other] = moved
      }
      return list
    },
  }
}
