import type { Ask, Translation } from '../translated/dialect.js'
import { asksFor, refuseOthers } from '../translated/fields.js'
import { embeddingsAnswer } from '../translated/vectors.js'
import { wireUsage } from './answer.js'
import { modelPath } from './models.js'
import { errorIn } from './refusal.js'

type Json = Readonly<Record<string, unknown>>

const KNOWN = new Set(['dimensions', 'encoding_format', 'task_type', 'user'])

/** OpenAI's embeddings as one batch. `task_type` is Google's own. */
export function embeddingsRequest(ask: Ask): Translation {
  refuseOthers(ask, KNOWN)
  const { input, dimensions, task_type: task } = ask.params
  const texts = (typeof input === 'string' ? [input] : input) as unknown[]
  if (texts.some((text) => typeof text !== 'string')) throw ask.impossible('input', 'it embeds texts, not token ids')
  const path = modelPath(ask.model)
  const more = {
    ...(dimensions == null ? {} : { outputDimensionality: dimensions }),
    ...(task == null ? {} : { taskType: task }),
  }
  const requests = texts.map((text) => ({ model: path.slice(1), content: { parts: [{ text }] }, ...more }))
  return {
    path: `${path}:batchEmbedContents`,
    body: JSON.stringify({ requests }),
    reply(json) {
      const error = errorIn(ask, json)
      if (error !== null) throw error
      const { embeddings, usageMetadata } = json as { embeddings: { values: number[] }[]; usageMetadata?: Json }
      return embeddingsAnswer(ask, {
        vectors: embeddings.map(({ values }) => values),
        asBase64: asksFor(ask.params, 'encoding_format'),
        usage: wireUsage(usageMetadata),
      })
    },
    stream: () => {
      throw ask.impossible('stream', 'embeddings come whole')
    },
  }
}
