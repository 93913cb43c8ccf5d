import { demoTokens } from '../../context/demo-tokens.js'
import type { ToolCall } from '../../host.js'
import { valueFor } from './schema-value.js'
import { listOf, textOfContent } from './tokens.js'

type Params = Readonly<Record<string, unknown>>

/** One of the answers to a request. */
export interface Choice {
  readonly content: string | null
  readonly toolCalls: readonly ToolCall[]
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
  readonly tokens: number
}

/** Characters of the question that are echoed. */
const ECHOED = 200
const MAX_CHOICES = 128

/** What the demo model says to a request: the same to the same request. */
export function choicesFor(params: Params): Choice[] {
  const count = typeof params.n === 'number' ? Math.min(MAX_CHOICES, Math.max(1, Math.trunc(params.n))) : 1
  return Array.from({ length: count }, (_, index) => choiceFor(params, { index, count }))
}

function choiceFor(params: Params, place: { index: number; count: number }): Choice {
  const limitBytes = limitOf(params) * 4
  const calls = callsFor(params)
  if (calls.length > 0) return callChoice(calls, limitBytes, place.index)
  const whole = cutAtStop(formatted(params) ?? spoken(params, place), params.stop)
  const content = cutToBytes(whole, limitBytes)
  return { content, toolCalls: [], finishReason: content === whole ? 'stop' : 'length', tokens: demoTokens(content) }
}

function limitOf(params: Params): number {
  const limit = params.max_completion_tokens ?? params.max_tokens
  return typeof limit === 'number' ? limit : Infinity
}

function spoken(params: Params, { index, count }: { index: number; count: number }): string {
  const messages = listOf(params.messages) as readonly { role?: unknown; content?: unknown }[]
  const last = messages[messages.length - 1]
  const said = last?.role === 'tool' ? last : messages.findLast(({ role }) => role === 'user')
  const words = [...textOfContent(said?.content).slice(0, ECHOED * 2)].slice(0, ECHOED).join('')
  const which = count === 1 ? '' : ` This is answer ${index + 1} of ${count}.`
  const echo = last?.role === 'tool' ? `The tool answered: "${words}".` : `You said: "${words}".`
  return `I am hoosh's built-in demo model: no network, no key, no intelligence.${which} ${echo}`
}

/** JSON where the request asks for it; null where it does not. */
function formatted(params: Params): string | null {
  const format = params.response_format as { type?: unknown; json_schema?: { schema?: unknown } } | undefined
  if (format?.type === 'json_object') return JSON.stringify({ model: 'demo', note: "hoosh's built-in demo model" })
  return format?.type === 'json_schema' ? JSON.stringify(valueFor(format.json_schema?.schema)) : null
}

interface FunctionTool {
  readonly name: string
  readonly parameters: unknown
}

/** The tools it calls: the one it is made to, else those that the question names, else the first. */
function callsFor(params: Params): FunctionTool[] {
  const tools = listOf(params.tools).flatMap(functionOf)
  const messages = listOf(params.messages) as readonly { role?: unknown; content?: unknown }[]
  const last = messages[messages.length - 1]
  if (tools.length === 0 || params.tool_choice === 'none' || last?.role === 'tool') return []
  const forced = (params.tool_choice as { function?: { name?: unknown } } | null | undefined)?.function?.name
  if (forced !== undefined) return tools.filter(({ name }) => name === forced).slice(0, 1)
  const question = textOfContent(last?.content)
  const named = tools.filter(({ name }) => question.includes(name))
  const chosen = named.length > 0 ? named : tools
  return named.length > 1 && params.parallel_tool_calls !== false ? chosen : chosen.slice(0, 1)
}

function functionOf(tool: unknown): FunctionTool[] {
  const fn = (tool as { function?: { name?: unknown; parameters?: unknown } } | null)?.function
  return typeof fn?.name === 'string' ? [{ name: fn.name, parameters: fn.parameters ?? { type: 'object' } }] : []
}

function callChoice(tools: readonly FunctionTool[], limitBytes: number, choice: number): Choice {
  let left = limitBytes
  let isCut = false
  const toolCalls = tools.map(({ name, parameters }, index): ToolCall => {
    const whole = JSON.stringify(valueFor(parameters) ?? {})
    left -= Buffer.byteLength(name)
    const text = cutToBytes(whole, Math.max(0, left))
    left -= Buffer.byteLength(text)
    isCut ||= text !== whole
    return { id: `call_demo_${choice}_${index}`, type: 'function', function: { name, arguments: text } }
  })
  const said = toolCalls.map((call) => call.function.name + call.function.arguments).join('')
  const tokens = Math.min(demoTokens(said), Math.max(1, limitBytes / 4))
  return { content: null, toolCalls, finishReason: isCut ? 'length' : 'tool_calls', tokens }
}

function cutAtStop(text: string, stop: unknown): string {
  const stops = (typeof stop === 'string' ? [stop] : listOf(stop)).filter(
    (one) => typeof one === 'string' && one !== '',
  )
  const ends = stops.map((one) => text.indexOf(one as string)).filter((at) => at >= 0)
  return ends.length === 0 ? text : text.slice(0, Math.min(...ends))
}

/** As much of a text as fits, in whole characters. */
function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes))
  return text.slice(0, read)
}
