import { hookFailed } from '../errors.js'
import { compileGlob, type Glob } from '../glob.js'
import type { HooshOptions, Identity, PoolSpec } from '../options.js'
import type { Awaitable } from '../time.js'
import { poolTerms } from './spec.js'
import type { PoolTerms } from './terms.js'

/** What a pool of this name is made with, for this caller; null where the host knows no such pool. */
export type TermsFor = (name: string, identity: Identity) => Awaitable<PoolTerms | null>

/** The pool of an identity that names none. */
export const DEFAULT_POOL = 'default'

const defaultTerms = poolTerms({ tokens: 10_000_000 })

/**
 * Reads `HooshOptions.pools`.
 *
 * Of several patterns that match a name the one with more literal characters wins, then the first; a name without a
 * star wins over all. The pool `default` has 10,000,000 tokens for a lifetime unless the host says otherwise. Templates
 * are checked here and shared by all their pools, so that a look-up allocates nothing.
 *
 * @throws HooshError `invalid_options` for templates, at once; of a function `hook_failed` with each look-up, where it throws or answers with no spec
 */
export function poolTemplates(pools: HooshOptions['pools'] = {}): TermsFor {
  if (typeof pools === 'function') {
    // A host's function in plain JavaScript may well return nothing at all.
    const read = (name: string, spec: PoolSpec | null | undefined) =>
      spec === null || spec === undefined ? builtIn(name) : asked(() => poolTerms(spec, name))
    return (name, identity) => {
      const spec = asked(() => pools(name, identity))
      return isThenable(spec) ? Promise.resolve(spec).then((found) => read(name, found), failed) : read(name, spec)
    }
  }
  const exact = new Map<string, PoolTerms>()
  const patterns: { glob: Glob; terms: PoolTerms }[] = []
  for (const [pattern, spec] of Object.entries(pools)) {
    const terms = poolTerms(spec, pattern)
    if (pattern.includes('*')) patterns.push({ glob: compileGlob(pattern), terms })
    else exact.set(pattern, terms)
  }
  patterns.sort((a, b) => b.glob.literals - a.glob.literals)
  return (name) => exact.get(name) ?? patterns.find(({ glob }) => glob.test(name))?.terms ?? builtIn(name)
}

function asked<Answer>(ask: () => Answer): Answer {
  try {
    return ask()
  } catch (thrown) {
    return failed(thrown)
  }
}

function failed(thrown: unknown): never {
  throw hookFailed('pools', thrown)
}

function builtIn(name: string): PoolTerms | null {
  return name === DEFAULT_POOL ? defaultTerms : null
}

/** Promises of libraries are not always instances of ours. */
function isThenable<T>(value: Awaitable<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
