/**
 * What travels: the same bytes for every server, so that only the servers differ. All of it is OpenAI's dialect, but for the
 * server that translates: its upstream says the same in Anthropic's.
 */

/** How the upstream is to answer; it looks for the words in the body, since no header survives every server. */
export type Manner = 'steady' | 'trickle'

/** Events of a steady stream before its usage and `[DONE]`. */
export const EVENTS = 200

/** Time between two events of a steady stream, so that each arrives as a chunk of its own. */
export const EVENT_EVERY_MS = 5

/** Events a trickling stream sends at once before it goes slow. */
export const TRICKLE_EVENTS = 20

export const CHAT_PATH = '/v1/chat/completions'

const MODEL = 'gpt-4o-mini'
const WORDS = 'river stone seldom answers before morning while careful hands measure what the old harbour keeps'.split(
  ' ',
)

export function plainRequest(bytes: number): string {
  return request(bytes, {})
}

export function streamRequest(manner: Manner): string {
  return request(1024, { stream: true, stream_options: { include_usage: true } }, `In a ${manner} manner: `)
}

export function plainAnswer(bytes: number): Buffer {
  const answer = (content: string) => ({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_790_000_000,
    model: MODEL,
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: usage(bytes),
    system_fingerprint: 'fp_bench',
  })
  return Buffer.from(filled(bytes, (content) => JSON.stringify(answer(content))))
}

/** Events of about 200 bytes, each with the blank line that ends it; the last two are the usage and `[DONE]`. */
export function streamedAnswer(): Buffer[] {
  const chunk = (fields: object) =>
    Buffer.from(
      `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_790_000_000, model: MODEL, ...fields })}\n\n`,
    )
  const delta = (index: number) => ({ role: 'assistant', content: `${WORDS[index % WORDS.length]} ` })
  const texts = Array.from({ length: EVENTS }, (_, index) =>
    chunk({
      choices: [{ index: 0, delta: delta(index), logprobs: null, finish_reason: index === EVENTS - 1 ? 'stop' : null }],
    }),
  )
  return [...texts, chunk({ choices: [], usage: usage(1024) }), Buffer.from('data: [DONE]\n\n')]
}

/** The plain answer as Anthropic's message. */
export function plainMessage(bytes: number): Buffer {
  const answer = (text: string) => ({
    ...MESSAGE,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: messageUsage(bytes),
  })
  return Buffer.from(filled(bytes, (text) => JSON.stringify(answer(text))))
}

/** The streamed answer as Anthropic's events: as many deltas, and as many chunks. */
export function streamedMessage(): Buffer[] {
  const event = (type: string, fields: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const start =
    event('message_start', { message: { ...MESSAGE, content: [], usage: messageUsage(1024) } }) +
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
  const texts = Array.from({ length: EVENTS }, (_, index) => {
    const delta = { type: 'text_delta', text: `${WORDS[index % WORDS.length]} ` }
    return `${index === 0 ? start : ''}${event('content_block_delta', { index: 0, delta })}`
  })
  const stop = { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: EVENTS } }
  const end = `${event('content_block_stop', { index: 0 })}${event('message_delta', stop)}`
  return [...texts, end, event('message_stop', {})].map((text) => Buffer.from(text))
}

const MESSAGE = { id: 'msg_bench', type: 'message', role: 'assistant', model: MODEL }

function messageUsage(bytes: number): object {
  return { input_tokens: Math.round(bytes / 5), output_tokens: EVENTS }
}

function request(bytes: number, fields: object, opening = ''): string {
  return filled(bytes, (content) =>
    JSON.stringify({
      model: MODEL,
      messages: [
        { role: 'system', content: 'You are terse.' },
        { role: 'user', content: opening + content },
      ],
      temperature: 0.2,
      max_tokens: 512,
      ...fields,
    }),
  )
}

/** The text that `wrap` makes, with as many words inside as fit into `bytes`. */
function filled(bytes: number, wrap: (content: string) => string): string {
  const room = bytes - wrap('').length
  let content = ''
  for (let at = 0; content.length < room; at++) content += `${WORDS[(at * 7 + (at >> 4)) % WORDS.length]} `
  return wrap(content.slice(0, room))
}

function usage(bytes: number): object {
  const prompt = Math.round(bytes / 5)
  return { prompt_tokens: prompt, completion_tokens: EVENTS, total_tokens: prompt + EVENTS }
}
