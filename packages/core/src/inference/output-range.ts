import type { BudgetSettings } from '../config/settings.js'
import type { ModelFacts } from '../providers/models.js'
import type { Route } from '../routing/route.js'

/** Assumed where nothing is known of a model: more than any answer that was ever seen. */
export const UNKNOWN_MODEL_OUTPUT = 131_072

/** Output tokens of all choices together, as a range to ask for, and what the caller said himself. */
export interface OutputRange {
  readonly floor: number
  readonly wish: number
  readonly atMost: number
  readonly choices: number
  /** The caller's own limit per choice; null where he named none. */
  readonly callerLimit: number | null
  /** The model's own maximum per choice; null where unknown. */
  readonly modelLimit: number | null
  /** The route's limit per choice; null where it has none. */
  readonly routeLimit: number | null
  /** Its output can be counted as it comes: one streamed choice, no thinking that is billed and not shown. */
  readonly watchable: boolean
}

export function outputRange(
  params: Readonly<Record<string, unknown>>,
  route: Route,
  facts: ModelFacts | null,
  budget: BudgetSettings,
): OutputRange {
  const choices = positive(params.n) ?? 1
  const callerLimit = askedLimit(params)
  const modelLimit = facts === null ? null : (facts.maxOutput ?? facts.contextWindow)
  const routeLimit = route.maxTokens ?? null
  const perChoice = Math.min(callerLimit ?? Infinity, routeLimit ?? Infinity, modelLimit ?? UNKNOWN_MODEL_OUTPUT)
  const atMost = perChoice * choices
  return {
    floor: Math.min(atMost, Math.max(budget.minOutput, choices)),
    wish: Math.min(atMost, budget.defaultOutput),
    atMost,
    choices,
    callerLimit,
    modelLimit,
    routeLimit,
    watchable:
      params.stream === true &&
      choices === 1 &&
      params.logprobs !== true &&
      facts?.reasoning !== true &&
      !(facts === null && route.type === 'google') &&
      !asksToThink(params),
  }
}

/** The larger of a caller's limits per choice, since providers differ in which of the two they know; null for none. */
export function askedLimit(params: Readonly<Record<string, unknown>>): number | null {
  const [newer, older] = [positive(params.max_completion_tokens), positive(params.max_tokens)]
  return newer === null || older === null ? (newer ?? older) : Math.max(newer, older)
}

/** Models that think only where they are asked to. (Google's do it unasked, the newest of which the table may not know.) */
function asksToThink({ reasoning_effort: effort, thinking }: Readonly<Record<string, unknown>>): boolean {
  if (effort !== undefined && effort !== null && effort !== 'none') return true
  return typeof thinking === 'object' && thinking !== null && (thinking as { type?: unknown }).type !== 'disabled'
}

/**
 * The limit per choice to send upstream, or null to leave the request as it is.
 *
 * @param allowed output tokens of all choices that the provider may make: what is held, or for a stream that we watch
 *   what the pools could still give
 * @param modest the most that it is told where the caller named no limit, after it has refused a larger one: of a stream
 *   that we watch it is told nothing then
 */
export function limitToSend(range: OutputRange, allowed: number, modest: number | null): number | null {
  const perChoice = Math.max(1, Math.floor(allowed / range.choices))
  const wanted = Math.min(range.callerLimit ?? Infinity, range.routeLimit ?? Infinity)
  if (wanted !== Infinity) {
    const limit = Math.min(wanted, range.modelLimit ?? Infinity, perChoice)
    return limit === range.callerLimit ? null : limit
  }
  if (perChoice >= (range.modelLimit ?? UNKNOWN_MODEL_OUTPUT)) return null
  if (modest === null) return perChoice
  return range.watchable ? null : Math.min(perChoice, modest)
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null
}
