/** Tokens of one call in disjoint classes: each token is in exactly one. */
export interface TokenUsage {
  /** Prompt tokens that were neither cached, cache-written nor audio. */
  input: number
  cachedInput: number
  cacheWrite: number
  audioInput: number
  /** Completion tokens that were neither reasoning nor audio. */
  output: number
  reasoning: number
  audioOutput: number
}

/** No tokens in any class. */
export const noUsage: Readonly<TokenUsage> = Object.freeze({
  input: 0,
  cachedInput: 0,
  cacheWrite: 0,
  audioInput: 0,
  output: 0,
  reasoning: 0,
  audioOutput: 0,
})

/** All tokens that the model read, cached and audio included. */
export function promptTokens(usage: TokenUsage): number {
  return usage.input + usage.cachedInput + usage.cacheWrite + usage.audioInput
}

/** All tokens that the model wrote, reasoning and audio included. */
export function completionTokens(usage: TokenUsage): number {
  return usage.output + usage.reasoning + usage.audioOutput
}

export function totalTokens(usage: TokenUsage): number {
  return promptTokens(usage) + completionTokens(usage)
}
