import type { FaultDialect } from './fault-list.js'

const usage = { input_tokens: 12, output_tokens: 3 }
const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5' }
const event = (type: string, fields: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

const TYPES: Record<number, string> = { 429: 'rate_limit_error', 529: 'overloaded_error' }
const error = (status: number) =>
  JSON.stringify({ type: 'error', error: { type: TYPES[status] ?? 'api_error', message: 'boom' } })

export const anthropicFaults: FaultDialect = {
  type: 'anthropic',
  model: 'claude-sonnet-4-5',
  streamType: 'text/event-stream',
  text: 'one two three',
  promptTokens: 12,
  completionTokens: 3,
  plain: (text) =>
    JSON.stringify({
      ...message,
      content: [{ type: 'text', text }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage,
    }),
  events: (text) => ({
    head: [
      event('message_start', { message: { ...message, content: [], usage: { ...usage, output_tokens: 1 } } }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      event('ping'),
    ],
    text: (text.match(/\S+\s*/g) ?? []).map((word) =>
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: word } }),
    ),
    finish: [
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } }),
    ],
    end: [event('message_stop')],
  }),
  error,
  errorEvent: (status) => `event: error\ndata: ${error(status)}\n\n`,
}
