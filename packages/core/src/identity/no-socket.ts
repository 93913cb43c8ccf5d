import { HooshError } from '../errors.js'
import type { Identify } from '../options.js'

/**
 * Who calls where there is neither the host's `identify` nor a socket whose address would tell: with `dev` everybody, as
 * `anonymous`, else nobody, with a message that says what to do.
 */
export function anonymousInDev({ dev }: { readonly dev: boolean }): Identify<unknown> {
  return () => {
    if (dev) return { user: 'anonymous', pool: 'default' }
    throw new HooshError('unauthenticated', {
      message:
        'This app does not say who is calling: give its mount `identify`, or `dev: true` on a machine that only you reach.',
    })
  }
}
