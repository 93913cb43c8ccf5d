import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costOf, eachOutput, promptCost } from '../../../packages/core/src/cost/price.js'
import { costFree, type Quote, type Rates } from '../../../packages/core/src/cost/prices.js'
import { noUsage, promptTokens, type TokenUsage } from '../../../packages/core/src/cost/usage.js'

const CLASSES = ['input', 'cachedInput', 'cacheWrite', 'audioInput', 'output', 'reasoning', 'audioOutput'] as const
const MOST = 2n ** 52n

const classes = <T>(of: fc.Arbitrary<T>) =>
  fc.record(Object.fromEntries(CLASSES.map((name) => [name, of])) as Record<(typeof CLASSES)[number], fc.Arbitrary<T>>)
const usages = (max: number): fc.Arbitrary<TokenUsage> => classes(fc.nat({ max }))
const quotes = (max: number): fc.Arbitrary<Quote> =>
  fc
    .record({ base: classes(fc.nat({ max })), high: classes(fc.nat({ max })), above: fc.nat({ max: 1_000_000 }) })
    .map(({ base, high, above }) => ({ ...base, tiers: [{ above, ...high }], until: null, source: 'test' }))

function oracle(usage: TokenUsage, quote: Quote): number {
  const tier = quote.tiers.filter(({ above }) => promptTokens(usage) > above).at(-1)
  const rates: Rates = tier ?? quote
  let sum = 0n
  for (const name of CLASSES) sum += BigInt(usage[name]) * BigInt(rates[name])
  const nanoUsd = (sum + 999_999n) / 1_000_000n
  return Number(nanoUsd > MOST ? MOST : nanoUsd)
}

const quote = (rates: Partial<Rates>, tiers: Quote['tiers'] = []): Quote => ({ ...costFree, ...rates, tiers })

describe('the cost of a call', () => {
  it('is what exact arithmetic says, rounded up once, for everyday figures', () => {
    fc.assert(
      fc.property(usages(200_000), quotes(20_000_000_000), (usage, price) => {
        expect(costOf(usage, price)).toBe(oracle(usage, price))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is what exact arithmetic says over the whole safe range, at most 2^52', () => {
    const most = Math.floor(Number.MAX_SAFE_INTEGER / 8)
    fc.assert(
      fc.property(usages(most), quotes(2 ** 52), (usage, price) => {
        expect(costOf(usage, price)).toBe(oracle(usage, price))
      }),
      { numRuns: 2_000 },
    )
  })

  it('rounds up once for the whole call, not once a class', () => {
    const price = quote({ input: 400_000, output: 400_000 })
    expect(costOf({ ...noUsage, input: 1, output: 1 }, price)).toBe(1)
  })

  it('is 0 only where nothing is charged for', () => {
    expect(costOf({ ...noUsage, input: 1 }, quote({ input: 1 }))).toBe(1)
    expect(costOf({ ...noUsage, input: 1_000_000 }, costFree)).toBe(0)
  })

  it('takes the higher price for the whole call once the prompt is longer than the step', () => {
    const high = { ...costFree, input: 4_000_000, output: 8_000_000, above: 100 }
    const price = quote({ input: 2_000_000, output: 4_000_000 }, [high])
    expect(costOf({ ...noUsage, input: 100, output: 10 }, price)).toBe(240)
    expect(costOf({ ...noUsage, input: 60, cachedInput: 41, output: 10 }, price)).toBe(320)
  })
})

describe('the bounds a hold is made of', () => {
  it('never lie below the cost of a call within them', () => {
    fc.assert(
      fc.property(usages(100_000), quotes(20_000_000_000), fc.nat({ max: 1_000 }), (usage, price, slack) => {
        const prompt = promptTokens(usage) + slack
        const output = usage.output + usage.reasoning + usage.audioOutput
        const held = promptCost(prompt, price) + output * eachOutput(price, prompt)
        expect(held).toBeGreaterThanOrEqual(costOf(usage, price))
        expect(eachOutput(price, Infinity)).toBeGreaterThanOrEqual(eachOutput(price, prompt))
      }),
      { numRuns: 2_000 },
    )
  })

  it('do not charge a short prompt by the price of a long one', () => {
    const price = quote({ input: 2_000_000, output: 4_000_000 }, [
      { ...costFree, input: 9_000_000, output: 9_000_000, above: 100 },
    ])
    expect(promptCost(100, price)).toBe(200)
    expect(promptCost(101, price)).toBe(909)
    expect(eachOutput(price, 100)).toBe(4)
    expect(eachOutput(price, Infinity)).toBe(9)
  })
})
