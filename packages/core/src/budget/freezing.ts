import { isDeepStrictEqual } from 'node:util'
import type { PoolAsk } from './store.js'
import type { PoolTerms } from './terms.js'
import { unknownPool } from './unknown-pool.js'

/**
 * The override of a pool that is frozen, or is no more; null where it needs none.
 *
 * @param override what counted before the pool's template; null for none
 * @throws HooshError `unknown_pool` where neither says what the pool is
 */
export function freezing(
  { name, terms: template }: PoolAsk,
  override: PoolTerms | null,
  frozen: boolean,
): PoolTerms | null {
  const now = override ?? template
  if (now === null) throw unknownPool(name)
  const { frozen: _before, ...terms } = now
  if (frozen) return { ...terms, frozen }
  return isDeepStrictEqual(terms, template) ? null : terms
}
