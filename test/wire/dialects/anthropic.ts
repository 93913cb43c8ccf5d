import type { Recorded } from '../../support/fixtures.js'
import type { DialectReplay } from './replay.js'
import type { Said } from './said.js'

type Json = Record<string, unknown>

/** Fields that OpenAI's dialect has no word for: they are sent as they are. */
const NATIVE = ['top_k', 'container', 'mcp_servers', 'context_management', 'cache_control', 'thinking'] as const

const lessThan = (json: Json, ...fields: string[]): Json =>
  Object.fromEntries(Object.entries(json).filter(([field]) => !fields.includes(field)))
const base64Url = ({ media_type: type, data }: Json) => `data:${type as string};base64,${data as string}`

function part(block: Json): Json {
  const source = block.source as Json | undefined
  const more = lessThan(block, 'type', 'source')
  if (block.type === 'image' && source?.type === 'url')
    return { type: 'image_url', image_url: { url: source.url }, ...more }
  if (block.type === 'image' && source?.type === 'base64')
    return { type: 'image_url', image_url: { url: base64Url(source) }, ...more }
  if (block.type !== 'document' || source === undefined || source.type === 'file') return block
  const text = () => Buffer.from(source.data as string).toString('base64')
  const data =
    source.type === 'url' ? source.url : source.type === 'text' ? `data:text/plain;base64,${text()}` : base64Url(source)
  return { type: 'file', file: { file_data: data }, ...more }
}

const blocks = (content: unknown): Json[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : (content as Json[])

function messagesOf({ role, content }: Json): Json[] {
  const all = blocks(content)
  if (role === 'assistant') return [assistant(all)]
  const results = all
    .filter(({ type }) => type === 'tool_result')
    .map((result) => ({
      role: 'tool',
      tool_call_id: result.tool_use_id,
      content: typeof result.content === 'string' ? result.content : blocks(result.content ?? []).map(part),
      ...(result.is_error === true ? { is_error: true } : {}),
    }))
  const rest = all.filter(({ type }) => type !== 'tool_result')
  return rest.length === 0 ? results : [...results, { role, content: rest.map(part) }]
}

function assistant(all: Json[]): Json {
  const calls = all
    .filter(({ type }) => type === 'tool_use')
    .map(({ id, name, input }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(input) } }))
  const texts = all.filter(({ type }) => type === 'text')
  const isPlain = texts.length + calls.length === all.length && texts.every(({ citations }) => citations == null)
  const content = all.map((block) => {
    if (block.type === 'tool_use') return { type: 'tool_use', id: block.id }
    if (block.type !== 'text') return block
    return { ...lessThan(block, 'text'), length: (block.text as string).length }
  })
  return {
    role: 'assistant',
    content: isPlain && texts.length === 1 ? texts : texts.map(({ text }) => text as string).join(''),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(isPlain && texts.length <= 1 ? {} : { extra_content: { anthropic: { content } } }),
  }
}

function tool(given: Json): Json {
  if (given.type !== undefined && given.type !== 'custom') return given
  const { name, description, input_schema: parameters, strict } = given
  const more = lessThan(given, 'type', 'name', 'description', 'input_schema', 'strict')
  return { type: 'function', function: { name, description, parameters, strict }, ...more }
}

const CHOICES: Json = { any: 'required', auto: 'auto', none: 'none' }

/** Effort and adaptive thinking in one are `reasoning_effort`, where the model shows its thinking as we ask it to. */
function effort({ thinking, output_config: output }: Json): Json {
  const { effort: level, format, ...rest } = (output ?? {}) as Json
  const isOurs = level !== undefined && (thinking as Json | undefined)?.display === 'summarized'
  const own = isOurs || level === undefined ? rest : { ...rest, effort: level }
  return {
    ...(isOurs ? { reasoning_effort: level, thinking: undefined } : {}),
    ...(Object.keys(own).length === 0 ? {} : { output_config: own }),
    ...(format === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'answer', strict: true, schema: (format as Json).schema },
          },
        }),
  }
}

function toOpenAI({ request }: Recorded): Json {
  const system = request.system === undefined ? [] : [{ role: 'system', content: blocks(request.system) }]
  const choice = request.tool_choice as Json | undefined
  const native = Object.fromEntries(NATIVE.flatMap((field) => (field in request ? [[field, request[field]]] : [])))
  return {
    model: request.model,
    max_completion_tokens: request.max_tokens,
    messages: [...system, ...(request.messages as Json[]).flatMap(messagesOf)],
    ...(request.stream === true ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...(request.tools === undefined ? {} : { tools: (request.tools as Json[]).map(tool) }),
    ...(choice === undefined
      ? {}
      : { tool_choice: CHOICES[choice.type as string] ?? { type: 'function', function: { name: choice.name } } }),
    ...(choice?.disable_parallel_tool_use === true ? { parallel_tool_calls: false } : {}),
    ...(request.stop_sequences === undefined ? {} : { stop: request.stop_sequences }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.top_p === undefined ? {} : { top_p: request.top_p }),
    ...(request.metadata === undefined ? {} : { user: (request.metadata as Json).user_id }),
    ...native,
    ...effort(request),
  }
}

/** A request with its defaults and its shorthands gone: what is left means something. */
function meaning(request: Json): unknown {
  const turns: { role: unknown; content: unknown[] }[] = []
  for (const message of request.messages as Json[]) {
    const content = blocks(message.content).map(blockMeaning)
    const last = turns.at(-1)
    if (last?.role === message.role) last?.content.push(...content)
    else turns.push({ role: message.role, content })
  }
  const { type, ...choice } = (request.tool_choice ?? { type: 'auto' }) as Json
  return present({
    ...request,
    stream: request.stream === true,
    system: request.system === undefined ? undefined : blocks(request.system).map(present),
    messages: turns,
    tools: (request.tools as Json[] | undefined)?.map((given) =>
      present({
        ...given,
        type: given.type === 'custom' ? undefined : given.type,
        description: given.description || undefined,
      }),
    ),
    tool_choice: type === 'auto' && Object.keys(choice).length === 0 ? undefined : request.tool_choice,
  })
}

function blockMeaning(block: Json): unknown {
  if (block.type !== 'tool_result') return present(block)
  return present({
    ...block,
    is_error: block.is_error === true ? true : undefined,
    content: blocks(block.content ?? []).map(present),
  })
}

/** Without what is null or absent. */
const present = (json: Json): Json =>
  Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined && value !== null))

const FINISHES: Record<string, Said['finish']> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  refusal: 'content_filter',
}

const answerOf = ({ body, contentType }: Recorded): Json =>
  contentType.startsWith('text/event-stream') ? assembled(body) : (JSON.parse(body) as Json)

/** Blocks that have to come back; a note on who called a tool need not, and empty texts must not. */
const kept = (content: Json[]): unknown[] =>
  content
    .filter(({ type, text }) => type !== 'text' || text !== '')
    .map((block) => present(block.type === 'tool_use' ? lessThan(block, 'caller') : block))

/** What the model said last: of two of its turns in a row, which are one, as much as the answer had. */
function sentBack(request: Json, exchange: Recorded): unknown {
  const turns = (request.messages as Json[]).filter(({ role }) => role === 'assistant')
  const content = turns.at(-1)!.content as Json[]
  return kept(content).slice(-kept(answerOf(exchange).content as Json[]).length)
}

function said(exchange: Recorded): Said {
  const message = answerOf(exchange)
  const content = message.content as Json[]
  const joined = (type: string) =>
    content.flatMap((block) => (block.type === type ? [block[type] as string] : [])).join('')
  const usage = message.usage as Record<string, number> & { output_tokens_details?: { thinking_tokens?: number } }
  const [cached, cacheWrite] = [usage.cache_read_input_tokens ?? 0, usage.cache_creation_input_tokens ?? 0]
  return {
    text: joined('text'),
    reasoning: joined('thinking'),
    tools: content.flatMap(({ type, name, input }) =>
      type === 'tool_use' ? [{ name: name as string, arguments: input }] : [],
    ),
    finish: FINISHES[message.stop_reason as string]!,
    usage: {
      prompt: usage.input_tokens! + cached + cacheWrite,
      completion: usage.output_tokens!,
      cached,
      cacheWrite,
      reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
    },
  }
}

/** A streamed answer as the message that it means. */
function assembled(body: string): Json {
  const events = body
    .split('\n')
    .flatMap((line) => (line.startsWith('data:') ? [JSON.parse(line.slice(5)) as Json] : []))
  const content: Json[] = []
  const inputs: Record<number, string> = {}
  let usage: Json = {}
  let reason: unknown
  for (const event of events) {
    const index = event.index as number
    const delta = event.delta as Json | undefined
    if (event.type === 'message_start') usage = (event.message as Json).usage as Json
    if (event.type === 'content_block_start') content[index] = { ...(event.content_block as Json) }
    if (event.type === 'message_delta') {
      usage = { ...usage, ...(event.usage as Json) }
      reason = delta!.stop_reason
    }
    if (event.type !== 'content_block_delta') continue
    const block = content[index]!
    if (delta!.type === 'text_delta') block.text = `${block.text as string}${delta!.text as string}`
    if (delta!.type === 'thinking_delta') block.thinking = `${block.thinking as string}${delta!.thinking as string}`
    if (delta!.type === 'input_json_delta') inputs[index] = `${inputs[index] ?? ''}${delta!.partial_json as string}`
    if (delta!.type === 'signature_delta') block.signature = delta!.signature
    if (delta!.type === 'citations_delta')
      block.citations = [...((block.citations as unknown[]) ?? []), delta!.citation]
    if (inputs[index]) block.input = inputs[index]
  }
  for (const block of content) if (typeof block.input === 'string') block.input = JSON.parse(block.input)
  return { content, usage, stop_reason: reason }
}

export const anthropicReplay: DialectReplay = {
  dialect: 'anthropic-messages',
  type: 'anthropic',
  toOpenAI,
  meaning,
  path: () => '/v1/messages',
  said,
  back: { answered: (exchange) => kept(answerOf(exchange).content as Json[]), sentBack },
}
