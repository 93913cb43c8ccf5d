import type { Dialect } from '../translated/dialect.js'
import { embeddingsRequest } from './embeddings.js'
import { modelIdsOf, modelPath } from './models.js'
import { refusalMeant } from './refusal.js'
import { completionOf } from './reply.js'
import { contentRequest } from './request.js'
import { contentStream } from './stream.js'

/** The Gemini API, version v1beta: its functions and schemas are not in v1. */
export const googleDialect: Dialect = {
  version: '/v1beta',
  framing: 'sse',
  headers: {},
  keyHeader: (apiKey) => ['x-goog-api-key', apiKey],
  carries: true,
  translate(ask) {
    if (ask.kind === 'embeddings') return embeddingsRequest(ask)
    const { body, answerTool } = contentRequest(ask)
    const method = ask.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
    return {
      path: `${modelPath(ask.model)}:${method}`,
      body: JSON.stringify(body),
      reply: (json) => completionOf(ask, json, answerTool),
      stream: () => contentStream(ask, answerTool),
    }
  },
  refusal: refusalMeant,
  models: { path: '/models?pageSize=1000', ids: modelIdsOf },
}
