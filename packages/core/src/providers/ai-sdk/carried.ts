import type { Json } from './messages.js'

/**
 * What OpenAI's message cannot hold and a provider of the AI SDK wants back: `extra_content.ai_sdk.reasoning` of the
 * assistant message, a list of texts with the provider's metadata (signatures); and `extra_content.ai_sdk` of a tool call,
 * its metadata.
 */
export interface CarriedReasoning {
  readonly text: string
  readonly providerMetadata?: unknown
}

/** Undefined where nothing of it has metadata: text alone is no use to anybody. */
export function messageExtra(reasoning: readonly CarriedReasoning[]): Json | undefined {
  const isOpaque = reasoning.some(({ providerMetadata }) => providerMetadata !== undefined)
  return isOpaque ? { ai_sdk: { reasoning } } : undefined
}

export function callExtra(providerMetadata: unknown): Json | undefined {
  return providerMetadata === undefined || providerMetadata === null ? undefined : { ai_sdk: providerMetadata }
}

export function carriedIn(message: Json): readonly CarriedReasoning[] {
  const { reasoning } = (aiSdkOf(message) ?? {}) as { reasoning?: unknown }
  return Array.isArray(reasoning) ? reasoning.filter((one) => typeof one?.text === 'string') : []
}

export function carriedOfCall(call: Json): Json | undefined {
  return aiSdkOf(call)
}

function aiSdkOf({ extra_content: extra }: Json): Json | undefined {
  const carried = (extra as { ai_sdk?: unknown } | null | undefined)?.ai_sdk
  return typeof carried === 'object' && carried !== null ? (carried as Json) : undefined
}
