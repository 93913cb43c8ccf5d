import { LRUCache } from 'lru-cache'
import { nanoUsdOf } from '../amount.js'
import { HooshError } from '../errors.js'
import { compileGlob, type Glob } from '../glob.js'
import type { PriceSpec } from '../options.js'
import type { Clock } from '../time.js'
import { tableQuote } from './genai-prices.js'

/** Prices by class of token, in nano-USD per million tokens: whole numbers, 2.50 USD are 2_500_000_000. */
export interface Rates {
  readonly input: number
  readonly cachedInput: number
  readonly cacheWrite: number
  readonly audioInput: number
  readonly output: number
  readonly reasoning: number
  readonly audioOutput: number
}

/** The rates of every token of a call whose prompt has more than `above` tokens. */
export interface Tier extends Rates {
  readonly above: number
}

/** What a model costs on a route. The same object as long as the price is the same. */
export interface Quote extends Rates {
  /** By `above`, rising; empty where the price does not depend on the prompt's length. */
  readonly tiers: readonly Tier[]
  /** When a price of a time of day or a date ends, ms since the epoch; null where it does not. */
  readonly until: number | null
  /** Which table, version and rule: `genai-prices 0.1.8 openai:gpt-4o`, `override gpt-4o*`, `local`. */
  readonly source: string
}

export interface PriceBook {
  /**
   * The price of a model on a route; null where none is known (then it cannot be paid from a pool capped in money).
   *
   * Routes on local machines cost nothing, whatever the model's name. Otherwise the host's prices win, the most
   * specific pattern first; then the table, by provider and model. The demo provider is free unless the host prices it.
   */
  quote(route: Priced & { readonly local: boolean }, model: string): Quote | null
}

/** What decides a price: the type of a provider, or the table's name of whom a package of the AI SDK asks. */
type Priced = { readonly type: string; readonly pricedAs?: string }

/** Models whose price is remembered, for each provider type. */
const REMEMBERED_MODELS = 1_000

const nil = { input: 0, cachedInput: 0, cacheWrite: 0, audioInput: 0, output: 0, reasoning: 0, audioOutput: 0 }

/** The price of what costs nothing. */
export const costFree: Quote = freeQuote('free')

const local = freeQuote('local')
const demo = freeQuote('demo')

/**
 * Prices from the host's `prices` and the vendored table.
 *
 * @throws HooshError `invalid_options` for a price that is no decimal string of USD
 */
export function priceBook(options: {
  overrides?: Readonly<Record<string, PriceSpec>> | undefined
  clock: Clock
}): PriceBook {
  const { clock } = options
  const overrides = compileOverrides(options.overrides ?? {})
  const remembered: Remembered = new Map()
  return {
    quote(route, model) {
      if (route.local && route.type !== 'demo') return local
      const now = clock()
      const name = route.pricedAs ?? route.type
      const models = remembered.get(name) ?? rememberType(remembered, name)
      const known = models.get(model)
      if (known !== undefined && !hasEnded(known.quote, now)) return known.quote
      const quote = find(overrides, route, model, now)
      models.set(model, { quote })
      return quote
    },
  }
}

/** By whose prices they are, then by model: keys as they are, so that a look-up builds no string. */
type Remembered = Map<string, LRUCache<string, { readonly quote: Quote | null }>>

function rememberType(remembered: Remembered, type: string) {
  const models = new LRUCache<string, { readonly quote: Quote | null }>({ max: REMEMBERED_MODELS })
  remembered.set(type, models)
  return models
}

interface Override {
  readonly glob: Glob
  readonly quote: Quote
}

function hasEnded(quote: Quote | null, now: number): boolean {
  return quote !== null && quote.until !== null && quote.until <= now
}

function find(overrides: readonly Override[], route: Priced, model: string, now: number): Quote | null {
  const override = overrides.find(({ glob }) => glob.test(model))
  if (override !== undefined) return override.quote
  return route.type === 'demo' ? demo : tableQuote(route, model, now)
}

/** Most literal characters first; a name without a star before a pattern of as many. */
function compileOverrides(specs: Readonly<Record<string, PriceSpec>>): readonly Override[] {
  return Object.entries(specs)
    .map(([pattern, spec]) => ({ pattern, glob: compileGlob(pattern), quote: overrideQuote(pattern, spec) }))
    .sort(
      (a, b) => b.glob.literals - a.glob.literals || Number(a.pattern.includes('*')) - Number(b.pattern.includes('*')),
    )
}

function overrideQuote(pattern: string, spec: PriceSpec): Quote {
  const rate = (field: keyof PriceSpec, usd: string) => {
    const nanoUsd = nanoUsdOf(usd)
    if (nanoUsd !== null) return nanoUsd
    throw new HooshError('invalid_options', {
      message: `prices["${pattern}"].${field} is no price: write USD per million tokens as a decimal string with up to nine decimals, such as "2.50".`,
    })
  }
  const input = rate('input', spec.input)
  const output = rate('output', spec.output)
  const cachedInput = spec.cached === undefined ? input : rate('cached', spec.cached)
  const rates = {
    input,
    cachedInput,
    cacheWrite: input,
    audioInput: input,
    output,
    reasoning: output,
    audioOutput: output,
  }
  return Object.freeze({ ...rates, tiers: [], until: null, source: `override ${pattern}` })
}

function freeQuote(source: string): Quote {
  return Object.freeze({ ...nil, tiers: [], until: null, source })
}
