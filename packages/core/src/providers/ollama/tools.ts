import type { Ask } from '../translated/dialect.js'
import { asksFor } from '../translated/fields.js'
import { unreadable } from '../translated/media.js'

type Json = Readonly<Record<string, unknown>>

/** Tools, the shape of the answer, and whether that shape is a call that the model has to make. */
export interface ToolsAsked {
  readonly tools?: Json[]
  readonly format?: unknown
  readonly forced?: ForcedCall
}

/** A call that was forced by the shape of the answer, which Ollama keeps to the letter. */
export interface ForcedCall {
  /** The function that has to be called; null where the answer names one of several. */
  readonly name: string | null
  /** What the model is told, since it is not shown the tools themselves. */
  readonly instruction: string
}

/** `tools`, `tool_choice` and `response_format` in Ollama's terms, which has no way of its own to force a call. */
export function toolsOf(ask: Ask): ToolsAsked {
  const { params } = ask
  const list = asksFor(params, 'tools') ? (params.tools as Json[]) : []
  const all = list.flatMap((tool, index) => toolOf(ask, tool, index))
  const { tools, isForced } = chosen(params.tool_choice, all)
  if (tools.length > 0 && params.parallel_tool_calls === false && !isForced)
    ask.cannot('parallel_tool_calls', 'it calls as many functions at once as it likes')
  if (isForced) return forcedTo(tools)
  return {
    ...(tools.length === 0 ? {} : { tools: tools.map((one) => ({ type: 'function', function: one })) }),
    ...(asksFor(params, 'response_format') ? { format: formatOf(ask) } : {}),
  }
}

interface Declared {
  readonly name: string
  readonly description?: string
  readonly parameters: object
}

function toolOf(ask: Ask, tool: Json, index: number): Declared[] {
  if (!('function' in tool)) {
    ask.cannot(`tools.${index}`, 'it knows functions only')
    return []
  }
  const { name, description, parameters, strict } = (tool.function ?? {}) as Json
  if (typeof name !== 'string') throw unreadable(`tools.${index}.function.name`, 'is missing')
  if (strict === true) ask.adapted(`tools.${index}.function.strict`)
  const schema = typeof parameters === 'object' && parameters !== null ? parameters : { type: 'object', properties: {} }
  return [{ name, ...(typeof description === 'string' ? { description } : {}), parameters: schema }]
}

function chosen(choice: unknown, all: Declared[]): { tools: Declared[]; isForced: boolean } {
  if (choice === undefined || choice === null || choice === 'auto') return { tools: all, isForced: false }
  if (choice === 'none') return { tools: [], isForced: false }
  if (choice === 'required' || choice === 'any') return { tools: all, isForced: all.length > 0 }
  const wanted = choice as { type?: unknown; function?: Json; allowed_tools?: Json }
  if (wanted.type === 'allowed_tools') {
    const { mode, tools = [] } = (wanted.allowed_tools ?? {}) as { mode?: unknown; tools?: Json[] }
    const names = new Set(tools.map((tool) => (tool.function as Json | undefined)?.name ?? tool.name))
    const allowed = all.filter(({ name }) => names.has(name))
    return { tools: allowed, isForced: mode === 'required' && allowed.length > 0 }
  }
  const tools = all.filter(({ name }) => name === wanted.function?.name)
  if (tools.length === 0) throw unreadable('tool_choice', 'names no tool')
  return { tools, isForced: true }
}

function forcedTo(tools: readonly Declared[]): ToolsAsked {
  const about = tools.map((tool) => JSON.stringify(tool)).join('\n')
  const [only] = tools
  if (tools.length === 1) {
    const instruction = `Call this function: answer with nothing but its arguments as JSON.\n${about}`
    return { format: only!.parameters, forced: { name: only!.name, instruction } }
  }
  const calls = tools.map(({ name, parameters }) => ({
    type: 'object',
    properties: { name: { type: 'string', enum: [name] }, arguments: parameters },
    required: ['name', 'arguments'],
  }))
  const instruction = `Call one of these functions: answer with nothing but its name and its arguments as JSON.\n${about}`
  return { format: { anyOf: calls }, forced: { name: null, instruction } }
}

function formatOf(ask: Ask): unknown {
  const { type, json_schema: given } = ask.params.response_format as { type?: unknown; json_schema?: Json }
  if (type === 'json_object') return 'json'
  if (type === 'json_schema') return given?.schema ?? 'json'
  ask.cannot('response_format')
  return undefined
}
