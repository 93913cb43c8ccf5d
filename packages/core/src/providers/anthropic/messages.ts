import { argumentsOf } from '../translated/arguments.js'
import type { Ask } from '../translated/dialect.js'
import { unreadable } from '../translated/media.js'
import { carriedIn, restored } from './carried.js'
import { type Block, blocksOf } from './parts.js'

/** A turn of a conversation as Anthropic wants it. */
export interface Turn {
  readonly role: 'user' | 'assistant' | 'system'
  readonly content: Block[]
}

type Message = Readonly<Record<string, unknown>>

/**
 * Messages as system prompt and turns. Messages of one side in a row become one turn, so that the results of parallel
 * calls stand together, as is demanded.
 *
 * @param inlineSystem later instructions stay where they are, behind a user's turn; else all of them are joined in front
 */
export function conversation(ask: Ask, inlineSystem: boolean): { system: Block[]; turns: Turn[] } {
  const messages = ask.params.messages as readonly Message[]
  const system: Block[] = []
  const turns: Turn[] = []
  /** Instructions that came behind the assistant's turn: they wait for the next of the user. */
  let waiting: Block[] = []
  const add = (role: Turn['role'], content: Block[]) => {
    if (content.length === 0) return
    const last = turns[turns.length - 1]
    if (last?.role === role) last.content.push(...content)
    else turns.push({ role, content })
  }
  for (const [index, message] of messages.entries()) {
    const param = `messages.${index}`
    if (message.name != null && message.role !== 'tool') ask.adapted(`${param}.name`)
    if (message.role === 'system' || message.role === 'developer') {
      const content = blocksOf(ask, message.content, `${param}.content`)
      if (!inlineSystem || turns.length === 0) system.push(...content)
      else if (turns[turns.length - 1]!.role === 'assistant') waiting.push(...content)
      else add('system', content)
    } else if (message.role === 'assistant') {
      add('assistant', assistantBlocks(ask, message, param))
    } else {
      add('user', userBlocks(ask, message, param))
      add('system', waiting)
      waiting = []
    }
  }
  system.push(...waiting)
  // There has to be a turn: with nothing but instructions they are what the user says.
  if (turns.length === 0) add('user', system.splice(0))
  trimEnd(turns[turns.length - 1])
  return { system, turns }
}

/** An answer that is to be continued must not end in white space. */
function trimEnd(turn: Turn | undefined): void {
  const last = turn?.content[turn.content.length - 1]
  if (turn?.role !== 'assistant' || last?.type !== 'text') return
  const text = String(last.text).trimEnd()
  turn.content.splice(-1, 1, ...(text === '' ? [] : [{ ...last, text }]))
}

function userBlocks(ask: Ask, message: Message, param: string): Block[] {
  const blocks = blocksOf(ask, message.content, `${param}.content`)
  if (message.role === 'user') return blocks
  if (message.role !== 'tool')
    throw unreadable(`${param}.role`, 'must be `tool`: results of functions are not known here')
  const { tool_call_id: id, is_error: isError } = message
  if (typeof id !== 'string') throw unreadable(`${param}.tool_call_id`, 'is missing')
  return [
    { type: 'tool_result', tool_use_id: idOf(id), content: blocks, ...(isError === true ? { is_error: true } : {}) },
  ]
}

/** Reasoning that carries no signature is not sent: it would be refused. */
function assistantBlocks(ask: Ask, message: Message, param: string): Block[] {
  if (message.audio != null) ask.cannot(`${param}.audio`, 'it does not listen')
  const texts = blocksOf(ask, message.content, `${param}.content`)
  if (texts.length === 0 && typeof message.refusal === 'string') texts.push({ type: 'text', text: message.refusal })
  const list = Array.isArray(message.tool_calls) ? (message.tool_calls as Message[]) : []
  const calls = list.map((call, index) => toolUse(call, `${param}.tool_calls.${index}`))
  const carried = carriedIn(message)
  return carried === null ? [...texts, ...calls] : restored(carried, texts, calls)
}

function toolUse(call: Message, param: string): Block {
  const { name, arguments: text } = (call.function ?? {}) as Message
  if (typeof call.id !== 'string' || typeof name !== 'string') throw unreadable(param, 'needs an id and a function')
  const input = argumentsOf(text, `${param}.function.arguments`)
  const { cache_control: cached } = call
  return { type: 'tool_use', id: idOf(call.id), name, input, ...(cached == null ? {} : { cache_control: cached }) }
}

/** Ids of other providers, of whom a conversation may come, have characters that are refused here (`functions.look:0`). */
function idOf(id: string): string {
  return id.replace(/[^\w-]/g, '_')
}
