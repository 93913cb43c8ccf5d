/** Waits that can be ended all at once. */
export function sleeping(): { sleep(ms: number): Promise<boolean>; wakeAll(): void } {
  const sleepers = new Set<() => void>()
  let isOver = false
  return {
    /** False where it was woken. */
    sleep: (ms) =>
      new Promise((resolve) => {
        if (isOver) return resolve(false)
        const woken = () => {
          clearTimeout(timer)
          resolve(false)
        }
        const timer = setTimeout(() => {
          sleepers.delete(woken)
          resolve(true)
        }, ms)
        sleepers.add(woken)
      }),
    wakeAll() {
      isOver = true
      for (const wake of sleepers) wake()
      sleepers.clear()
    },
  }
}
