import { HooshError } from '../errors.js'
import type { Identify, Identity } from '../options.js'

/** What a host's `identify` may return. */
export type Answer = ReturnType<Identify<unknown>>

/**
 * The host's decision, null for nobody; whatever is falsy is nobody, since `req.user && { ... }` may be `''` or 0.
 *
 * @throws the HooshError that `identify` throws, as it is; `identify_failed` for anything else, with it as the cause
 */
export async function ask(identify: () => Answer): Promise<Identity | null> {
  try {
    return (await identify()) || null
  } catch (thrown) {
    throw thrown instanceof HooshError ? thrown : new HooshError('identify_failed', { cause: thrown })
  }
}
