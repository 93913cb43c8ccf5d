import type { Dialect } from '../translated/dialect.js'
import { embeddingsRequest } from './embeddings.js'
import { completionOf } from './reply.js'
import { chatRequest } from './request.js'
import { chatStream } from './stream.js'

/** Ollama's own API. A key is for Ollama's cloud, and for servers behind a proxy that wants one. */
export const ollamaDialect: Dialect = {
  version: '',
  framing: 'ndjson',
  headers: {},
  keyHeader: (apiKey) => ['authorization', `Bearer ${apiKey}`],
  translate(ask) {
    if (ask.kind === 'embeddings') return embeddingsRequest(ask)
    const { body, forced } = chatRequest(ask)
    return {
      path: '/api/chat',
      body: JSON.stringify(body),
      reply: (json) => completionOf(ask, json, forced),
      stream: () => chatStream(ask, forced),
    }
  },
  // Older servers call the model `name`.
  library: {
    pull: (model) => ({ path: '/api/pull', body: JSON.stringify({ model, name: model }) }),
    remove: (model) => ({ path: '/api/delete', body: JSON.stringify({ model, name: model }) }),
  },
  models: {
    path: '/api/tags',
    ids: (list) => (list as { models: { name: string }[] }).models.map(({ name }) => name),
  },
}
