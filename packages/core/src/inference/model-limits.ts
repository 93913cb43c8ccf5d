import { compileGlob, type Glob } from '../glob.js'
import type { LimitOptions, ModelLimits } from '../options.js'

/** Limits of the models that a pattern names. */
export interface ModelLimit {
  readonly pattern: string
  readonly glob: Glob
  readonly limits: ModelLimits
}

export function modelLimits(models: LimitOptions['models'] = {}): readonly ModelLimit[] {
  return Object.entries(models).map(([pattern, limits]) => ({ pattern, glob: compileGlob(pattern), limits }))
}
