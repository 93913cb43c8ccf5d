import type { Ask, Translation } from '../translated/dialect.js'
import { asksFor, refuseOthers } from '../translated/fields.js'
import { embeddingsAnswer } from '../translated/vectors.js'
import { errorIn, type OllamaAnswer, wireUsage } from './answer.js'

const KNOWN = new Set(['dimensions', 'encoding_format', 'user', 'truncate', 'keep_alive', 'options'])
const OWN = ['dimensions', 'truncate', 'keep_alive', 'options'] as const

/** OpenAI's embeddings as a request of `/api/embed`: a vector for each text. */
export function embeddingsRequest(ask: Ask): Translation {
  refuseOthers(ask, KNOWN)
  const { params, model } = ask
  const texts = [params.input].flat()
  if (texts.some((text) => typeof text !== 'string')) throw ask.impossible('input', 'it embeds texts, not token ids')
  const more = Object.fromEntries(OWN.flatMap((field) => (asksFor(params, field) ? [[field, params[field]]] : [])))
  return {
    path: '/api/embed',
    body: JSON.stringify({ model, input: texts, ...more }),
    reply(json) {
      const error = errorIn(ask, json)
      if (error !== null) throw error
      const { embeddings, ...answer } = json as OllamaAnswer & { embeddings: number[][] }
      return embeddingsAnswer(ask, {
        vectors: embeddings,
        asBase64: asksFor(params, 'encoding_format'),
        usage: wireUsage(answer),
      })
    },
    stream: () => {
      throw ask.impossible('stream', 'embeddings come whole')
    },
  }
}
