import type { ClaimedUsage, Speech } from './scripted-answer.js'

/** What all pieces of an answer share. */
export interface AnswerHead {
  readonly id: string
  readonly model: string
}

/** Of a fixed moment, so that two runs have the same bytes. */
const CREATED = 1_767_225_600

export interface ScriptedEvent {
  readonly data: string
  /** Output tokens that sending it costs. */
  readonly tokens: number
}

/** A whole plain answer. */
export function completionText(head: AnswerHead, speech: Speech, usage: ClaimedUsage | undefined): string {
  const text = speech.pieces.join('')
  const call = { id: 'call_1', type: 'function', function: { name: speech.toolName, arguments: text } }
  const message =
    speech.toolName === null
      ? { role: 'assistant', content: text }
      : { role: 'assistant', content: null, tool_calls: [call] }
  return JSON.stringify({
    ...head,
    object: 'chat.completion',
    created: CREATED,
    choices: Array.from({ length: speech.choices }, (_, index) => ({
      index,
      message,
      finish_reason: speech.finishReason,
    })),
    ...(usage === undefined ? {} : { usage }),
  })
}

/** A whole stream, event by event: role, one token each, finish, usage frames, `[DONE]`. */
export function* streamEvents(
  head: AnswerHead,
  speech: Speech,
  usage: readonly ClaimedUsage[],
): Generator<ScriptedEvent> {
  const indexes = Array.from({ length: speech.choices }, (_, index) => index)
  for (const index of indexes) yield chunk(head, index, firstDelta(speech), null, 0)
  for (const piece of speech.pieces) {
    const delta =
      speech.toolName === null ? { content: piece } : { tool_calls: [{ index: 0, function: { arguments: piece } }] }
    for (const index of indexes) yield chunk(head, index, delta, null, 1)
  }
  for (const index of indexes) yield chunk(head, index, {}, speech.finishReason, 0)
  for (const frame of usage) yield { data: eventText({ ...chunkHead(head), choices: [], usage: frame }), tokens: 0 }
  yield { data: 'data: [DONE]\n\n', tokens: 0 }
}

function firstDelta(speech: Speech): object {
  if (speech.toolName === null) return { role: 'assistant', content: '' }
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: speech.toolName, arguments: '' } }
  return { role: 'assistant', content: null, tool_calls: [call] }
}

function chunk(head: AnswerHead, index: number, delta: object, finish: string | null, tokens: number): ScriptedEvent {
  return { data: eventText({ ...chunkHead(head), choices: [{ index, delta, finish_reason: finish }] }), tokens }
}

function chunkHead(head: AnswerHead): object {
  return { ...head, object: 'chat.completion.chunk', created: CREATED }
}

function eventText(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

/** An answer to an embeddings request: eight numbers for each input, the same for the same text. */
export function embeddingsText(model: string, input: unknown, usage: ClaimedUsage | undefined): string {
  const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input : [input]
  const data = inputs.map((one: unknown, index) => ({
    object: 'embedding',
    index,
    embedding: numbersOf(JSON.stringify(one)),
  }))
  // There is no output, so there is no figure for it either.
  const figures = usage && { prompt_tokens: usage.prompt_tokens, total_tokens: usage.prompt_tokens }
  return JSON.stringify({ object: 'list', data, model, usage: figures })
}

function numbersOf(text: string): number[] {
  return Array.from(
    { length: 8 },
    (_, at) => ((text.length * 31 + (text.charCodeAt(at % text.length) || 0) * (at + 7)) % 1_000) / 1_000,
  )
}
