import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { Priority } from '../options.js'
import { PRIORITIES } from '../routing/fair-queue.js'

/**
 * Which tier a call waits in: what it asks for, but no higher than its identity may. 0 is served first.
 *
 * @throws HooshError `invalid_request` for a word that names no tier
 */
export function tierOf(asked: string | undefined, { identity }: Caller): number {
  const highest = PRIORITIES.indexOf(identity.priority ?? 'normal')
  if (asked === undefined) return highest
  const tier = PRIORITIES.indexOf(asked as Priority)
  if (tier >= 0) return Math.max(tier, highest)
  throw new HooshError('invalid_request', {
    message: `x-hoosh-priority has to be one of ${PRIORITIES.join(', ')}.`,
    details: { param: 'x-hoosh-priority' },
  })
}
