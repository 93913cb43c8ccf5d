import { HooshError, isForCallers } from '../errors.js'
import type { Identify, Identity } from '../options.js'

/** What a host's `identify` may return. */
export type Answer = ReturnType<Identify<unknown>>

/**
 * The host's decision, null for nobody; whatever is falsy is nobody, since `req.user && { ... }` may be `''` or 0.
 *
 * @throws the HooshError that `identify` throws, as it is; `identify_failed` for `invalid_options` and anything else, with it
 *   as the cause
 */
export async function ask(identify: () => Answer): Promise<Identity | null> {
  try {
    const answer = identify()
    return (isThenable(answer) ? await answer : answer) || null
  } catch (thrown) {
    throw isForCallers(thrown) ? thrown : new HooshError('identify_failed', { cause: thrown })
  }
}

/** A host's ORM may hand out promises of its own making. */
function isThenable(answer: Answer): answer is Exclude<Answer, Identity | null | undefined | false> {
  return typeof answer === 'object' && answer !== null && 'then' in answer
}
