import { type Figures, usageOf } from '../translated/usage.js'
import { lengthOf } from './carried.js'
import type { Block } from './parts.js'

type Json = Readonly<Record<string, unknown>>

/** Why it stopped, in OpenAI's words. `pause_turn` is told beside them, in `native_finish_reason`. */
const FINISHES: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'content_filter',
}

/** @param isAnswerTool the tool call that ended it was the answer */
export function finishOf(reason: unknown, isAnswerTool: boolean): string {
  const finish = FINISHES[String(reason)] ?? 'stop'
  return isAnswerTool && finish === 'tool_calls' ? 'stop' : finish
}

const TIERS: Readonly<Record<string, string>> = { standard: 'default', priority: 'priority', batch: 'batch' }

/** `service_tier` of the answer, where it is told. */
export function tierOf(usage: unknown): { service_tier?: string } {
  const tier = TIERS[String((usage as Json | null | undefined)?.service_tier)]
  return tier === undefined ? {} : { service_tier: tier }
}

/** Figures of one report; those of later ones are as large or larger. */
const FIGURES = ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'] as const

/** Two reports on one answer as one: per figure the larger, of everything else the later. */
export function laterUsage(first: Json | null, second: unknown): Json | null {
  if (typeof second !== 'object' || second === null) return first
  const later = second as Json
  if (first === null) return later
  const merged: Record<string, unknown> = { ...first, ...later }
  for (const figure of FIGURES) merged[figure] = largest(first[figure], later[figure])
  return merged
}

function largest(a: unknown, b: unknown): unknown {
  if (typeof a !== 'number') return b ?? a
  return typeof b === 'number' ? Math.max(a, b) : a
}

/**
 * OpenAI's usage; undefined where Anthropic told none. Its `input_tokens` are those that no cache had, so the prompt is
 * the sum of three.
 */
export function wireUsage(usage: Json | null): object | undefined {
  if (usage === null || typeof usage.input_tokens !== 'number' || typeof usage.output_tokens !== 'number')
    return undefined
  const cached = usage.cache_read_input_tokens
  const written = usage.cache_creation_input_tokens
  const thought = (usage.output_tokens_details as Json | null | undefined)?.thinking_tokens
  const server = usage.server_tool_use
  const figures: Figures = {
    prompt: usage.input_tokens + numberOf(cached) + numberOf(written),
    completion: usage.output_tokens,
    ...(typeof cached === 'number' ? { cached } : {}),
    ...(typeof written === 'number' ? { cacheWrite: written } : {}),
    ...(typeof thought === 'number' ? { reasoning: thought } : {}),
  }
  return { ...usageOf(figures), ...(server == null ? {} : { server_tool_use: server }) }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** Citations of pages as OpenAI's annotations; those of documents are carried with their text alone. */
export function annotationsOf(blocks: readonly Block[]): object[] {
  let end = 0
  return blocks.flatMap((block) => {
    if (block.type !== 'text') return []
    const start = end
    end += lengthOf(block)
    const citations = Array.isArray(block.citations) ? (block.citations as Json[]) : []
    return citations.flatMap(({ url, title }) => {
      if (typeof url !== 'string') return []
      return [{ type: 'url_citation', url_citation: { url, title: title ?? '', start_index: start, end_index: end } }]
    })
  })
}

/** Why it refused, in its own words; null where it gave none. */
export function refusalOf(details: unknown): string | null {
  const { type, explanation } = (details ?? {}) as Json
  return type === 'refusal' && typeof explanation === 'string' ? explanation : null
}

/** What is carried beside the message; undefined for nothing. */
export function extraOf(content: readonly Block[] | undefined, container: unknown): object | undefined {
  if (content === undefined && container == null) return undefined
  const extra = { ...(content === undefined ? {} : { content }), ...(container == null ? {} : { container }) }
  return { anthropic: extra }
}
