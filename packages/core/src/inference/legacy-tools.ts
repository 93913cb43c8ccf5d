/**
 * The request with the flat tools and string `tool_choice` of old clients put into OpenAI's form; null where there is
 * nothing to change.
 *
 * A flat tool has neither `type` nor `function`. A string is a forced tool only if it names a declared one: some
 * providers have words of their own there.
 */
export function legacyTools(params: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  const tools = Array.isArray(params.tools) ? (params.tools as Record<string, unknown>[]) : undefined
  const messages = params.messages as Record<string, unknown>[]
  const flat = tools?.some(isFlat) === true
  const flatCalls = messages.some((message) => Array.isArray(message.tool_calls) && message.tool_calls.some(isFlatCall))
  const forced = forcedTool(params.tool_choice, tools)
  if (!flat && !flatCalls && forced === null) return null
  return {
    ...params,
    ...(flat ? { tools: tools!.map((tool) => (isFlat(tool) ? { type: 'function', function: tool } : tool)) } : {}),
    ...(forced === null ? {} : { tool_choice: { type: 'function', function: { name: forced } } }),
    ...(flatCalls ? { messages: messages.map(withWrappedCalls) } : {}),
  }
}

function isFlat(tool: Record<string, unknown>): boolean {
  return tool.type === undefined && tool.function === undefined && typeof tool.name === 'string'
}

function isFlatCall(call: unknown): boolean {
  return typeof call === 'object' && call !== null && !('function' in call) && 'name' in call
}

function withWrappedCalls(message: Record<string, unknown>): Record<string, unknown> {
  if (!Array.isArray(message.tool_calls)) return message
  const calls = message.tool_calls.map((call) => {
    if (!isFlatCall(call)) return call
    const { id, name, arguments: given } = call as Record<string, unknown>
    const text = typeof given === 'string' ? given : JSON.stringify(given ?? {})
    return { id, type: 'function', function: { name, arguments: text } }
  })
  return { ...message, tool_calls: calls }
}

function forcedTool(choice: unknown, tools: Record<string, unknown>[] | undefined): string | null {
  if (typeof choice !== 'string' || choice === 'auto' || choice === 'none' || choice === 'required') return null
  const names = tools?.map((tool) => tool.name ?? (tool.function as Record<string, unknown> | undefined)?.name)
  return names?.includes(choice) === true ? choice : null
}
