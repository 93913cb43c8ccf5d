/** Figures of a provider; what it does not tell is left out. */
export interface Figures {
  /** All tokens that the model read, those from and into a cache included. */
  readonly prompt: number
  /** All tokens that the model wrote, reasoning included. */
  readonly completion: number
  readonly cached?: number
  readonly cacheWrite?: number
  readonly reasoning?: number
  readonly audioInput?: number
  readonly audioOutput?: number
}

/** OpenAI's usage object. Figures are passed on as they are, true or not: what cannot be true is judged where it is charged. */
export function usageOf(figures: Figures): object {
  const { prompt, completion, cached, cacheWrite, reasoning, audioInput, audioOutput } = figures
  const input = known({ cached_tokens: cached, cache_write_tokens: cacheWrite, audio_tokens: audioInput })
  const output = known({ reasoning_tokens: reasoning, audio_tokens: audioOutput })
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(input === null ? {} : { prompt_tokens_details: input }),
    ...(output === null ? {} : { completion_tokens_details: output }),
  }
}

function known(figures: Record<string, number | undefined>): object | null {
  const told = Object.entries(figures).filter(([, figure]) => figure !== undefined)
  return told.length === 0 ? null : Object.fromEntries(told)
}
