import { HooshError } from '../../errors.js'
import { type Figures, usageOf } from '../translated/usage.js'

type Json = Readonly<Record<string, unknown>>

/** An answer that says nothing, not even why. */
export function noAnswer(): HooshError {
  return new HooshError('provider_error', { message: 'Google sent neither an answer nor a reason why there is none.' })
}

/** Why it stopped, in OpenAI's words; what is not here ended without being cut: `stop`. */
const FINISHES: Readonly<Record<string, string>> = {
  MAX_TOKENS: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
}

/** @param calls of functions in the answer */
export function finishOf(reason: unknown, calls: number): string {
  return FINISHES[String(reason)] ?? (calls > 0 ? 'tool_calls' : 'stop')
}

/** What only Google tells of a choice, beside it and not in its message, since nobody wants it back. */
export function factsOf(candidate: Json): object {
  const { finishReason: reason, groundingMetadata: grounding, urlContextMetadata: urls } = candidate
  const google = {
    ...(isEmpty(grounding) ? {} : { grounding_metadata: grounding }),
    ...(isEmpty(urls) ? {} : { url_context_metadata: urls }),
  }
  return {
    ...(reason === undefined ? {} : { native_finish_reason: reason }),
    ...(isEmpty(google) ? {} : { extra_content: { google } }),
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0
}

/** Why an answer was withheld, as far as it is told; null where it was not. */
export function refusalOf({ finishReason: reason, finishMessage: message }: Json): string | null {
  if (FINISHES[String(reason)] !== 'content_filter') return null
  return typeof message === 'string' ? message : `Google withheld the answer: ${reason}.`
}

/** The same of a prompt that was not answered at all; null where nothing is told. */
export function blockOf(feedback: unknown): { refusal: string; reason: unknown } | null {
  const { blockReason: reason, blockReasonMessage: message } = (feedback ?? {}) as Json
  if (reason === undefined) return null
  return { reason, refusal: typeof message === 'string' ? message : `Google does not answer this prompt: ${reason}.` }
}

/**
 * OpenAI's usage; undefined where Google told none. Its prompt has the results of Google's own tools beside it, and its
 * thoughts stand beside the answer, where OpenAI counts both inside.
 */
export function wireUsage(meta: unknown): object | undefined {
  if (typeof meta !== 'object' || meta === null) return undefined
  const told = meta as Json
  if (typeof told.promptTokenCount !== 'number') return undefined
  const cached = told.cachedContentTokenCount
  const thoughts = told.thoughtsTokenCount
  const audioInput = audioOf(told.promptTokensDetails)
  const audioOutput = audioOf(told.candidatesTokensDetails)
  const figures: Figures = {
    prompt: told.promptTokenCount + numberOf(told.toolUsePromptTokenCount),
    completion: numberOf(told.candidatesTokenCount) + numberOf(thoughts),
    ...(typeof cached === 'number' ? { cached } : {}),
    ...(typeof thoughts === 'number' ? { reasoning: thoughts } : {}),
    ...(audioInput === 0 ? {} : { audioInput }),
    ...(audioOutput === 0 ? {} : { audioOutput }),
  }
  return usageOf(figures)
}

/** `service_tier` of the answer, where it is told. */
export function tierOf(meta: unknown): { service_tier?: string } {
  const tier = (meta as Json | null | undefined)?.serviceTier
  return typeof tier === 'string' ? { service_tier: tier === 'standard' ? 'default' : tier } : {}
}

function audioOf(details: unknown): number {
  if (!Array.isArray(details)) return 0
  return (details as Json[]).reduce((sum, one) => sum + (one.modality === 'AUDIO' ? numberOf(one.tokenCount) : 0), 0)
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** Log probabilities of the chosen tokens; null where they were not asked for. */
export function logprobsOf(result: unknown): object | null {
  const { chosenCandidates: chosen, topCandidates: top } = (result ?? {}) as {
    chosenCandidates?: Json[]
    topCandidates?: Json[]
  }
  if (chosen === undefined) return null
  return {
    content: chosen.map((token, index) => ({
      ...probability(token),
      top_logprobs: ((top?.[index]?.candidates ?? []) as Json[]).map(probability),
    })),
    refusal: null,
  }
}

function probability({ token, logProbability }: Json) {
  return { token, logprob: logProbability, bytes: [...Buffer.from(String(token))] }
}
