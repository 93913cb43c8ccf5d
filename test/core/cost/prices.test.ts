import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { GENAI_PRICES_VERSION } from '../../../packages/core/src/cost/genai-prices.js'
import { priceBook, type Quote } from '../../../packages/core/src/cost/prices.js'
import { HooshError } from '../../../packages/core/src/errors.js'
import type { PriceSpec } from '../../../packages/core/src/options.js'

const DAYTIME = Date.UTC(2026, 10, 24, 12)
const remote = (type: string) => ({ type, local: false })

function quoteAt(now: number, type: string, model: string, overrides?: Record<string, PriceSpec>): Quote | null {
  return priceBook({ overrides, clock: () => now }).quote(remote(type), model)
}
const quote = (type: string, model: string, overrides?: Record<string, PriceSpec>) =>
  quoteAt(DAYTIME, type, model, overrides)

describe('the price book', () => {
  it('names table, version, provider and rule, and has whole nano-USD per million tokens', () => {
    expect(quote('openai', 'gpt-4o-2024-08-06')).toMatchObject({
      input: 2_500_000_000,
      cachedInput: 1_250_000_000,
      output: 10_000_000_000,
      reasoning: 10_000_000_000,
      until: null,
      source: `genai-prices ${GENAI_PRICES_VERSION} openai:gpt-4o`,
    })
  })

  it('names the version of the table that is installed', () => {
    const manifest = new URL('../../../node_modules/@pydantic/genai-prices/package.json', import.meta.url)
    expect(GENAI_PRICES_VERSION).toBe(JSON.parse(readFileSync(manifest, 'utf8')).version)
  })

  it('finds embeddings, Groq, xAI and OpenRouter by their provider', () => {
    expect(quote('openai', 'text-embedding-3-small')).toMatchObject({ input: 20_000_000, output: 0 })
    expect(quote('groq', 'llama-3.3-70b-versatile')?.source).toContain('groq:')
    expect(quote('grok', 'grok-3')?.source).toContain('x-ai:')
    expect(quote('openrouter', 'openai/gpt-4o')?.source).toContain('openrouter:')
    expect(quote('openrouter', 'meta-llama/llama-3.3-70b-instruct:free')).toMatchObject({ input: 0, output: 0 })
  })

  it('knows no price for a model that nobody lists, for speech, and for a remote server without a table', () => {
    expect(quote('openai', 'no-such-model')).toBeNull()
    expect(quote('openai', 'whisper-1')).toBeNull()
    expect(quote('vllm', 'gpt-4o')).toBeNull()
  })

  it('charges nothing on a local machine, whatever the model is called', () => {
    const book = priceBook({ overrides: { '*': { input: '1', output: '1' } }, clock: () => DAYTIME })
    expect(book.quote({ type: 'llamacpp', local: true }, 'gpt-4o')).toMatchObject({
      input: 0,
      output: 0,
      source: 'local',
    })
  })

  it('charges nothing for the demo provider unless the host prices it', () => {
    expect(quote('demo', 'demo-1')).toMatchObject({ input: 0, output: 0, source: 'demo' })
    const book = priceBook({ overrides: { 'demo*': { input: '1', output: '2' } }, clock: () => DAYTIME })
    expect(book.quote({ type: 'demo', local: true }, 'demo-1')).toMatchObject({
      input: 1_000_000_000,
      output: 2_000_000_000,
    })
  })

  it("lets the host's most specific pattern win over the table", () => {
    const overrides = {
      '*': { input: '9', output: '9' },
      'gpt-4o*': { input: '2.123456789', output: '10' },
      'gpt-4o': { input: '1', output: '1', cached: '0.5' },
    }
    expect(quote('openai', 'gpt-4o', overrides)).toMatchObject({
      input: 1e9,
      cachedInput: 5e8,
      source: 'override gpt-4o',
    })
    expect(quote('openai', 'gpt-4o-mini', overrides)).toMatchObject({
      input: 2_123_456_789,
      source: 'override gpt-4o*',
    })
    expect(quote('openai', 'o3', overrides)).toMatchObject({ input: 9e9, source: 'override *' })
  })

  it('prices cached tokens as input where no cached price is known', () => {
    expect(quote('openai', 'x', { x: { input: '3', output: '4' } })).toMatchObject({
      cachedInput: 3e9,
      cacheWrite: 3e9,
      audioInput: 3e9,
    })
    const groq = quote('groq', 'llama-3.3-70b-versatile')!
    expect(groq.cachedInput).toBe(groq.input)
  })

  it('refuses an override that is no exact price, and says where it stands', () => {
    for (const input of ['1.0000000001', '-1', '', '1e3', 'free']) {
      const thrown = (() => {
        try {
          return quote('openai', 'x', { 'my-*': { input, output: '1' } })
        } catch (error) {
          return error
        }
      })()
      expect(thrown).toBeInstanceOf(HooshError)
      expect(thrown).toMatchObject({
        code: 'invalid_options',
        message: expect.stringContaining('prices["my-*"].input'),
      })
    }
  })

  it('keeps the steps of prices that rise with the prompt', () => {
    const { tiers, input } = quote('openai', 'gpt-5.5')!
    expect(tiers.map(({ above }) => above)).toEqual([271_999])
    expect(tiers[0]!.input).toBe(2 * input)
  })

  it('remembers a price only until the hour at which it changes', () => {
    let now = Date.UTC(2026, 10, 24, 12)
    const book = priceBook({ clock: () => now })
    const day = book.quote(remote('deepseek'), 'deepseek-chat')!
    expect(day).toMatchObject({ input: 270_000_000, until: Date.UTC(2026, 10, 24, 16, 30) })
    now = Date.UTC(2026, 10, 24, 16, 29, 59, 999)
    expect(book.quote(remote('deepseek'), 'deepseek-chat')).toBe(day)
    now += 1
    const night = book.quote(remote('deepseek'), 'deepseek-chat')!
    expect(night).toMatchObject({ input: 135_000_000, until: Date.UTC(2026, 10, 25, 0, 30) })
    now = Date.UTC(2026, 10, 25, 0, 30)
    expect(book.quote(remote('deepseek'), 'deepseek-chat')).toMatchObject({ input: 270_000_000 })
  })

  it('sees a price end that is announced for a date', () => {
    const before = quoteAt(Date.UTC(2025, 5, 1), 'openai', 'o3')!
    expect(before).toMatchObject({ input: 10_000_000_000, until: Date.UTC(2025, 5, 10) })
    expect(quoteAt(before.until!, 'openai', 'o3')).toMatchObject({ input: 2_000_000_000, until: null })
  })

  it('remembers models without a price too, and not without bound', () => {
    const book = priceBook({ clock: () => DAYTIME })
    for (let i = 0; i < 3_000; i += 1) expect(book.quote(remote('openai'), `none-${i}`)).toBeNull()
    const known = book.quote(remote('openai'), 'gpt-4o')
    expect(book.quote(remote('openai'), 'gpt-4o')).toBe(known)
  })
})

// The figures of another gateway's table of 2025, for plausibility only: prices move, orders of magnitude hardly do.
const ELSEWHERE = [
  ['openai', 'gpt-4o', 2.5, 10],
  ['openai', 'gpt-4o-mini', 0.15, 0.6],
  ['openai', 'o1', 15, 60],
  ['openai', 'o3-mini', 1.1, 4.4],
  ['deepseek', 'deepseek-chat', 0.27, 1.1],
  ['deepseek', 'deepseek-reasoner', 0.55, 2.19],
  ['grok', 'grok-3', 3, 15],
  ['grok', 'grok-3-mini', 0.3, 0.5],
  ['groq', 'llama-3.3-70b-versatile', 0.59, 0.79],
  ['groq', 'llama-3.1-8b-instant', 0.05, 0.08],
  ['openrouter', 'anthropic/claude-opus-4', 15, 75],
  ['openrouter', 'anthropic/claude-sonnet-4', 3, 15],
  ['openrouter', 'anthropic/claude-3.5-haiku', 0.8, 4],
  ['openrouter', 'google/gemini-2.0-flash-001', 0.1, 0.4],
  ['google', 'gemini-2.0-flash', 0.1, 0.4],
  ['google', 'gemini-2.5-flash', 0.3, 2.5],
  ['google', 'gemini-3-pro-preview', 2, 12],
  // Every token as one of an image.
  ['google', 'gemini-2.5-flash-image', 0.3, 30],
] as const

describe('the table', () => {
  it.each(ELSEWHERE)('prices %s %s within a factor of two of what others list', (type, model, input, output) => {
    const found = quote(type, model)!
    expect(found.input / 1e9 / input).toBeGreaterThan(0.5)
    expect(found.input / 1e9 / input).toBeLessThan(2)
    expect(found.output / 1e9 / output).toBeGreaterThan(0.5)
    expect(found.output / 1e9 / output).toBeLessThan(2)
  })
})
