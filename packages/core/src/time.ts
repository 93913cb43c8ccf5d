/** Milliseconds since the epoch. The gateway's own, so that tests and simulations can turn it. */
export type Clock = () => number

/** A value, or a promise of it. In-memory stores answer at once, so that the hot path takes no needless turn. */
export type Awaitable<T> = T | Promise<T>
