import type { Ask } from './dialect.js'

/** What the engine has dealt with, and hints that change no answer. */
const NOT_FOR_DIALECTS = new Set([
  'model',
  'messages',
  'input',
  'stream',
  'stream_options',
  'prompt_cache_key',
  'prompt_cache_retention',
])

/** Values that ask for nothing but what happens anyway, beside `null` and absence. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: (value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  store: (value) => value === false,
  parallel_tool_calls: (value) => value === true,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  response_format: (value) => typeof value === 'object' && value !== null && 'type' in value && value.type === 'text',
  tools: (value) => Array.isArray(value) && value.length === 0,
  verbosity: (value) => value === 'medium',
  encoding_format: (value) => value === 'float',
}

/** Whether a field of a request asks for something. */
export function asksFor(params: Readonly<Record<string, unknown>>, field: string): boolean {
  const value = params[field]
  return value !== undefined && value !== null && NEUTRAL[field]?.(value) !== true
}

/**
 * Says of every field that the dialect does not know that the provider cannot do it.
 *
 * @param known by the dialect, whether or not it can do what they ask
 */
export function refuseOthers(ask: Ask, known: ReadonlySet<string>): void {
  for (const field of Object.keys(ask.params)) {
    if (!known.has(field) && !NOT_FOR_DIALECTS.has(field) && asksFor(ask.params, field)) ask.cannot(field)
  }
}

/**
 * Names in the answer's header what a dialect has no place for and goes on without: who of several speaks (`name`), and
 * marks of what is to be cached.
 */
export function tellHints(ask: Ask): void {
  const { messages = [], tools = [] } = ask.params as { messages?: readonly Hinted[]; tools?: readonly Hinted[] | null }
  for (const [index, { role, name, content, ...rest }] of messages.entries()) {
    if (name != null && role !== 'tool') ask.adapted(`messages.${index}.name`)
    if (rest.cache_control != null) ask.adapted(`messages.${index}.cache_control`)
    if (!Array.isArray(content)) continue
    for (const [at, part] of (content as (Hinted | string)[]).entries()) {
      if (typeof part === 'object' && part.cache_control != null)
        ask.adapted(`messages.${index}.content.${at}.cache_control`)
    }
  }
  for (const [index, tool] of (tools ?? []).entries())
    if (tool.cache_control != null) ask.adapted(`tools.${index}.cache_control`)
}

type Hinted = Readonly<Record<string, unknown>>
