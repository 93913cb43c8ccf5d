import type { Ask } from './dialect.js'

/** What an embeddings answer is made of. */
export interface Vectors {
  readonly vectors: readonly (readonly number[])[]
  /** Each as base64 of 32-bit floats, little end first. */
  readonly asBase64: boolean
  /** OpenAI's usage object; undefined where none was told, so that the call is charged by our own count. */
  readonly usage: object | undefined
}

/** OpenAI's answer to an embeddings request. */
export function embeddingsAnswer({ model }: Ask, { vectors, asBase64, usage }: Vectors): object {
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: asBase64 ? base64Of(vector) : vector,
    })),
    model,
    ...(usage === undefined ? {} : { usage }),
  }
}

function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
