import { openaiIds } from '../model-list.js'
import type { Dialect } from '../translated/dialect.js'
import { refusalMeant } from './refusal.js'
import { completionOf } from './reply.js'
import { messagesRequest } from './request.js'
import { messageStream } from './stream.js'

/** Anthropic's Messages API, version 2023-06-01. It has no embeddings. */
export const anthropicDialect: Dialect = {
  version: '/v1',
  framing: 'sse',
  headers: { 'anthropic-version': '2023-06-01' },
  keyHeader: (apiKey) => ['x-api-key', apiKey],
  carries: true,
  translate(ask) {
    if (ask.kind === 'embeddings') throw ask.impossible('input', 'it has no embeddings')
    const { body, betas, answerTool } = messagesRequest(ask)
    return {
      path: '/messages',
      body: JSON.stringify(body),
      ...(betas.length === 0 ? {} : { headers: ['anthropic-beta', betas.join(',')] }),
      reply: (json) => completionOf(ask, json, answerTool),
      stream: () => messageStream(ask, answerTool),
    }
  },
  refusal: refusalMeant,
  models: { path: '/models?limit=1000', ids: openaiIds },
}
