/** Counts calls that run now, by key, in this process. */
export interface Concurrency {
  /** Enters all keys or none; returns the key that is full, or null. */
  enter(limits: readonly { key: string; limit: number }[]): string | null
  leave(limits: readonly { key: string }[]): void
}

export function concurrency(): Concurrency {
  const running = new Map<string, number>()
  return {
    enter(limits) {
      const full = limits.find(({ key, limit }) => (running.get(key) ?? 0) >= limit)
      if (full !== undefined) return full.key
      for (const { key } of limits) running.set(key, (running.get(key) ?? 0) + 1)
      return null
    },
    leave(limits) {
      for (const { key } of limits) {
        const left = (running.get(key) ?? 1) - 1
        if (left > 0) running.set(key, left)
        else running.delete(key)
      }
    },
  }
}
