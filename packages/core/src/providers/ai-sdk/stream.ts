import { type ChunkWriter, chunkWriter, DONE } from '../translated/chunks.js'
import type { Ask } from '../translated/dialect.js'
import type { CarryingMessage } from '../translated/keepsakes.js'
import { annotationOf, finishOf, imageOf, wireUsage } from './answer.js'
import { callExtra, messageExtra } from './carried.js'
import type { Json } from './messages.js'

/** Parts of one stream of the AI SDK, as OpenAI's events. */
export interface PartTranslator {
  /**
   * Events that one part means, as text; '' for none.
   *
   * @throws what an error part holds
   */
  part(part: Json): string
  /** The answer's message as far as it carries something; known once the last part has come. */
  message(): CarryingMessage
}

interface Told {
  readonly ask: Ask
  writer: ChunkWriter | null
  head: { id?: unknown; modelId?: unknown }
  /** Reasoning by its id, in order. */
  readonly reasoning: Map<string, { text: string; providerMetadata?: unknown }>
  /** Calls by their id, in order. */
  readonly calls: Map<string, { readonly index: number; extra_content?: Json }>
}

export function partTranslator(ask: Ask): PartTranslator {
  const told: Told = { ask, writer: null, head: {}, reasoning: new Map(), calls: new Map() }
  return {
    part: (part) => eventsOf(told, part),
    message: () => ({
      tool_calls: [...told.calls].map(([id, { extra_content }]) => ({ id, extra_content })),
      extra_content: messageExtra([...told.reasoning.values()]),
    }),
  }
}

function writerOf(told: Told): ChunkWriter {
  const { ask, head } = told
  told.writer ??= chunkWriter({
    id: typeof head.id === 'string' ? head.id : ask.requestId,
    created: ask.created,
    model: typeof head.modelId === 'string' ? head.modelId : ask.model,
  })
  return told.writer
}

function eventsOf(told: Told, part: Json): string {
  switch (part.type) {
    case 'response-metadata':
      told.head = { ...told.head, ...part }
      return ''
    case 'text-delta':
      return part.delta === '' ? '' : writerOf(told).text(String(part.delta))
    case 'reasoning-start':
    case 'reasoning-delta':
    case 'reasoning-end':
      return reasoning(told, part)
    case 'tool-input-start':
      return part.providerExecuted === true ? '' : begin(told, String(part.id), part.toolName, '')
    case 'tool-input-delta':
      return args(told, String(part.id), String(part.delta))
    case 'tool-call':
      return part.providerExecuted === true ? '' : call(told, part)
    case 'source':
      return fields(told, 'annotations', annotationOf(part))
    case 'file':
      return fields(told, 'images', imageOf(part))
    case 'finish':
      return finish(told, part)
    case 'error':
      throw part.error
    default:
      return ''
  }
}

function fields(told: Told, name: string, values: readonly object[]): string {
  return values.length === 0 ? '' : writerOf(told).delta({ [name]: values })
}

function reasoning(told: Told, { id, delta, providerMetadata }: Json): string {
  const known = told.reasoning.get(String(id)) ?? { text: '' }
  told.reasoning.set(String(id), known)
  if (providerMetadata !== undefined) known.providerMetadata = providerMetadata
  if (typeof delta !== 'string' || delta === '') return ''
  known.text += delta
  return writerOf(told).reasoning(delta)
}

function begin(told: Told, id: string, name: unknown, given: string): string {
  const index = told.calls.size
  told.calls.set(id, { index })
  return writerOf(told).toolCall({ index, id, name: String(name), arguments: given })
}

function args(told: Told, id: string, delta: string): string {
  const known = told.calls.get(id)
  return known === undefined || delta === '' ? '' : writerOf(told).toolArguments(known.index, delta)
}

/** The whole call, of which the pieces have been told, if there were any. */
function call(told: Told, { toolCallId, toolName, input, providerMetadata }: Json): string {
  const id = String(toolCallId)
  const events = told.calls.has(id) ? '' : begin(told, id, toolName, String(input))
  const extra = callExtra(providerMetadata)
  if (extra !== undefined) told.calls.get(id)!.extra_content = extra
  return events
}

function finish(told: Told, { finishReason, usage }: Json): string {
  const writer = writerOf(told)
  const figures = wireUsage(usage)
  return `${carried(told, writer)}${writer.finish(finishOf(finishReason))}${figures === undefined ? '' : writer.usage(figures)}${DONE}`
}

/** Signatures and the like in one event that the relay knows by its first field, and does not count as text. */
function carried({ reasoning, calls }: Told, writer: ChunkWriter): string {
  const extra = messageExtra([...reasoning.values()])
  const opaque = [...calls.values()].filter(({ extra_content }) => extra_content !== undefined)
  if (extra === undefined && opaque.length === 0) return ''
  return writer.delta({
    extra_content: extra ?? { ai_sdk: {} },
    ...(opaque.length === 0 ? {} : { tool_calls: opaque }),
  })
}
