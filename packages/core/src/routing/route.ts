import type { ProviderSettings } from '../config/settings.js'
import { compileGlob, type Glob } from '../glob.js'
import type { Provider, Rest } from '../providers/provider.js'
import { type Circuit, isPassable, newCircuit } from './circuit.js'
import { createPlaces, type Places } from './places.js'

/** One configured way to a provider, with what calls have taught about it. */
export interface Route {
  readonly name: string
  /** Provider type, as it is named in records and metrics. */
  readonly type: string
  readonly local: boolean
  /** Whose prices these are in the table, where the type does not say it. */
  readonly pricedAs?: string
  readonly provider: Provider
  readonly baseUrl: string
  readonly models: readonly string[]
  readonly patterns: readonly Glob[]
  /** Lower is tried first. */
  readonly priority: number
  readonly rpm?: number
  readonly tpm?: number
  /** Absent where it takes any number of calls at the same time. */
  readonly places?: Places
  /** Silence in ms after which the next candidate is asked beside it; absent for never. */
  readonly hedgeMs?: number
  /** Largest output it is asked for. */
  readonly maxTokens?: number
  readonly fallbacks: readonly string[]
  readonly enabled: boolean
  readonly circuit: Circuit
  readonly latency: { /** Smoothed ms to the first byte; null before the first sample. */ ms: number | null }
}

/** A route that can serve a call, and the model's name there. */
export interface Candidate {
  readonly route: Route
  readonly model: string
}

export function routeOf(
  options: ProviderSettings,
  facts: { local: boolean; baseUrl: string; provider: Provider; pricedAs?: string },
): Route {
  return {
    name: options.name ?? options.type,
    type: options.type,
    local: options.local ?? facts.local,
    ...(facts.pricedAs === undefined ? {} : { pricedAs: facts.pricedAs }),
    provider: facts.provider,
    baseUrl: facts.baseUrl,
    models: options.models ?? [],
    patterns: (options.models ?? ['*']).map(compileGlob),
    priority: options.priority ?? 10,
    ...(options.rpm === undefined ? {} : { rpm: options.rpm }),
    ...(options.tpm === undefined ? {} : { tpm: options.tpm }),
    ...(options.hedge === undefined ? {} : { hedgeMs: options.hedge.afterMs }),
    ...(options.concurrency === undefined ? {} : { places: createPlaces(options.concurrency) }),
    ...(options.maxTokens === undefined ? {} : { maxTokens: options.maxTokens }),
    fallbacks: options.fallbacks ?? [],
    enabled: options.enabled ?? true,
    circuit: newCircuit(),
    latency: { ms: null },
  }
}

/** Whether a call may be sent there now: its circuit lets it pass, and the provider has not asked to be left alone. */
export function isReady({ circuit, provider }: Route, now: number): boolean {
  return isPassable(circuit, now) && !rests(provider.rest, now)
}

/**
 * The same where nothing else is left: then limits are no reason, since they may be of one model, and what a provider
 * counts is known to it alone.
 */
export function isAskable({ circuit, provider }: Route, now: number): boolean {
  return isPassable(circuit, now) && (provider.rest?.why === 'limited' || !rests(provider.rest, now))
}

export function rests(rest: Rest | undefined, now: number): boolean {
  return rest !== undefined && now < rest.until
}

/** More than any pattern can have: a model's name has at most 256 characters. */
const IN_FULL = 1_000

/** How exactly a route names a model: in full, by literal characters of its best matching pattern, or not (-1). */
export function fit(route: Route, model: string): number {
  if (route.models.includes(model)) return IN_FULL
  let best = -1
  for (const pattern of route.patterns) {
    if (pattern.literals > best && pattern.test(model)) best = pattern.literals
  }
  return best
}

/** The routes that take a model, the one to try first at the front. */
export function takers(routes: readonly Route[], model: string): Route[] {
  return routes
    .map((route) => ({ route, fit: fit(route, model) }))
    .filter((match) => match.fit >= 0)
    .sort((a, b) => a.route.priority - b.route.priority || b.fit - a.fit)
    .map(({ route }) => route)
}

/** Feeds a route's latency with the time to a first byte: new = (7 old + 3 sample) / 10, in whole ms. */
export function observeLatency(route: Route, sampleMs: number): void {
  const { ms } = route.latency
  route.latency.ms = ms === null ? Math.round(sampleMs) : Math.floor((ms * 7 + sampleMs * 3) / 10)
}
