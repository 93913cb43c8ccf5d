import type { Quote, Rates } from './prices.js'
import { promptTokens, type TokenUsage } from './usage.js'

/** Rates are per million tokens. */
const PER = 1_000_000
const PER_BIG = 1_000_000n

/** The most an amount can be, nano-USD: above any pool's cap, and sums of two are still exact. */
const MOST = 2 ** 52

/**
 * What a call costs in nano-USD, rounded up once; exact for all usage in safe integers, at most 2^52 (4.5 million USD).
 *
 * Prices that rise with the prompt apply to the whole call, as providers bill it.
 */
export function costOf(usage: TokenUsage, quote: Quote): number {
  const rates = ratesFor(quote, promptTokens(usage))
  // Each product is exact below 2^53, and so is their sum; one that is not makes the sum at least as large.
  const product =
    usage.input * rates.input +
    usage.cachedInput * rates.cachedInput +
    usage.cacheWrite * rates.cacheWrite +
    usage.audioInput * rates.audioInput +
    usage.output * rates.output +
    usage.reasoning * rates.reasoning +
    usage.audioOutput * rates.audioOutput
  return product < Number.MAX_SAFE_INTEGER ? perMillion(product) : largeCost(usage, rates)
}

/**
 * Nano-USD of one output token of the dearest class, rounded up: an upper bound of any token of the answer.
 *
 * @param prompt upper bound of the prompt's tokens, for prices that rise with it
 */
export function eachOutput(quote: Quote, prompt: number): number {
  let most = dearestOutput(quote)
  for (const tier of quote.tiers) if (prompt > tier.above) most = Math.max(most, dearestOutput(tier))
  return Math.ceil(most / PER)
}

/** Nano-USD that a prompt of at most so many tokens can cost: all of them in the dearest class, rounded up. */
export function promptCost(tokens: number, quote: Quote): number {
  let most = dearestInput(quote)
  for (const tier of quote.tiers) if (tokens > tier.above) most = Math.max(most, dearestInput(tier))
  const product = tokens * most
  return product < Number.MAX_SAFE_INTEGER ? perMillion(product) : roundedUp(BigInt(tokens) * BigInt(most))
}

function dearestInput(rates: Rates): number {
  return Math.max(rates.input, rates.cachedInput, rates.cacheWrite, rates.audioInput)
}

function dearestOutput(rates: Rates): number {
  return Math.max(rates.output, rates.reasoning, rates.audioOutput)
}

function ratesFor(quote: Quote, prompt: number): Rates {
  let rates: Rates = quote
  for (const tier of quote.tiers) if (prompt > tier.above) rates = tier
  return rates
}

/** Exact for whole products below 2^53, where a plain division could round a hair above a whole number away. */
function perMillion(product: number): number {
  const rest = product % PER
  return rest === 0 ? product / PER : (product - rest) / PER + 1
}

function largeCost(usage: TokenUsage, rates: Rates): number {
  let sum = 0n
  for (const key of [
    'input',
    'cachedInput',
    'cacheWrite',
    'audioInput',
    'output',
    'reasoning',
    'audioOutput',
  ] as const) {
    sum += BigInt(usage[key]) * BigInt(rates[key])
  }
  return roundedUp(sum)
}

function roundedUp(product: bigint): number {
  const nanoUsd = (product + PER_BIG - 1n) / PER_BIG
  return nanoUsd > BigInt(MOST) ? MOST : Number(nanoUsd)
}
