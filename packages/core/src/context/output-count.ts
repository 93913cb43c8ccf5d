import type { Awaitable } from '../time.js'
import { demoTokens } from './demo-tokens.js'
import type { TokenFacts } from './token-facts.js'
import { loadedTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.js'

/** Counts the output of an answer; its figures are not below the provider's. */
export interface OutputCounter {
  /** Tokens of the text of one event, at least 1. */
  count(text: string): number
  /** Tokens of all that was delivered so far, however much: a few milliseconds at a time. */
  countAll(text: string): Awaitable<number>
  /** The count is a guess from bytes: up to three times the truth for prose. */
  readonly isEstimate: boolean
}

const byDemo = counterOf(demoTokens, false)
const byBytes = counterOf((text) => Math.ceil(Buffer.byteLength(text) / 2), true)

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

function counterOf(count: (text: string) => number, isEstimate: boolean): OutputCounter {
  return { count: (text) => Math.max(1, count(text)), countAll: count, isEstimate }
}

function byTokenizer({ count, countAll }: Tokenizer): OutputCounter {
  return { ...counterOf(count, false), countAll: (text) => countAll([text]) }
}
