import { calcPrice, type ModelInfo, type ModelPrice, type TieredPrices } from '@pydantic/genai-prices'
import { isWhole, nanoUsdOf } from '../amount.js'
import { HooshError } from '../errors.js'
import type { Quote, Rates, Tier } from './prices.js'

/** The table's version, named in every record it priced: the package exports none, so a test compares the two. */
export const GENAI_PRICES_VERSION = '0.1.8'

/** Our provider types under the table's names; a type that is absent has no prices there. */
const PROVIDER_IDS: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'google',
  deepseek: 'deepseek',
  mistral: 'mistral',
  groq: 'groq',
  grok: 'x-ai',
  openrouter: 'openrouter',
}

/** Packages of the AI SDK, by how their models name their provider (`amazon-bedrock`, `google.vertex.chat`). */
const PACKAGES: readonly (readonly [prefix: string, id: string])[] = [
  ['amazon-bedrock', 'aws'],
  ['azure', 'azure'],
  ['vertex.anthropic', 'anthropic'],
  ['googleVertex.anthropic', 'anthropic'],
  ['google', 'google'],
  ['openai', 'openai'],
  ['anthropic', 'anthropic'],
  ['cohere', 'cohere'],
  ['mistral', 'mistral'],
  ['groq', 'groq'],
  ['xai', 'x-ai'],
  ['deepseek', 'deepseek'],
  ['perplexity', 'perplexity'],
  ['togetherai', 'together'],
  ['fireworks', 'fireworks'],
  ['cerebras', 'cerebras'],
]

/** Under what name the table has the prices of a package of the AI SDK; undefined where it has none. */
export function tableNameOf(aiSdkProvider: string): string | undefined {
  return PACKAGES.find(([prefix]) => aiSdkProvider.startsWith(prefix))?.[1]
}

const DAY_MS = 86_400_000

/**
 * What the table says of a model at one moment; null where it has no price per input token. A search costs 20-250 us.
 *
 * Without the provider's name the table finds neither embeddings nor Groq's Llama, so it is always given. Fees beside
 * tokens (web searches, pages of OCR, hours of speech) are not part of it.
 */
export function tableQuote(
  { type, pricedAs }: { readonly type: string; readonly pricedAs?: string },
  model: string,
  now: number,
): Quote | null {
  const providerId = pricedAs ?? PROVIDER_IDS[type]
  if (providerId === undefined) return null
  const found = calcPrice({}, model, { providerId, timestamp: new Date(now) })
  if (found === null) return null
  const isFree = found.model.id.endsWith(':free') && Object.keys(found.model_price).length === 0
  if (found.model_price.input_mtok === undefined && !isFree) return null
  const tiers = tiersOf(found.model_price)
  return Object.freeze({
    ...ratesAbove(found.model_price, -1),
    tiers,
    until: nextChange(found.model.prices, now),
    source: `genai-prices ${GENAI_PRICES_VERSION} ${found.provider.id}:${found.model.id}`,
  })
}

function tiersOf(prices: ModelPrice): readonly Tier[] {
  const starts = new Set<number>()
  for (const price of Object.values(prices)) {
    if (typeof price === 'object') for (const tier of price.tiers) starts.add(tier.start)
  }
  return [...starts].sort((a, b) => a - b).map((above) => Object.freeze({ above, ...ratesAbove(prices, above) }))
}

/** Rates of a prompt with more than `start` tokens. What has no rate of its own costs what its class costs. */
function ratesAbove(prices: ModelPrice, start: number): Rates {
  const rate = (key: string) => rateAbove(prices[key], start)
  const input = rate('input_mtok') ?? 0
  // Embeddings have no output, hence no price for it.
  // Of a model that draws every token is charged as one of an image: usage does not tell them apart.
  const output = Math.max(rate('output_mtok') ?? 0, rate('output_image_mtok') ?? 0)
  return {
    input,
    cachedInput: rate('cache_read_mtok') ?? input,
    cacheWrite: rate('cache_write_mtok') ?? input,
    audioInput: rate('input_audio_mtok') ?? input,
    output,
    reasoning: rate('output_reasoning_mtok') ?? output,
    audioOutput: rate('output_audio_mtok') ?? output,
  }
}

function rateAbove(price: number | TieredPrices | undefined, start: number): number | undefined {
  if (price === undefined) return undefined
  if (typeof price === 'number') return nanoUsdPerMillion(price)
  let usd = price.base
  for (const tier of price.tiers) if (tier.start <= start) usd = tier.price
  return nanoUsdPerMillion(usd)
}

/** A few prices are repeating decimals (0.08333333333333334): rounded up to whole nano-USD per million. */
function nanoUsdPerMillion(usd: number): number {
  const nanoUsd = nanoUsdOf(usd) ?? Math.ceil(usd * 1e9)
  if (!isWhole(nanoUsd)) {
    throw new HooshError('internal_error', { message: `The price table has a price that is none: ${usd}.` })
  }
  return nanoUsd
}

/** The next moment at which one of the conditions on a model's prices begins or ends to hold; null where none will. */
function nextChange(prices: ModelInfo['prices'], now: number): number | null {
  if (!Array.isArray(prices)) return null
  let next = Infinity
  for (const { constraint } of prices) {
    if (constraint === undefined) continue
    if (constraint.type === 'start_date') {
      const start = Date.parse(constraint.start_date)
      if (start > now) next = Math.min(next, start)
    } else {
      next = Math.min(next, nextTimeOfDay(constraint.start_time, now), nextTimeOfDay(constraint.end_time, now))
    }
  }
  return next === Infinity ? null : next
}

/** @param time of a day, as `16:30:00Z` */
function nextTimeOfDay(time: string, now: number): number {
  const offset = (((Date.parse(`1970-01-01T${time}`) - now) % DAY_MS) + DAY_MS) % DAY_MS
  return now + (offset === 0 ? DAY_MS : offset)
}
