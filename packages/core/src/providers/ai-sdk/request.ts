import type { Ask } from '../translated/dialect.js'
import { asksFor, refuseOthers, tellHints } from '../translated/fields.js'
import { type Json, promptOf, type Sight } from './messages.js'

/** What is dealt with below, whether or not every model can do it. */
const KNOWN = new Set([
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'presence_penalty',
  'frequency_penalty',
  'stop',
  'seed',
  'response_format',
  'tools',
  'tool_choice',
  'user',
  'metadata',
  'provider_options',
])

/** A chat request as call options of the AI SDK. `provider_options` goes to the package as it is, by its provider's name. */
export function callOptions(ask: Ask, sight: Sight): Json {
  const { params } = ask
  refuseOthers(ask, KNOWN)
  tellHints(ask)
  const stop = params.stop == null ? undefined : [params.stop].flat()
  return withoutNothing({
    prompt: promptOf(ask, sight),
    maxOutputTokens: params.max_completion_tokens ?? params.max_tokens,
    temperature: params.temperature,
    topP: params.top_p,
    topK: params.top_k,
    presencePenalty: params.presence_penalty,
    frequencyPenalty: params.frequency_penalty,
    stopSequences: stop,
    seed: params.seed,
    responseFormat: responseFormat(ask),
    providerOptions: params.provider_options,
    ...toolsOf(ask),
  })
}

function withoutNothing(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

function responseFormat({ params }: Ask): Json | undefined {
  if (!asksFor(params, 'response_format')) return undefined
  const { type, json_schema: shape } = params.response_format as { type?: unknown; json_schema?: Json }
  if (type !== 'json_schema' || shape === undefined) return { type: 'json' }
  return withoutNothing({ type: 'json', schema: shape.schema, name: shape.name, description: shape.description })
}

function toolsOf(ask: Ask): Json {
  const { params } = ask
  if (!asksFor(params, 'tools')) return {}
  const tools = (params.tools as Json[]).flatMap((tool, index) => {
    const given = tool.function as Json | undefined
    if (given === undefined) {
      ask.cannot(`tools.${index}`, 'only functions can be passed on')
      return []
    }
    const inputSchema = given.parameters ?? { type: 'object', properties: {} }
    const { name, description } = given
    return [withoutNothing({ type: 'function', name, description, inputSchema })]
  })
  if (tools.length === 0) return {}
  const choice = params.tool_choice
  if (choice === undefined || choice === null) return { tools }
  if (typeof choice === 'string') return { tools, toolChoice: { type: choice } }
  const name = ((choice as Json).function as Json | undefined)?.name
  if (typeof name === 'string') return { tools, toolChoice: { type: 'tool', toolName: name } }
  ask.cannot('tool_choice', 'a choice among some tools cannot be passed on')
  return { tools }
}

/** Our name of what a package warns that it has left out: a feature of version 3, a setting of version 2. */
const PARAMS: Readonly<Record<string, string>> = {
  maxOutputTokens: 'max_tokens',
  topP: 'top_p',
  topK: 'top_k',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
  stopSequences: 'stop',
  responseFormat: 'response_format',
  toolChoice: 'tool_choice',
}

/** Fields that a model could not do and went on without. */
export function leftOut(warnings: unknown): string[] {
  if (!Array.isArray(warnings)) return []
  return warnings.flatMap((warning: Json) => {
    const name = warning.feature ?? warning.setting
    return typeof name === 'string' ? [PARAMS[name] ?? name] : []
  })
}
