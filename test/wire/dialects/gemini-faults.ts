import type { FaultDialect } from './fault-list.js'

const head = { modelVersion: 'gemini-2.5-flash', responseId: 'answer-1' }
const usageMetadata = { promptTokenCount: 12, candidatesTokenCount: 3, totalTokenCount: 15 }
const candidate = (text: string, more = {}) => ({ content: { parts: [{ text }], role: 'model' }, index: 0, ...more })
const event = (fields: object) => `data: ${JSON.stringify({ ...fields, usageMetadata, ...head })}\r\n\r\n`

const STATUSES: Record<number, string> = { 429: 'RESOURCE_EXHAUSTED', 503: 'UNAVAILABLE' }
const error = (status: number) =>
  JSON.stringify({ error: { code: status, message: 'boom', status: STATUSES[status] ?? 'INTERNAL' } })

/** No event tells the end: it is the end of the stream. */
export const geminiFaults: FaultDialect = {
  type: 'google',
  model: 'gemini-2.5-flash',
  streamType: 'text/event-stream',
  text: 'one two three',
  promptTokens: 12,
  completionTokens: 3,
  plain: (text) => JSON.stringify({ candidates: [candidate(text, { finishReason: 'STOP' })], usageMetadata, ...head }),
  events: (text) => ({
    head: [],
    text: (text.match(/\S+\s*/g) ?? []).map((word) => event({ candidates: [candidate(word)] })),
    finish: [event({ candidates: [candidate('', { finishReason: 'STOP' })] })],
    end: [],
  }),
  error,
  errorEvent: (status) => `data: ${error(status)}\r\n\r\n`,
}
