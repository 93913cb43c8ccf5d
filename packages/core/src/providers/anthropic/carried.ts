import type { Block } from './parts.js'

/**
 * What OpenAI's message cannot hold and Anthropic wants back: `extra_content.anthropic.content` of the assistant message.
 * Blocks in their order; those that the message itself holds stand there without what it says: a text as its length in
 * UTF-16 units with its citations, a tool call as its id. Thinking with its signature, redacted thinking, and the calls and
 * results of Anthropic's own tools stand there whole.
 */
export type CarriedBlock = Block

/** Blocks of an answer as they are carried; undefined where the message alone says it all, in this order. */
export function carriedOf(blocks: readonly Block[]): CarriedBlock[] | undefined {
  const isPlain = blocks.every((block, index) => {
    if (block.type === 'text') return block.citations == null && blocks[index - 1]?.type !== 'tool_use'
    return block.type === 'tool_use'
  })
  if (isPlain) return undefined
  return blocks.map((block) => {
    if (block.type === 'text') {
      const { citations } = block
      return { type: 'text', length: lengthOf(block), ...(citations == null ? {} : { citations }) }
    }
    return block.type === 'tool_use' ? { type: 'tool_use', id: block.id } : block
  })
}

/** UTF-16 units of a text, of which a stream keeps no more than that. */
export function lengthOf({ text, length }: Block): number {
  return typeof text === 'string' ? text.length : (length as number)
}

/** What a message of the caller carries; null where it carries nothing that can be read. */
export function carriedIn(message: Readonly<Record<string, unknown>>): readonly CarriedBlock[] | null {
  const extra = message.extra_content as { anthropic?: { content?: unknown } } | null | undefined
  const content = extra?.anthropic?.content
  return Array.isArray(content) && content.every((block) => typeof block === 'object' && block !== null)
    ? (content as CarriedBlock[])
    : null
}

/**
 * The blocks that an answer had, out of what is carried and what the message says. Where the caller has changed the message
 * since, its own words count, behind the thinking.
 *
 * @param texts of the message
 * @param calls of the message, as blocks
 */
export function restored(carried: readonly CarriedBlock[], texts: readonly Block[], calls: readonly Block[]): Block[] {
  const text = texts.map((block) => String(block.text ?? '')).join('')
  const byId = new Map(calls.map((call) => [call.id, call]))
  const ids = carried.filter(({ type }) => type === 'tool_use').map(({ id }) => id)
  const length = carried.reduce((sum, block) => sum + (block.type === 'text' ? Number(block.length) : 0), 0)
  const isSame = length === text.length && ids.length === byId.size && ids.every((id) => byId.has(id))
  if (!isSame) return [...carried.filter(isThinking), ...texts, ...calls]
  let at = 0
  return carried.flatMap((block) => {
    if (block.type === 'tool_use') return [byId.get(block.id)!]
    if (block.type !== 'text') return [block]
    const { length: size, ...rest } = block
    const said = text.slice(at, at + Number(size))
    at += Number(size)
    return said === '' ? [] : [{ ...rest, text: said }]
  })
}

function isThinking({ type }: Block): boolean {
  return type === 'thinking' || type === 'redacted_thinking'
}
