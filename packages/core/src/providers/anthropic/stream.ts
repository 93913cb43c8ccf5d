import { type ChunkWriter, chunkWriter, DONE } from '../translated/chunks.js'
import type { Ask, StreamTranslator } from '../translated/dialect.js'
import type { CarryingMessage } from '../translated/keepsakes.js'
import { annotationsOf, extraOf, finishOf, laterUsage, refusalOf, tierOf, wireUsage } from './answer.js'
import { carriedOf } from './carried.js'
import type { Block } from './parts.js'
import { errorIn } from './refusal.js'

type Json = Readonly<Record<string, unknown>>

/** A block being received: what it says so far, kept where it is wanted at the end. */
interface OpenBlock {
  readonly start: Block
  /** Number of the tool call; -1 where it is none. */
  readonly call: number
  /** Thinking, or the JSON of an input. */
  said: string
  /** Of a text, which nobody needs again; UTF-16 units. */
  length: number
  signature: string
  citations: unknown[] | null
}

interface Stream {
  readonly ask: Ask
  readonly answerTool: string | undefined
  write: ChunkWriter
  usage: Json | null
  calls: number
  isAnswered: boolean
  isFinished: boolean
  readonly open: Map<unknown, OpenBlock>
  readonly blocks: Block[]
  message: CarryingMessage | null
}

/**
 * Events of the Messages API as OpenAI's.
 *
 * @param answerTool the tool whose input is the answer, where one was asked for
 */
export function messageStream(ask: Ask, answerTool: string | undefined): StreamTranslator {
  const { requestId, created, model } = ask
  const stream: Stream = {
    ask,
    answerTool,
    write: chunkWriter({ id: requestId, created, model }),
    usage: null,
    calls: 0,
    isAnswered: false,
    isFinished: false,
    open: new Map(),
    blocks: [],
    message: null,
  }
  return { event: (json) => translate(stream, json as Json), message: () => stream.message }
}

function translate(stream: Stream, event: Json): string {
  switch (event.type) {
    case 'content_block_delta':
      return delta(stream, stream.open.get(event.index)!, event.delta as Json)
    case 'content_block_start':
      return begin(stream, event.index, event.content_block as Block)
    case 'content_block_stop':
      return close(stream, event.index)
    case 'message_start': {
      const { id, model, usage } = event.message as Json
      stream.write = chunkWriter({ id: id as string, created: stream.ask.created, model: model as string })
      stream.usage = laterUsage(null, usage)
      return ''
    }
    case 'message_delta':
      return ended(stream, event)
    case 'message_stop':
      return DONE
    default: {
      const error = errorIn(stream.ask, event)
      if (error !== null) throw error
      return ''
    }
  }
}

function begin(stream: Stream, index: unknown, start: Block): string {
  const { write } = stream
  const isCall = start.type === 'tool_use' && start.name !== stream.answerTool
  const block: OpenBlock = {
    start,
    call: isCall ? stream.calls : -1,
    said: '',
    length: 0,
    signature: '',
    citations: null,
  }
  stream.open.set(index, block)
  if (isCall) {
    stream.calls += 1
    return write.toolCall({ index: block.call, id: start.id as string, name: start.name as string })
  }
  if (start.type === 'text') return text(stream, block, start.text as string)
  if (start.type === 'thinking') return thinking(stream, block, start.thinking as string)
  return ''
}

function text({ write }: Stream, block: OpenBlock, piece: string): string {
  block.length += piece.length
  return piece === '' ? '' : write.text(piece)
}

function thinking({ write }: Stream, block: OpenBlock, piece: string): string {
  block.said += piece
  return piece === '' ? '' : write.reasoning(piece)
}

function delta(stream: Stream, block: OpenBlock, given: Json): string {
  switch (given.type) {
    case 'text_delta':
      return text(stream, block, given.text as string)
    case 'thinking_delta':
      return thinking(stream, block, given.thinking as string)
    case 'input_json_delta':
      return input(stream, block, given.partial_json as string)
    case 'signature_delta':
      block.signature += given.signature as string
      return ''
    case 'citations_delta':
      block.citations ??= []
      block.citations.push(given.citation)
      return ''
    case 'compaction_delta':
      block.said += (given.content as string | null) ?? ''
      return ''
    default:
      return ''
  }
}

function input({ write }: Stream, block: OpenBlock, piece: string): string {
  block.said += piece
  if (piece === '') return ''
  if (block.call >= 0) return write.toolArguments(block.call, piece)
  return block.start.type === 'tool_use' ? write.text(piece) : ''
}

/** Ends a block. An input that came whole, or not at all, is said now: arguments have to be JSON. */
function close(stream: Stream, index: unknown): string {
  const block = stream.open.get(index)!
  stream.open.delete(index)
  const { start } = block
  let out = ''
  if (start.type === 'tool_use' && block.said === '') out = input(stream, block, JSON.stringify(start.input ?? {}))
  stream.blocks.push(whole(stream, block))
  return out
}

/** The block as a plain answer would have it; of a text its length. */
function whole(stream: Stream, { start, call, said, length, signature, citations }: OpenBlock): Block {
  switch (start.type) {
    case 'text':
      return { type: 'text', length, ...(citations === null ? {} : { citations }) }
    case 'thinking':
      return { ...start, thinking: said, signature: signature || start.signature }
    case 'tool_use':
      if (call >= 0) return start
      stream.isAnswered = true
      return { type: 'text', length: said.length }
    case 'compaction':
      return said === '' ? start : { ...start, content: said }
    default:
      return said === '' ? start : { ...start, input: JSON.parse(said) }
  }
}

/** What comes last: citations, what is carried, why it stopped, what it cost. */
function ended(stream: Stream, event: Json): string {
  const { write } = stream
  stream.usage = laterUsage(stream.usage, event.usage)
  const { stop_reason: reason, stop_details: details, container } = event.delta as Json
  if (reason == null || stream.isFinished) return ''
  stream.isFinished = true
  let out = ''
  const annotations = annotationsOf(stream.blocks)
  if (annotations.length > 0) out += write.delta({ annotations })
  const refusal = refusalOf(details)
  if (refusal !== null) out += write.delta({ refusal })
  const extra = extraOf(carriedOf(stream.blocks), container)
  const calls = stream.blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => ({ id: id as string }))
  stream.message = { tool_calls: calls, extra_content: extra }
  if (extra !== undefined) out += write.delta({ extra_content: extra })
  out += write.finish(finishOf(reason, stream.isAnswered), { native_finish_reason: reason })
  const usage = wireUsage(stream.usage)
  return usage === undefined ? out : out + write.usage(usage, tierOf(stream.usage))
}
