/** The last `max` things that were put in. */
export interface Ring<T> {
  /** Puts one in and returns what had to go for it. */
  push(item: T): T | undefined
}

/** A bounded memory, written around in a circle: a Map as a queue walks over its own gaps. */
export function ring<T>(max: number): Ring<T> {
  const items: T[] = []
  let next = 0
  return {
    push(item) {
      if (max === 0) return item
      const gone = items[next]
      items[next] = item
      next = next + 1 === max ? 0 : next + 1
      return gone
    },
  }
}
