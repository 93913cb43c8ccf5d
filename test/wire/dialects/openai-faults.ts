import type { FaultDialect } from './fault-list.js'

const usage = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }
const head = { id: 'chatcmpl-1', created: 1_767_225_600, model: 'gpt-4o' }
const data = (fields: object) => `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`
const chunk = (delta: object, finish_reason: string | null = null) =>
  data({ choices: [{ index: 0, delta, finish_reason }] })

const error = (status: number) =>
  JSON.stringify({
    error: { message: 'boom', type: 'server_error', param: null, code: status === 529 ? 'busy' : null },
  })

export const openaiFaults: FaultDialect = {
  type: 'openai',
  model: 'gpt-4o',
  streamType: 'text/event-stream',
  text: 'one two three',
  promptTokens: 12,
  completionTokens: 3,
  plain: (text) =>
    JSON.stringify({
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
      usage,
    }),
  events: (text) => ({
    head: [chunk({ role: 'assistant', content: '' })],
    text: (text.match(/\S+\s*/g) ?? []).map((word) => chunk({ content: word })),
    finish: [chunk({}, 'stop'), data({ choices: [], usage })],
    end: ['data: [DONE]\n\n'],
  }),
  error,
  passesErrors: true,
  errorEvent: (status) => `data: ${error(status)}\n\n`,
}
