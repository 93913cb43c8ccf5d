import { promptBound } from '../context/estimate.js'
import { tokenFacts } from '../context/token-facts.js'
import { HooshError } from '../errors.js'
import { compileGlob, type Glob } from '../glob.js'
import type { BudgetOptions } from '../options.js'
import type { Candidate } from '../routing/route.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import { keepsPromises } from './promises.js'

/** What stands in for the models of a pattern where a pool cannot pay for them. */
export interface CheaperModel {
  readonly glob: Glob
  readonly model: string
}

/** The most specific pattern first, as everywhere. */
export function cheaperModels(cheaper: NonNullable<BudgetOptions['cheaper']>): readonly CheaperModel[] {
  return Object.entries(cheaper)
    .map(([pattern, model]) => ({ glob: compileGlob(pattern), model }))
    .sort((a, b) => b.glob.literals - a.glob.literals)
}

/**
 * Where a chat call may go instead of being refused by its budget: to the model that the host names for the one it asks
 * for, as far as its caller may use that, the content may go there, and it can do what the call wants. Empty otherwise.
 *
 * @param instead of what the call was going to
 * @param mustStayLocal whether its content may leave on local routes only
 */
export function cheaperCandidates(
  engine: Engine,
  call: Call,
  instead: readonly Candidate[],
  mustStayLocal: boolean,
): readonly Candidate[] {
  const found = engine.cheaper.find(({ glob }) => glob.test(call.model))
  if (call.kind !== 'chat' || found === undefined || !call.caller.mayUse(found.model)) return []
  const first = instead[0]!
  const bound = promptBound(call.params, tokenFacts(first.route, first.model))
  return routesOf(engine, call, found.model, mustStayLocal).filter(
    (candidate) => candidate.model !== first.model && keepsPromises(call, { bound }, first, candidate),
  )
}

function routesOf(engine: Engine, call: Call, model: string, mustStayLocal: boolean): readonly Candidate[] {
  const want = { provider: call.provider, now: engine.clock() }
  try {
    const candidates = engine.router.candidates(model, want)
    return mustStayLocal ? engine.router.local(model, want, candidates) : candidates
  } catch (error) {
    // It is not to be had now: then the refusal stands.
    if (error instanceof HooshError) return []
    throw error
  }
}
