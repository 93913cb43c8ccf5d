import type { FaultDialect } from './fault-list.js'

const head = { model: 'llama3.1', created_at: '2026-11-28T12:00:00.123456789Z' }
const last = { done: true, done_reason: 'stop', prompt_eval_count: 12, eval_count: 3 }
const message = (content: string) => ({ message: { role: 'assistant', content } })
const line = (fields: object) => `${JSON.stringify({ ...head, ...fields })}\n`
const error = () => JSON.stringify({ error: 'boom' })

export const ollamaFaults: FaultDialect = {
  type: 'ollama',
  model: 'llama3.1',
  streamType: 'application/x-ndjson',
  text: 'one two three',
  promptTokens: 12,
  completionTokens: 3,
  plain: (text) => JSON.stringify({ ...head, ...message(text), ...last }),
  events: (text) => ({
    head: [],
    text: (text.match(/\S+\s*/g) ?? []).map((word) => line({ ...message(word), done: false })),
    finish: [line({ ...message(''), ...last })],
    end: [],
  }),
  error,
  errorEvent: () => `${error()}\n`,
}
