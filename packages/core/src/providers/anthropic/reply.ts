import type { Ask } from '../translated/dialect.js'
import { annotationsOf, extraOf, finishOf, refusalOf, tierOf, wireUsage } from './answer.js'
import { carriedOf } from './carried.js'
import type { Block } from './parts.js'
import { errorIn } from './refusal.js'

type Json = Readonly<Record<string, unknown>>

/**
 * A message of the Messages API as a chat completion.
 *
 * @param answerTool the tool whose input is the answer, where one was asked for
 */
export function completionOf(ask: Ask, json: unknown, answerTool: string | undefined): object {
  const message = json as Json
  const error = errorIn(ask, message)
  if (error !== null) throw error
  const all = message.content as Block[]
  const isAnswer = (block: Block) => block.type === 'tool_use' && answerTool !== undefined && block.name === answerTool
  const isAnswered = all.some(isAnswer)
  const blocks = all.map((block) => (isAnswer(block) ? { type: 'text', text: JSON.stringify(block.input) } : block))
  const { usage = null } = message
  const told = wireUsage(usage as Json | null)
  return {
    id: message.id,
    object: 'chat.completion',
    created: ask.created,
    model: message.model,
    choices: [
      {
        index: 0,
        message: assistantMessage(message, blocks),
        finish_reason: finishOf(message.stop_reason, isAnswered),
        native_finish_reason: message.stop_reason,
        logprobs: null,
      },
    ],
    ...(told === undefined ? {} : { usage: told }),
    ...tierOf(usage),
  }
}

function assistantMessage(message: Json, blocks: readonly Block[]): object {
  const text = joined(blocks, 'text', 'text')
  const thinking = joined(blocks, 'thinking', 'thinking')
  const calls = blocks.flatMap(({ type, id, name, input }) => {
    if (type !== 'tool_use') return []
    return [{ id, type: 'function', function: { name, arguments: JSON.stringify(input) } }]
  })
  const annotations = annotationsOf(blocks)
  const extra = extraOf(carriedOf(blocks), message.container)
  return {
    role: 'assistant',
    content: text === '' ? null : text,
    refusal: refusalOf(message.stop_details),
    ...(thinking === '' ? {} : { reasoning_content: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(annotations.length === 0 ? {} : { annotations }),
    ...(extra === undefined ? {} : { extra_content: extra }),
  }
}

function joined(blocks: readonly Block[], type: string, field: string): string {
  let text = ''
  for (const block of blocks) if (block.type === type) text += block[field] as string
  return text
}
