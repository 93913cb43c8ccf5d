/** Milliseconds since the epoch. The gateway's own, so that tests and simulations can turn it. */
export type Clock = () => number

/** A value, or a promise of it. In-memory stores answer at once, so that the hot path takes no needless turn. */
export type Awaitable<T> = T | Promise<T>

/** What a promise gives, or null where that takes longer than `ms`. It goes on all the same. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
