import type { ToolCall, WireUsage } from '../../host.js'
import type { Choice } from './choice.js'

/** What all pieces of one answer share. */
export interface Envelope {
  readonly id: string
  /** Seconds since the epoch. */
  readonly created: number
  readonly model: string
}

/** The answer in one piece. */
export function completionOf(envelope: Envelope, choices: readonly Choice[], usage: WireUsage): string {
  return JSON.stringify({
    ...envelope,
    object: 'chat.completion',
    choices: choices.map(({ content, toolCalls, finishReason }, index) => ({
      index,
      message: {
        role: 'assistant',
        content,
        refusal: null,
        ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
      },
      logprobs: null,
      finish_reason: finishReason,
    })),
    usage,
  })
}

/** The answer as SSE events: roles, words, an end per choice, the usage where it was asked for, `[DONE]`. */
export function* eventsOf(envelope: Envelope, choices: readonly Choice[], usage: WireUsage | null): Generator<string> {
  const event = (choice: object[], total: WireUsage | null) => {
    const chunk = {
      ...envelope,
      object: 'chat.completion.chunk',
      choices: choice,
      ...(usage === null ? {} : { usage: total }),
    }
    return `data: ${JSON.stringify(chunk)}\n\n`
  }
  for (const [index, choice] of choices.entries()) {
    for (const delta of deltasOf(choice)) yield event([{ index, delta, finish_reason: null }], null)
    yield event([{ index, delta: {}, finish_reason: choice.finishReason }], null)
  }
  if (usage !== null) yield event([], usage)
  yield 'data: [DONE]\n\n'
}

function* deltasOf({ content, toolCalls }: Choice): Generator<object> {
  yield { role: 'assistant', content: content === null ? null : '' }
  for (const word of content?.match(/\S+\s*|\s+/g) ?? []) yield { content: word }
  for (const [index, call] of toolCalls.entries()) yield* callDeltas(index, call)
}

/** The name first, then the arguments in pieces, as OpenAI sends them. */
function* callDeltas(index: number, { id, type, function: { name, arguments: text } }: ToolCall): Generator<object> {
  yield { tool_calls: [{ index, id, type, function: { name, arguments: '' } }] }
  for (const piece of text.match(/.{1,12}/gsu) ?? []) {
    yield { tool_calls: [{ index, function: { arguments: piece } }] }
  }
}
