import type { Ask } from '../translated/dialect.js'
import { asksFor } from '../translated/fields.js'
import { unreadable } from '../translated/media.js'
import type { GeminiFacts } from './facts.js'

type Json = Readonly<Record<string, unknown>>

/** Tools, how they may be used, and the shape of the answer, which is emulated with a function where it has to be. */
export interface ToolsAsked {
  readonly tools?: Json[]
  readonly config?: Json
  /** Fields of `generationConfig`. */
  readonly format?: Json
  /** The function whose arguments are the answer. */
  readonly answerTool?: string
}

const ANSWER_TOOL = 'json_answer'

/**
 * `tools`, `tool_choice`, `response_format` and `web_search_options` in Gemini's terms. A tool without a `function` is
 * Google's own (`{ "google_search": {} }`) and goes up as it is.
 */
export function toolsOf(ask: Ask, facts: GeminiFacts): ToolsAsked {
  const { params } = ask
  const list = asksFor(params, 'tools') ? (params.tools as Json[]) : []
  const functions = list.flatMap((tool, index) => declarationOf(ask, tool, index))
  const own = list.filter((tool) => !('function' in tool) && !('custom' in tool))
  if (asksFor(params, 'web_search_options')) own.push(webSearch(ask))
  const shape = asksFor(params, 'response_format') ? (params.response_format as Json) : null
  const calling = callingConfig(ask, list)
  const hasTools = (functions.length > 0 && calling?.mode !== 'NONE') || own.length > 0
  if (shape !== null && hasTools && !facts.newest) return emulated(ask, { functions, own, calling, shape })
  const tools = [...own, ...(functions.length === 0 ? [] : [{ functionDeclarations: functions }])]
  const config = {
    ...(calling === undefined ? {} : { functionCallingConfig: calling }),
    ...(params.include_server_side_tool_invocations === true ? { includeServerSideToolInvocations: true } : {}),
  }
  return {
    ...(tools.length === 0 ? {} : { tools }),
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...(shape === null ? {} : { format: nativeFormat(ask, shape) }),
  }
}

function declarationOf(ask: Ask, tool: Json, index: number): Json[] {
  if ('custom' in tool) {
    ask.cannot(`tools.${index}`, 'its functions take JSON')
    return []
  }
  if (!('function' in tool)) return []
  const { name, description, parameters } = (tool.function ?? {}) as Json
  if (typeof name !== 'string') throw unreadable(`tools.${index}.function.name`, 'is missing')
  return [
    {
      name,
      ...(description == null ? {} : { description }),
      ...(parameters == null ? {} : { parametersJsonSchema: schemaOf(parameters) }),
    },
  ]
}

/** Google reads JSON Schema as it is, but for the name of its draft. */
function schemaOf(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || !('$schema' in schema)) return schema
  const { $schema: _draft, ...rest } = schema as Json
  return rest
}

function webSearch(ask: Ask): Json {
  const { user_location: location, search_context_size: size } = ask.params.web_search_options as Json
  if (size != null && size !== 'medium') ask.cannot('web_search_options.search_context_size')
  if (location != null) ask.cannot('web_search_options.user_location')
  return { googleSearch: {} }
}

/** A strict function asks that its schema be kept, which is the mode `VALIDATED`. */
function callingConfig(ask: Ask, list: readonly Json[]): Json | undefined {
  const { tool_choice: choice, parallel_tool_calls: parallel } = ask.params
  const functions = list.map((tool) => tool.function as Json | undefined)
  if (parallel === false && functions.some((one) => one !== undefined))
    ask.cannot('parallel_tool_calls', 'it calls as many functions at once as it likes')
  const isStrict = functions.some((one) => one?.strict === true)
  if (choice === undefined || choice === null || choice === 'auto') return isStrict ? { mode: 'VALIDATED' } : undefined
  if (choice === 'none') return { mode: 'NONE' }
  if (choice === 'required' || choice === 'any') return { mode: 'ANY' }
  const wanted = choice as { type?: unknown; function?: Json; allowed_tools?: Json }
  if (wanted.type === 'allowed_tools') {
    const { mode, tools = [] } = (wanted.allowed_tools ?? {}) as { mode?: unknown; tools?: Json[] }
    const names = tools.map((tool) => (tool.function as Json | undefined)?.name ?? tool.name)
    return { mode: mode === 'required' ? 'ANY' : 'VALIDATED', allowedFunctionNames: names }
  }
  const name = wanted.function?.name
  if (typeof name !== 'string') throw unreadable('tool_choice', 'names no tool')
  return { mode: 'ANY', allowedFunctionNames: [name] }
}

function nativeFormat(ask: Ask, shape: Json): Json {
  const { type, json_schema: given } = shape as { type?: unknown; json_schema?: Json }
  if (type === 'json_object') return { responseMimeType: 'application/json' }
  if (type === 'json_schema') {
    const schema = given?.schema == null ? {} : { responseJsonSchema: schemaOf(given.schema) }
    return { responseMimeType: 'application/json', ...schema }
  }
  ask.cannot('response_format')
  return {}
}

/** Models before the newest answer in JSON or use tools; as a function that has to be called both are possible. */
function emulated(
  ask: Ask,
  { functions, own, calling, shape }: { functions: Json[]; own: Json[]; calling: Json | undefined; shape: Json },
): ToolsAsked {
  const { type, json_schema: given } = shape as { type?: unknown; json_schema?: Json }
  const isJson = type === 'json_schema' || type === 'json_object'
  if (own.length > 0 || !isJson) {
    ask.cannot('response_format', 'this model does not answer in JSON beside tools of its own')
    const tools = [...own, ...(functions.length === 0 ? [] : [{ functionDeclarations: functions }])]
    return { tools, ...(calling === undefined ? {} : { config: { functionCallingConfig: calling } }) }
  }
  const about = typeof given?.description === 'string' ? ` ${given.description}` : ''
  const answer = {
    name: ANSWER_TOOL,
    description: `Give the answer: its arguments are all that the user gets to see.${about}`,
    parametersJsonSchema: given?.schema == null ? { type: 'object' } : schemaOf(given.schema),
  }
  const names = calling?.allowedFunctionNames as string[] | undefined
  const isForced = calling?.mode === 'ANY'
  return {
    tools: [{ functionDeclarations: [...functions, ...(isForced ? [] : [answer])] }],
    config: {
      functionCallingConfig: {
        mode: 'ANY',
        ...(names === undefined ? {} : { allowedFunctionNames: isForced ? names : [...names, ANSWER_TOOL] }),
      },
    },
    ...(isForced ? {} : { answerTool: ANSWER_TOOL }),
  }
}
