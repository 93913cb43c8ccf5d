import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noUsage, totalTokens } from '../../../packages/core/src/cost/usage.js'
import { merged, parseUsage } from '../../../packages/core/src/cost/wire-usage.js'

const usageOf = (wire: unknown) => parseUsage(wire)?.usage ?? null

describe('a usage object of the wire', () => {
  it('is taken apart into classes that do not overlap', () => {
    const wire = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, audio_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5 },
    }
    expect(usageOf(wire)).toEqual({
      input: 30,
      cachedInput: 60,
      cacheWrite: 0,
      audioInput: 10,
      output: 15,
      reasoning: 30,
      audioOutput: 5,
    })
  })

  it('has the cached tokens where DeepSeek puts them and the cache writes where OpenRouter does', () => {
    expect(
      usageOf({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 6 }),
    ).toEqual({
      ...noUsage,
      input: 6,
      cachedInput: 4,
      output: 1,
    })
    expect(usageOf({ prompt_tokens: 10, prompt_tokens_details: { cache_write_tokens: 7 } })).toMatchObject({
      input: 3,
      cacheWrite: 7,
    })
  })

  it('counts reasoning that a provider keeps beside its completion, as xAI does', () => {
    const wire = {
      prompt_tokens: 10,
      completion_tokens: 20,
      total_tokens: 330,
      completion_tokens_details: { reasoning_tokens: 300 },
    }
    expect(usageOf(wire)).toEqual({ ...noUsage, input: 10, output: 20, reasoning: 300 })
    const { total_tokens: _, ...withoutTotal } = wire
    expect(usageOf(withoutTotal)).toEqual({ ...noUsage, input: 10, output: 20, reasoning: 300 })
  })

  it('of embeddings has no output', () => {
    expect(usageOf({ prompt_tokens: 8, total_tokens: 8 })).toEqual({ ...noUsage, input: 8 })
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an array', [1]],
    ['no figures', {}],
    ['a prompt of zero', { prompt_tokens: 0, completion_tokens: 5 }],
    ['a negative figure', { prompt_tokens: 5, completion_tokens: -1 }],
    ['a fractional figure', { prompt_tokens: 5.5, completion_tokens: 1 }],
    ['a figure beyond safe integers', { prompt_tokens: 2 ** 53, completion_tokens: 1 }],
    ['a sum beyond safe integers', { prompt_tokens: 2 ** 53 - 1, completion_tokens: 1 }],
    ['a figure as text', { prompt_tokens: '5', completion_tokens: 1 }],
    ['a negative detail', { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -1 } }],
  ])('is none where there is %s', (_, wire) => {
    expect(parseUsage(wire)).toBeNull()
  })

  it('never loses a token nor makes one up, however its details overlap', () => {
    const figure = fc.nat({ max: 1_000 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        figure,
        figure,
        figure,
        figure,
        figure,
        (p, c, cached, audio, r, spoken) => {
          const wire = {
            prompt_tokens: p,
            completion_tokens: c,
            total_tokens: p + c,
            prompt_tokens_details: { cached_tokens: cached, audio_tokens: audio },
            completion_tokens_details: { reasoning_tokens: Math.min(r, c), audio_tokens: spoken },
          }
          const usage = usageOf(wire)!
          expect(totalTokens(usage)).toBe(p + c)
          expect(Math.min(...Object.values(usage))).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})

describe('reports on one call', () => {
  const mergedOf = (...wires: object[]) => wires.map((wire) => parseUsage(wire)!).reduce(merged).usage

  it('count by the larger of each side', () => {
    const usage = mergedOf({ prompt_tokens: 10, completion_tokens: 1 }, { prompt_tokens: 9, completion_tokens: 5 })
    expect(usage).toEqual({ ...noUsage, input: 10, output: 5 })
  })

  it('count no token twice where only the last tells of cached and reasoning tokens', () => {
    const first = { prompt_tokens: 100, completion_tokens: 40 }
    const last = {
      ...first,
      prompt_tokens_details: { cached_tokens: 80 },
      completion_tokens_details: { reasoning_tokens: 30 },
    }
    const usage = { ...noUsage, input: 20, cachedInput: 80, output: 10, reasoning: 30 }
    expect(mergedOf(first, first, last)).toEqual(usage)
  })
})
