import type { Awaitable } from '../time.js'
import { demoTokens } from './demo-tokens.js'
import type { TokenFacts } from './token-facts.js'
import { loadedTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.js'

/** Counts the output of a stream as it comes. */
export interface OutputCounter {
  /** Tokens of the text of one event, or of what several delivered: at least 1, and not below the provider's figure. */
  count(text: string): number
  /** The count is a guess from bytes: up to three times the truth for prose. */
  readonly isEstimate: boolean
}

const byDemo: OutputCounter = { count: (text) => Math.max(1, demoTokens(text)), isEstimate: false }
const byBytes: OutputCounter = {
  count: (text) => Math.max(1, Math.ceil(Buffer.byteLength(text) / 2)),
  isEstimate: true,
}

/**
 * A counter for a model's family: its tokenizer, which the first use of an encoding loads; without one a token for
 * every two bytes. What has shorter tokens (digits, base64) comes about one an event, and each event counts as one.
 *
 * Counting event by event gives more than the whole text would, since an event ends where a token ends.
 */
export function outputCounter(family: TokenFacts['family']): Awaitable<OutputCounter> {
  if (family === 'demo') return byDemo
  if (family === null) return byBytes
  const tokenizer = loadedTokenizer(family)
  return tokenizer === null ? loadTokenizer(family).then(byTokenizer) : byTokenizer(tokenizer)
}

function byTokenizer(tokenizer: Tokenizer): OutputCounter {
  return { count: (text) => Math.max(1, tokenizer.count(text)), isEstimate: false }
}
