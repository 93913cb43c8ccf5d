import { HooshError } from '../errors.js'
import type { Identity } from '../options.js'
import type { Caller } from './caller.js'

/** What somebody hands on to a credential of theirs. */
export interface Delegated {
  readonly pools: readonly string[]
  readonly models: readonly string[] | undefined
}

/**
 * The pools and models of a credential, never more than whoever makes it has: the caller's own where it names none.
 *
 * @throws HooshError `pool_not_allowed`, `model_not_allowed`
 */
export function delegated(
  by: Caller,
  { pools = by.pools, models = by.identity.models }: { pools?: readonly string[]; models?: readonly string[] },
): Delegated {
  for (const pool of pools) {
    if (!by.pools.includes(pool)) {
      throw new HooshError('pool_not_allowed', {
        message: `The pool "${pool}" is not one of yours.`,
        details: { param: 'pools' },
      })
    }
  }
  for (const pattern of models ?? []) {
    if (!mayGive(by, pattern)) {
      throw new HooshError('model_not_allowed', {
        message: `You may not use all models of "${pattern}" yourself; name patterns of your own, or models in full.`,
        details: { param: 'models' },
      })
    }
  }
  return { pools, models }
}

/** One of its own patterns, or a model in full that it may use: whether one pattern lies within another is not decided. */
function mayGive(by: Caller, pattern: string): boolean {
  const own = by.identity.models
  return own === undefined || own.includes(pattern) || (!pattern.includes('*') && by.mayUse(pattern))
}

/** What else binds somebody, and so the credentials they make. */
export function boundsOf({ tools, priority, metadata }: Identity): Pick<Identity, 'tools' | 'priority' | 'metadata'> {
  return {
    ...(tools !== undefined && { tools }),
    ...(priority !== undefined && { priority }),
    ...(metadata !== undefined && { metadata }),
  }
}
