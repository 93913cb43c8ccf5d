import { isWhole } from '../amount.js'
import { completionTokens, promptTokens, type TokenUsage } from './usage.js'

/** What a provider says that a call used. */
export interface ReportedUsage {
  readonly usage: TokenUsage
}

type Json = { readonly [field: string]: unknown }

/**
 * A usage object of OpenAI's dialect, taken apart into disjoint classes.
 *
 * Null, so that the call is charged by our own count, where it is no object, has no prompt, or has a figure that is
 * negative, fractional or not a safe integer. What is not there counts as nothing. That an
 * answer delivered something while `completion_tokens` is 0 is the caller's to see.
 *
 * Known differences: DeepSeek's `prompt_cache_hit_tokens`, OpenRouter's `cache_write_tokens`, and xAI, which counts
 * reasoning beside `completion_tokens` rather than in it, so the total tells.
 */
export function parseUsage(wire: unknown): ReportedUsage | null {
  if (!isObject(wire)) return null
  const read = reader()
  const prompt = read(wire.prompt_tokens)
  const stated = read(wire.completion_tokens)
  const total = read(wire.total_tokens)
  const inside = isObject(wire.prompt_tokens_details) ? wire.prompt_tokens_details : {}
  const out = isObject(wire.completion_tokens_details) ? wire.completion_tokens_details : {}
  const cached = Math.max(read(inside.cached_tokens), read(wire.prompt_cache_hit_tokens))
  const written = read(inside.cache_write_tokens)
  const audio = read(inside.audio_tokens)
  const thought = read(out.reasoning_tokens)
  const spoken = read(out.audio_tokens)
  const completion = Math.max(thought > stated ? stated + thought : stated, total - prompt)
  if (prompt === 0 || !read.isValid() || !Number.isSafeInteger(prompt + completion)) return null
  return { usage: disjoint({ prompt, cached, written, audio }, { completion, thought, spoken }) }
}

/**
 * Two reports on one call as one: the prompt as the report has it that counts more of it, and so the answer; of equals the
 * later, whose split into classes is the finer. Per class the larger would count a token once in each class it was ever told in.
 */
export function merged(earlier: ReportedUsage, later: ReportedUsage): ReportedUsage {
  const read = promptTokens(earlier.usage) > promptTokens(later.usage) ? earlier.usage : later.usage
  const wrote = completionTokens(earlier.usage) > completionTokens(later.usage) ? earlier.usage : later.usage
  const { input, cachedInput, cacheWrite, audioInput } = read
  const { output, reasoning, audioOutput } = wrote
  return { usage: { input, cachedInput, cacheWrite, audioInput, output, reasoning, audioOutput } }
}

/** The dearest class keeps what two classes claim: audio before cache writes before cached, audio before reasoning. */
function disjoint(
  input: { prompt: number; cached: number; written: number; audio: number },
  output: { completion: number; thought: number; spoken: number },
): TokenUsage {
  const audioInput = Math.min(input.audio, input.prompt)
  const cacheWrite = Math.min(input.written, input.prompt - audioInput)
  const cachedInput = Math.min(input.cached, input.prompt - audioInput - cacheWrite)
  const audioOutput = Math.min(output.spoken, output.completion)
  const reasoning = Math.min(output.thought, output.completion - audioOutput)
  return {
    input: input.prompt - audioInput - cacheWrite - cachedInput,
    cachedInput,
    cacheWrite,
    audioInput,
    output: output.completion - audioOutput - reasoning,
    reasoning,
    audioOutput,
  }
}

/** Reads figures; remembers whether one of them was none. */
function reader(): { (figure: unknown): number; isValid(): boolean } {
  let valid = true
  const read = (figure: unknown) => {
    if (figure === undefined || figure === null) return 0
    if (isWhole(figure)) return figure
    valid = false
    return 0
  }
  return Object.assign(read, { isValid: () => valid })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
