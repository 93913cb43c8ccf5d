import { costOf } from './price.js'
import type { Quote } from './prices.js'
import { noUsage } from './usage.js'

/** Rising; a request asks for at least one of them. */
export const MODEL_TIERS = ['economy', 'standard', 'premium', 'reasoning'] as const

export type ModelTier = (typeof MODEL_TIERS)[number]

/** What a request will need. */
export interface CallProfile {
  readonly inputTokens: number
  readonly maxOutputTokens: number
  readonly usesTools: boolean
  readonly hasVision: boolean
  readonly hasSystemPrompt: boolean
}

/** A model of a route, as the optimiser has to know it. */
export interface ModelCandidate {
  readonly model: string
  /** Provider type. */
  readonly provider: string
  readonly tier: ModelTier
  readonly contextWindow: number
  readonly text: boolean
  readonly vision: boolean
  readonly tools: boolean
  readonly systemPrompt: boolean
  /** Null where no price is known; such a model is never recommended. */
  readonly quote: Quote | null
}

export interface Recommendation {
  readonly model: string
  readonly provider: string
  readonly tier: ModelTier
  readonly requiredTier: ModelTier
  /** With all of the output used. */
  readonly nanoUsd: number
}

/** Long prompts, and tools on longer ones, are beyond what economy models do well. */
const LONG_PROMPT = 10_000
const LONG_PROMPT_WITH_TOOLS = 2_000

/** The cheapest model that can do it, the first of equals; null where none can. */
export function recommend(profile: CallProfile, candidates: Iterable<ModelCandidate>): Recommendation | null {
  const requiredTier = tierFor(profile)
  const usage = { ...noUsage, input: profile.inputTokens, output: profile.maxOutputTokens }
  let best: Recommendation | null = null
  for (const candidate of candidates) {
    const { model, provider, tier, quote } = candidate
    if (quote === null || !canServe(candidate, profile, requiredTier)) continue
    const nanoUsd = costOf(usage, quote)
    if (best === null || nanoUsd < best.nanoUsd) best = { model, provider, tier, requiredTier, nanoUsd }
  }
  return best
}

function tierFor({ inputTokens, usesTools, hasVision }: CallProfile): ModelTier {
  const isDemanding = hasVision || inputTokens > LONG_PROMPT || (usesTools && inputTokens > LONG_PROMPT_WITH_TOOLS)
  return isDemanding ? 'standard' : 'economy'
}

function canServe(candidate: ModelCandidate, profile: CallProfile, required: ModelTier): boolean {
  return (
    MODEL_TIERS.indexOf(candidate.tier) >= MODEL_TIERS.indexOf(required) &&
    candidate.text &&
    (candidate.vision || !profile.hasVision) &&
    (candidate.tools || !profile.usesTools) &&
    (candidate.systemPrompt || !profile.hasSystemPrompt) &&
    profile.inputTokens + profile.maxOutputTokens <= candidate.contextWindow
  )
}
