import type { Ask } from '../translated/dialect.js'
import { asksFor } from '../translated/fields.js'
import { unreadable } from '../translated/media.js'
import type { ClaudeFacts } from './facts.js'
import type { Block } from './parts.js'

type Json = Readonly<Record<string, unknown>>

/** Tools, how they may be used, and the shape of the answer, which is emulated with a tool where it has to be. */
export interface ToolsAsked {
  readonly tools?: Block[]
  readonly choice?: Json
  /** `output_config.format` */
  readonly format?: Json
  /** The tool whose input is the answer. */
  readonly answerTool?: string
}

const ANSWER_TOOL = 'json_answer'

/**
 * `tools`, `tool_choice`, `parallel_tool_calls`, `response_format` and `web_search_options` in Anthropic's terms. A tool
 * whose type is neither `function` nor OpenAI's `custom` is Anthropic's own and goes up as it is.
 *
 * @param isThinking with a budget: then no tool can be forced
 */
export function toolsOf(ask: Ask, facts: ClaudeFacts, isThinking: boolean): ToolsAsked {
  const { params } = ask
  const list = asksFor(params, 'tools') ? (params.tools as Json[]) : []
  const all = list.flatMap((tool, index) => toolOf(ask, facts, tool, index))
  if (asksFor(params, 'web_search_options')) all.push(webSearch(ask))
  const { tools, mode } = chosen(ask, all)
  const canForce = facts.forcing && !isThinking
  const shape = asksFor(params, 'response_format') ? shapeOf(ask, facts, canForce) : null
  if (shape === null || 'format' in shape) {
    return {
      ...(tools.length === 0 ? {} : { tools, ...choiceOf(ask, mode, canForce) }),
      ...(shape === null ? {} : { format: shape.format }),
    }
  }
  const usable = mode.type === 'none' ? [] : tools
  const choice = usable.length === 0 ? { type: 'tool', name: ANSWER_TOOL } : { type: 'any' }
  return {
    tools: [...usable, shape.tool],
    choice: usable.length === 0 ? choice : withParallel(ask, choice),
    answerTool: ANSWER_TOOL,
  }
}

function toolOf(ask: Ask, facts: ClaudeFacts, tool: Json, index: number): Block[] {
  const { type, function: given, ...more } = tool
  if (type === 'custom' && 'custom' in tool) {
    ask.cannot(`tools.${index}`, 'its tools take JSON')
    return []
  }
  if (given === undefined) return [tool]
  const { name, description, parameters, strict } = given as Json
  if (typeof name !== 'string') throw unreadable(`tools.${index}.function.name`, 'is missing')
  const isStrict = strict === true && facts.structured
  if (strict === true && !isStrict) ask.adapted(`tools.${index}.function.strict`)
  const schema = typeof parameters === 'object' && parameters !== null ? parameters : { type: 'object', properties: {} }
  return [
    {
      name,
      ...(description == null ? {} : { description }),
      input_schema: schema,
      ...(isStrict ? { strict } : {}),
      ...more,
    },
  ]
}

function webSearch(ask: Ask): Block {
  const { user_location: location, search_context_size: size } = ask.params.web_search_options as Json
  if (size != null && size !== 'medium') ask.cannot('web_search_options.search_context_size')
  const approximate = (location as Json | null | undefined)?.approximate as Json | undefined
  return {
    type: 'web_search_20250305',
    name: 'web_search',
    ...(approximate === undefined ? {} : { user_location: { type: 'approximate', ...approximate } }),
  }
}

/** Which tools may be used, and how. */
function chosen(ask: Ask, tools: Block[]): { tools: Block[]; mode: Json } {
  const choice = ask.params.tool_choice
  if (choice === undefined || choice === null) return { tools, mode: {} }
  if (choice === 'auto' || choice === 'none') return { tools, mode: { type: choice } }
  if (choice === 'required' || choice === 'any') return { tools, mode: { type: 'any' } }
  const wanted = choice as { type?: unknown; function?: Json; allowed_tools?: Json }
  if (wanted.type === 'allowed_tools') {
    const { mode, tools: allowed } = (wanted.allowed_tools ?? {}) as { mode?: unknown; tools?: Json[] }
    const names = new Set((allowed ?? []).map((tool) => (tool.function as Json | undefined)?.name ?? tool.name))
    const type = mode === 'required' ? 'any' : 'auto'
    return { tools: tools.filter(({ name }) => names.has(name)), mode: { type } }
  }
  const name = wanted.function?.name
  if (typeof name !== 'string') throw unreadable('tool_choice', 'names no tool')
  return { tools, mode: { type: 'tool', name } }
}

function choiceOf(ask: Ask, mode: Json, canForce: boolean): { choice?: Json } {
  if ((mode.type === 'any' || mode.type === 'tool') && !canForce) {
    ask.cannot('tool_choice', 'no tool can be forced while it thinks, and of some models never')
    return choiceOf(ask, {}, canForce)
  }
  const choice = withParallel(ask, mode)
  return choice.type === undefined ? {} : { choice }
}

function withParallel(ask: Ask, mode: Json): Json {
  if (ask.params.parallel_tool_calls !== false || mode.type === 'none') return mode
  return { type: 'auto', ...mode, disable_parallel_tool_use: true }
}

/**
 * Natively where the model can and the schema is strict, which it must be; else as a tool that has to be used. Null where
 * neither is possible and the caller does without.
 */
function shapeOf(ask: Ask, facts: ClaudeFacts, canForce: boolean): { format: Json } | { tool: Block } | null {
  const format = ask.params.response_format as { type?: unknown; json_schema?: Json }
  const { schema, strict, description } = format.json_schema ?? {}
  if (format.type === 'json_schema' && facts.structured && (strict === true || !canForce)) {
    return { format: { type: 'json_schema', schema: schema ?? { type: 'object' } } }
  }
  if ((format.type !== 'json_schema' && format.type !== 'json_object') || !canForce) {
    ask.cannot('response_format', canForce ? undefined : 'no answer can be forced into JSON while it thinks')
    return null
  }
  const about = typeof description === 'string' ? ` ${description}` : ''
  return {
    tool: {
      name: ANSWER_TOOL,
      description: `Give the answer: its input is all that the user gets to see.${about}`,
      input_schema: typeof schema === 'object' && schema !== null ? schema : { type: 'object' },
    },
  }
}
