import type { PoolTerms } from './terms.js'

/** What stands for terms that cannot be read: nobody knows what the pool may spend, so it spends nothing until they are set anew. */
const UNREADABLE: PoolTerms = Object.freeze({
  capacity: Object.freeze({ tokens: 0, nanoUsd: 0 }),
  window: null,
  timeZone: 'UTC',
  unpriced: 'refuse',
  frozen: true,
})

/**
 * Terms as a store has kept them, frozen. Those that were damaged freeze their pool, and no other.
 *
 * @param text what `JSON.stringify` made of them
 */
export function storedTerms(text: string): PoolTerms {
  try {
    const terms = JSON.parse(text) as PoolTerms
    return Object.getPrototypeOf(terms.capacity) === Object.prototype ? Object.freeze(terms) : UNREADABLE
  } catch {
    return UNREADABLE
  }
}
