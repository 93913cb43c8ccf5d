import type { Ask } from '../translated/dialect.js'
import { asksFor, refuseOthers, tellHints } from '../translated/fields.js'
import { messagesOf } from './messages.js'
import { type ForcedCall, toolsOf } from './tools.js'

type Json = Record<string, unknown>

/** A request, and the call that its answer is, where one is forced. */
export interface Asked {
  readonly body: Json
  readonly forced: ForcedCall | undefined
}

/** Fields of Ollama's own that go up as they are. */
const OWN = ['keep_alive', 'truncate', 'shift'] as const

/** What stands in `options` there, under names that are the same in both or known from elsewhere. */
const OPTIONS = [
  'temperature',
  'top_p',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'top_k',
  'min_p',
  'repeat_penalty',
  'num_ctx',
] as const

const KNOWN = new Set<string>([
  ...OWN,
  ...OPTIONS,
  'options',
  'think',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'logprobs',
  'top_logprobs',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  // Nobody there asks whom an answer is for.
  'user',
  'safety_identifier',
])

/** OpenAI's chat request as a request of `/api/chat`. */
export function chatRequest(ask: Ask): Asked {
  refuseOthers(ask, KNOWN)
  tellHints(ask)
  const { params, model } = ask
  const { tools, format, forced } = toolsOf(ask)
  const messages = messagesOf(ask)
  if (forced !== undefined) messages.push({ role: 'system', content: forced.instruction })
  const think = thinkOf(ask)
  const options = optionsOf(params)
  const body: Json = {
    model,
    messages,
    stream: ask.stream,
    ...(tools === undefined ? {} : { tools }),
    ...(format === undefined ? {} : { format }),
    ...(think === undefined ? {} : { think }),
    ...(asksFor(params, 'logprobs') ? { logprobs: true } : {}),
    ...(asksFor(params, 'top_logprobs') ? { top_logprobs: params.top_logprobs } : {}),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  }
  for (const field of OWN) if (asksFor(params, field)) body[field] = params[field]
  return { body, forced }
}

function optionsOf(params: Ask['params']): Json {
  const own = params.options
  const options: Json = { ...(typeof own === 'object' && own !== null ? own : {}) }
  for (const field of OPTIONS) if (asksFor(params, field)) options[field] = params[field]
  if (asksFor(params, 'stop')) options.stop = [params.stop].flat()
  const limit = params.max_completion_tokens ?? params.max_tokens
  if (limit != null) options.num_predict = limit
  return options
}

const LEVELS: Readonly<Record<string, string>> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
}

/** Only gpt-oss knows levels, and cannot stop thinking; the others think or do not. */
function thinkOf(ask: Ask): unknown {
  const { think, reasoning_effort: effort } = ask.params
  if (think !== undefined && think !== null) return think
  if (!asksFor(ask.params, 'reasoning_effort')) return undefined
  const level = LEVELS[String(effort)]
  const hasLevels = ask.model.includes('gpt-oss')
  if (effort === 'none' && !hasLevels) return false
  if (level === undefined) {
    ask.cannot('reasoning_effort', effort === 'none' ? 'this model cannot stop thinking' : undefined)
    return undefined
  }
  return hasLevels ? level : true
}
