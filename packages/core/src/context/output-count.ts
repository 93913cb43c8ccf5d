import { demoTokens } from './demo-tokens.js'
import type { TokenFacts } from './token-facts.js'
import { loadedTokenizer } from './tokenizer.js'

/** Counts the output of a stream as it comes. */
export interface OutputCounter {
  /** Tokens of the text of one event, or of what several delivered: at least 1, and not below the provider's figure. */
  count(text: string): number
}

/**
 * A counter for a model's family: its tokenizer if that is loaded (a stream does not wait for one), else a token for
 * every two bytes; what has shorter tokens (digits, base64) comes about one an event, and each event counts as one.
 *
 * Counting event by event gives more than the whole text would, since an event ends where a token ends.
 */
export function outputCounter(family: TokenFacts['family']): OutputCounter {
  if (family === 'demo') return { count: (text) => Math.max(1, demoTokens(text)) }
  const tokenizer = family === null ? null : loadedTokenizer(family)
  if (tokenizer === null) return { count: (text) => Math.max(1, Math.ceil(Buffer.byteLength(text) / 2)) }
  return { count: (text) => Math.max(1, tokenizer.count(text)) }
}
