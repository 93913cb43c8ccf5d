import type { Ask } from '../translated/dialect.js'
import { refuseOthers } from '../translated/fields.js'
import { embeddingsAnswer } from '../translated/vectors.js'
import type { Json } from './messages.js'
import type { AiSdkEmbeddingModel } from './source.js'

const KNOWN = new Set(['encoding_format', 'user', 'provider_options'])

/** Texts of a request, and what the package is told beside them. */
export function embeddingOptions(ask: Ask): { values: string[]; providerOptions?: unknown } {
  const { input, provider_options: providerOptions } = ask.params
  refuseOthers(ask, KNOWN)
  const values = [input].flat()
  if (!values.every((value) => typeof value === 'string')) throw ask.impossible('input', 'it takes texts, not tokens')
  return { values, ...(providerOptions == null ? {} : { providerOptions }) }
}

/** Embeds as many at a time as the model takes; an embeddings answer of all. */
export async function embedded(
  model: AiSdkEmbeddingModel,
  ask: Ask,
  { values, providerOptions }: ReturnType<typeof embeddingOptions>,
  abortSignal: AbortSignal,
): Promise<object> {
  const most = (await (model as { maxEmbeddingsPerCall?: unknown }).maxEmbeddingsPerCall) ?? values.length
  const step = typeof most === 'number' && most >= 1 ? Math.min(most, values.length) : values.length
  const vectors: number[][] = []
  let tokens = 0
  let isTold = true
  for (let at = 0; at < values.length; at += step) {
    const options = {
      values: values.slice(at, at + step),
      abortSignal,
      ...(providerOptions ? { providerOptions } : {}),
    }
    const { embeddings, usage } = (await model.doEmbed(options as never)) as { embeddings: number[][]; usage?: Json }
    vectors.push(...embeddings)
    if (typeof usage?.tokens === 'number') tokens += usage.tokens
    else isTold = false
  }
  const usage = isTold ? { prompt_tokens: tokens, total_tokens: tokens } : undefined
  return embeddingsAnswer(ask, { vectors, asBase64: ask.params.encoding_format === 'base64', usage })
}
