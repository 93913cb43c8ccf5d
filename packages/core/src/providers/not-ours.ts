import type { UpstreamRequest } from './provider.js'

type Json = Readonly<Record<string, unknown>>

/** What the dialects that are translated put into `extra_content`; fields of other names are the caller's own business. */
const CARRIED = ['anthropic', 'google'] as const

/**
 * The body without what answers of other dialects carry in `extra_content`: a conversation that goes on with a provider of
 * OpenAI's dialect would be refused for it. Most have none, and go up as they are.
 */
export function withoutCarried({ kind, body, params }: UpstreamRequest): Uint8Array | string {
  const { messages } = params
  if (kind !== 'chat' || !Array.isArray(messages) || !messages.some(carries)) return body
  return JSON.stringify({ ...params, messages: messages.map(stripped) })
}

function carries(message: Json): boolean {
  if (message.role !== 'assistant') return false
  return isCarried(message.extra_content) || callsOf(message).some((call) => isCarried(call.extra_content))
}

function callsOf({ tool_calls: calls }: Json): readonly Json[] {
  return Array.isArray(calls) ? calls.filter((call) => typeof call === 'object' && call !== null) : []
}

function isCarried(extra: unknown): extra is Json {
  return typeof extra === 'object' && extra !== null && CARRIED.some((name) => name in extra)
}

function stripped(message: Json): Json {
  if (!carries(message)) return message
  const calls = Array.isArray(message.tool_calls) ? { tool_calls: callsOf(message).map(withoutExtra) } : {}
  return { ...withoutExtra(message), ...calls }
}

function withoutExtra(json: Json): Json {
  const { extra_content: extra, ...rest } = json
  if (!isCarried(extra)) return json
  const others = Object.entries(extra).filter(([name]) => !CARRIED.includes(name as (typeof CARRIED)[number]))
  return others.length === 0 ? rest : { ...rest, extra_content: Object.fromEntries(others) }
}
