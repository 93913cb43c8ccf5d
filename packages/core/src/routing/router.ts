import { LRUCache } from 'lru-cache'
import { HooshError } from '../errors.js'
import { compileGlob } from '../glob.js'
import type { RoutingOptions, Strategy } from '../options.js'
import { lastResort } from './last-resort.js'
import { type Candidate, fit, isAskable, isReady, type Route, takers } from './route.js'
import { ordered, type Turn } from './strategies.js'

/** Chooses where a call may go. */
export interface Router {
  readonly routes: readonly Route[]
  /**
   * Routes for a model in the order to try them, open circuits left out.
   *
   * @param provider name of the only route wanted (`x-hoosh-provider`)
   * @param extra models to try after everything else (a call's own `fallbacks`)
   * @throws HooshError `model_not_found`, `providers_unavailable` (every circuit open), `invalid_request` (an
   *   unknown provider, or none named under the strategy `direct`)
   */
  candidates(model: string, want: Want): Candidate[]
  /**
   * Those of a call's candidates that are on local routes, whatever else they are: failing over does not leave them.
   *
   * @param candidates what `candidates` said of the same call
   * @throws HooshError `no_local_route` where no local route serves any model of the call; where one does that cannot
   *   be asked now, what `candidates` says of such a one
   */
  local(model: string, want: Want, candidates: readonly Candidate[]): Candidate[]
  /**
   * Where a call of this model goes first when all is well: takes nobody his turn and asks no circuit.
   *
   * @throws HooshError `model_not_found`, `invalid_request` as above
   */
  first(model: string): Candidate
}

interface Want {
  readonly provider?: string | undefined
  readonly extra?: readonly string[] | undefined
  readonly now: number
}

interface Plan {
  /** One list per model name to try, each with its own turn. */
  readonly steps: readonly Step[]
}

interface Step {
  readonly candidates: readonly Candidate[]
  readonly turn: Turn
}

/** Model names whose plans are remembered. */
const REMEMBERED_PLANS = 2_000

export function createRouter(routes: readonly Route[], options: RoutingOptions = {}): Router {
  const strategy = (options.strategy ?? 'priority').replace('_', '-') as Strategy
  const fallbacks = Object.entries(options.fallbacks ?? {}).map(([pattern, models]) => ({
    glob: compileGlob(pattern),
    models,
  }))
  const table = { routes: routes.filter((route) => route.enabled), strategy, aliases: options.aliases ?? {}, fallbacks }
  const plans = new LRUCache<string, Plan>({ max: REMEMBERED_PLANS })
  const planOf = (model: string, provider?: string): Plan => {
    const key = provider === undefined ? model : `${provider}\n${model}`
    let plan = plans.get(key)
    if (plan === undefined) {
      plan = planFor(table, model, provider)
      // Clients choose names freely: those that lead nowhere push nothing out.
      if (plan.steps.length > 0) plans.set(key, plan)
    }
    return plan
  }
  const stepsOf = (model: string, { provider, extra }: Want): readonly Step[] => {
    const { steps: own } = planOf(model, provider)
    const steps = extra === undefined ? own : [...own, ...extra.flatMap((name) => stepsFor(table, name, provider))]
    if (steps.length === 0) throw unknownModel(model)
    return steps
  }
  return {
    routes,
    candidates: (model, want) => passable(stepsOf(model, want), strategy, model, want.now),
    local(model, want, candidates) {
      const own = candidates.filter(({ route }) => route.local)
      return own.length > 0 ? own : passable(localSteps(stepsOf(model, want)), strategy, model, want.now)
    },
    first(model) {
      const candidate = planOf(model).steps[0]?.candidates[0]
      if (candidate === undefined) throw unknownModel(model)
      return candidate
    },
  }
}

type Table = {
  routes: readonly Route[]
  strategy: Strategy
  aliases: NonNullable<RoutingOptions['aliases']>
  fallbacks: readonly { glob: { test(text: string): boolean }; models: readonly string[] }[]
}

function planFor(table: Table, model: string, provider: string | undefined): Plan {
  if (provider !== undefined && !table.routes.some((route) => route.name === provider)) {
    throw new HooshError('invalid_request', {
      message: `No provider is named "${provider.slice(0, 100)}". Leave out x-hoosh-provider, or name one of: ${table.routes.map((r) => r.name).join(', ')}.`,
      details: { param: 'x-hoosh-provider' },
    })
  }
  const own = stepsFor(table, model, provider)
  const others = provider === undefined ? fallbacksOf(table, model, own) : []
  return { steps: [...own, ...others.flatMap((name) => stepsFor(table, name, undefined))] }
}

function unknownModel(model: string): HooshError {
  return new HooshError('model_not_found', {
    message: `No provider serves the model "${model}". GET /v1/models lists those that are known.`,
    details: { param: 'model' },
  })
}

/** What a name stands for: the models of an alias, else itself. */
function meant(table: Table, model: string): readonly string[] {
  const alias = Object.hasOwn(table.aliases, model) ? table.aliases[model]! : model
  return typeof alias === 'string' ? [alias] : alias
}

function stepsFor(table: Table, model: string, provider: string | undefined): Step[] {
  const steps: Step[] = []
  for (const name of meant(table, model)) {
    const candidates = matching(table, name, provider)
    if (candidates.length > 0) steps.push({ candidates, turn: { next: 0 } })
  }
  return steps
}

/** The whole name first; a prefix counts only if it is the name of a route, since model names contain slashes. */
function matching(table: Table, model: string, provider: string | undefined): Candidate[] {
  const slash = model.indexOf('/')
  const named = slash > 0 ? table.routes.find((route) => route.name === model.slice(0, slash)) : undefined
  if (table.strategy === 'direct' && provider === undefined) {
    if (named === undefined) {
      throw new HooshError('invalid_request', {
        message: `The model "${model}" names no provider. Write "provider/model" or send x-hoosh-provider with one of: ${table.routes.map((r) => r.name).join(', ')}.`,
        details: { param: 'model' },
      })
    }
    return withoutPrefix(named, model.slice(slash + 1))
  }
  const routes = table.routes.filter((route) => provider === undefined || route.name === provider)
  const whole = takers(routes, model)
  if (whole.length > 0) return whole.map((route) => ({ route, model }))
  if (named === undefined || (provider !== undefined && named.name !== provider)) return []
  return withoutPrefix(named, model.slice(slash + 1))
}

function withoutPrefix(route: Route, model: string): Candidate[] {
  return fit(route, model) >= 0 ? [{ route, model }] : []
}

function fallbacksOf(table: Table, model: string, own: readonly Step[]): string[] {
  const names = new Set<string>()
  for (const step of own) for (const { route } of step.candidates) for (const name of route.fallbacks) names.add(name)
  const asked = [model, ...meant(table, model)]
  for (const { glob, models } of table.fallbacks) {
    if (asked.some((name) => glob.test(name))) for (const name of models) names.add(name)
  }
  return [...names]
}

/** @throws HooshError `no_local_route` */
function localSteps(steps: readonly Step[]): Step[] {
  const local = steps
    .map((step) => ({ ...step, candidates: step.candidates.filter(({ route }) => route.local) }))
    .filter(({ candidates }) => candidates.length > 0)
  if (local.length === 0) throw new HooshError('no_local_route')
  return local
}

/** @throws HooshError where none may be asked, nor is due as a last resort */
function passable(steps: readonly Step[], strategy: Strategy, model: string, now: number): Candidate[] {
  const ready = able(steps, strategy, now, isReady)
  if (ready.length > 0) return ready
  const askable = able(steps, strategy, now, isAskable)
  if (askable.length > 0) return askable
  const refusal = lastResort(
    steps.flatMap((step) => step.candidates.map(({ route }) => route)),
    model,
    now,
  )
  if (refusal !== null) throw refusal
  return able(steps, strategy, now, isAskable)
}

function able(steps: readonly Step[], strategy: Strategy, now: number, may: typeof isReady): Candidate[] {
  const result: Candidate[] = []
  for (const step of steps) {
    // Turns are taken among those that can be asked, or the one behind an open circuit would get two shares.
    const open = step.candidates.filter(({ route }) => may(route, now))
    for (const candidate of ordered(open, strategy, step.turn)) {
      if (!result.some(({ route, model }) => route === candidate.route && model === candidate.model))
        result.push(candidate)
    }
  }
  return result
}
