/** What an answer says, whatever the dialect it came in. */
export interface Said {
  readonly text: string
  readonly reasoning: string
  readonly tools: readonly { name: string; arguments: unknown }[]
  readonly finish: 'stop' | 'length' | 'tool_calls' | 'content_filter'
  readonly usage: SaidUsage | null
}

/** Figures that were told; 0 and silence are the same. */
export interface SaidUsage {
  readonly prompt: number
  readonly completion: number
  readonly cached: number
  readonly cacheWrite: number
  readonly reasoning: number
}

interface Part {
  content?: string | null
  reasoning_content?: string
  role?: string
  tool_calls?: { index?: number; id?: string; function: { name?: string; arguments?: string } }[]
}

interface Wire {
  choices?: { message?: Part; delta?: Part; finish_reason: Said['finish'] | null }[]
  usage?: Record<string, number> & Record<string, Record<string, number> | undefined>
}

/** Reads what the gateway answered, plain or as a stream that has to be in good order. */
export function saidBy(text: string, contentType: string): Said {
  if (!contentType.startsWith('text/event-stream')) return ofParts([JSON.parse(text) as Wire])
  const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
  if (events.pop() !== 'data: [DONE]') throw new Error(`the stream did not end: ${text.slice(-500)}`)
  const chunks = events.map((event) => JSON.parse(event.slice(6)) as Wire)
  const roles = chunks.flatMap(({ choices }) => choices?.[0]?.delta?.role ?? [])
  if (chunks[0]?.choices?.[0]?.delta?.role !== 'assistant' || roles.length !== 1)
    throw new Error('the role has to come first, once')
  return ofParts(chunks)
}

/** The message of an answer, put together as clients do it: texts are joined, other fields set. */
export function messageOf(
  text: string,
  contentType: string,
): Record<string, unknown> & { tool_calls?: { id: string; function: { arguments: string } }[] } {
  if (!contentType.startsWith('text/event-stream')) return JSON.parse(text).choices[0].message
  const message: ReturnType<typeof messageOf> = { role: 'assistant', content: '' }
  for (const event of text.split('\n\n').filter((line) => line.startsWith('data: {'))) {
    const delta =
      (JSON.parse(event.slice(6)) as { choices: { delta: Record<string, unknown> }[] }).choices[0]?.delta ?? {}
    const { content, tool_calls: calls = [], ...fields } = delta
    message.content = `${message.content as string}${(content as string | null | undefined) ?? ''}`
    for (const { index, ...call } of calls as { index: number; id: string; function: { arguments: string } }[]) {
      message.tool_calls ??= []
      const known = message.tool_calls[index]
      if (known === undefined) message.tool_calls[index] = call
      else known.function.arguments += call.function.arguments
    }
    Object.assign(message, fields)
  }
  return message
}

function ofParts(chunks: readonly Wire[]): Said {
  let text = ''
  let reasoning = ''
  let finish: Said['finish'] | null = null
  let usage: Wire['usage']
  const calls: { name: string; arguments: string }[] = []
  for (const chunk of chunks) {
    usage = chunk.usage ?? usage
    const choice = chunk.choices?.[0]
    const part = choice?.delta ?? choice?.message ?? {}
    text += part.content ?? ''
    reasoning += part.reasoning_content ?? ''
    finish = choice?.finish_reason ?? finish
    for (const [place, call] of (part.tool_calls ?? []).entries()) {
      const index = call.index ?? place
      calls[index] ??= { name: call.function.name!, arguments: '' }
      calls[index].arguments += call.function.arguments ?? ''
    }
  }
  const tools = calls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) as unknown }))
  return { text, reasoning, tools, finish: finish!, usage: usage === undefined ? null : figures(usage) }
}

function figures(usage: NonNullable<Wire['usage']>): SaidUsage {
  return {
    prompt: usage.prompt_tokens as number,
    completion: (usage.completion_tokens as number | undefined) ?? 0,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    cacheWrite: usage.prompt_tokens_details?.cache_write_tokens ?? 0,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  }
}
