import { modelFacts } from '../models.js'
import type { Ask } from '../translated/dialect.js'
import { asksFor, refuseOthers } from '../translated/fields.js'
import { unreadable } from '../translated/media.js'
import { type ClaudeFacts, claudeFacts } from './facts.js'
import { conversation } from './messages.js'
import { thinkingOf } from './thinking.js'
import { toolsOf } from './tools.js'

type Json = Record<string, unknown>

/** What of the answer depends on what was asked. */
export interface Asked {
  readonly body: Json
  readonly betas: readonly string[]
  /** The tool whose input is the answer. */
  readonly answerTool: string | undefined
}

/** Fields of Anthropic's own that go up as they are. */
const NATIVE = [
  'top_k',
  'container',
  'mcp_servers',
  'context_management',
  'cache_control',
  'inference_geo',
  'speed',
] as const

const KNOWN = new Set<string>([
  ...NATIVE,
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'web_search_options',
  'reasoning_effort',
  'thinking',
  'output_config',
  'service_tier',
  'user',
  'safety_identifier',
  'metadata',
  'betas',
])

/** The output has to be limited: where nobody does, it is the model's own limit, or what every newer one can. */
const UNKNOWN_OUTPUT = 64_000

/** OpenAI's tiers: `default` is to pay nothing extra, `auto` and `priority` to use what was bought. */
const TIERS: Readonly<Record<string, string>> = { auto: 'auto', priority: 'auto', default: 'standard_only' }

/** OpenAI's chat request as a request of the Messages API. */
export function messagesRequest(ask: Ask): Asked {
  const { params, model } = ask
  refuseOthers(ask, KNOWN)
  const facts = claudeFacts(model)
  const maxTokens =
    numberOf(params.max_completion_tokens) ??
    numberOf(params.max_tokens) ??
    modelFacts(model)?.maxOutput ??
    UNKNOWN_OUTPUT
  const { thinking, effort, byBudget } = thinkingOf(ask, facts, maxTokens)
  const { tools, choice, format, answerTool } = toolsOf(ask, facts, byBudget)
  const { system, turns } = conversation(ask, facts.inlineSystem)
  const output = outputConfig(params, effort, format)
  const metadata = metadataOf(ask)
  const body: Json = {
    model,
    max_tokens: maxTokens,
    ...(system.length === 0 ? {} : { system }),
    messages: turns,
    ...(ask.stream ? { stream: true } : {}),
    ...sampling(ask, facts, byBudget),
    ...(asksFor(params, 'stop') ? { stop_sequences: [params.stop].flat() } : {}),
    ...(tools === undefined ? {} : { tools }),
    ...(choice === undefined ? {} : { tool_choice: choice }),
    ...(thinking === undefined ? {} : { thinking }),
    ...(output === undefined ? {} : { output_config: output }),
    ...(metadata === undefined ? {} : { metadata }),
    ...tierOf(ask),
  }
  for (const field of NATIVE) if (asksFor(params, field) && !(field in body)) body[field] = params[field]
  return { body, betas: betasOf(params.betas), answerTool }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function sampling(ask: Ask, facts: ClaudeFacts, isThinking: boolean): Json {
  const given: Json = {}
  for (const field of ['temperature', 'top_p'] as const) {
    const value = numberOf(ask.params[field])
    // 1 is what both are anyway.
    if (value === undefined || (value === 1 && (field === 'top_p' || isThinking || !facts.sampling))) continue
    if (!facts.sampling) ask.cannot(field, 'this model chooses for itself')
    else if (isThinking && field === 'temperature') ask.cannot(field, 'it is fixed while it thinks')
    else if (facts.oneSampling && 'temperature' in given) ask.cannot(field, 'this model takes it or `temperature`')
    else {
      given[field] = Math.min(1, value)
      if (value > 1) ask.adapted(field)
    }
  }
  return given
}

function outputConfig(params: Ask['params'], effort: string | undefined, format: unknown): Json | undefined {
  const own = params.output_config
  const output = {
    ...(typeof own === 'object' && own !== null ? own : {}),
    ...(effort === undefined ? {} : { effort }),
    ...(format === undefined ? {} : { format }),
  }
  return Object.keys(output).length === 0 ? undefined : output
}

/** Anthropic wants to know one thing, who the user is, and calls it as its own field does. */
function metadataOf(ask: Ask): Json | undefined {
  const { user, safety_identifier: identifier, metadata } = ask.params
  const own = (metadata ?? {}) as Json
  for (const field of Object.keys(own))
    if (field !== 'user_id') ask.cannot(`metadata.${field}`, 'it knows `user_id` only')
  const id = own.user_id ?? identifier ?? user
  return typeof id === 'string' ? { user_id: id } : undefined
}

function tierOf(ask: Ask): Json {
  if (!asksFor(ask.params, 'service_tier')) return {}
  const tier = TIERS[String(ask.params.service_tier)]
  if (tier !== undefined) return { service_tier: tier }
  ask.cannot('service_tier')
  return {}
}

/** Names of features in trial, for the header `anthropic-beta`. */
function betasOf(betas: unknown): string[] {
  if (betas === undefined || betas === null) return []
  if (Array.isArray(betas) && betas.every((name) => typeof name === 'string' && /^[\w.-]{1,100}$/.test(name)))
    return betas
  throw unreadable('betas', 'must be an array of names')
}
