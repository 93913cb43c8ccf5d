import { describe, expect, it } from 'vitest'
import { costFree } from '../../../packages/core/src/cost/prices.js'
import { type CallProfile, type ModelCandidate, recommend } from '../../../packages/core/src/cost/recommend.js'

const profile = (fields: Partial<CallProfile> = {}): CallProfile => ({
  inputTokens: 1_000,
  maxOutputTokens: 500,
  usesTools: false,
  hasVision: false,
  hasSystemPrompt: false,
  ...fields,
})
const priced = (usd: number) => ({ ...costFree, input: usd * 1e9, output: usd * 1e9 })
const model = (name: string, usd: number, fields: Partial<ModelCandidate> = {}): ModelCandidate => ({
  model: name,
  provider: 'openai',
  tier: 'economy',
  contextWindow: 128_000,
  text: true,
  vision: true,
  tools: true,
  systemPrompt: true,
  quote: priced(usd),
  ...fields,
})
const small = model('small', 1)
const large = model('large', 3, { tier: 'standard' })

describe('the recommended model', () => {
  it('is the cheapest that can do it, with all of the output used', () => {
    expect(recommend(profile(), [large, small])).toEqual({
      model: 'small',
      provider: 'openai',
      tier: 'economy',
      requiredTier: 'economy',
      nanoUsd: 1_500_000,
    })
  })

  it('is the first of those that cost the same', () => {
    expect(recommend(profile(), [model('first', 1), model('second', 1)])?.model).toBe('first')
  })

  it.each([
    ['pictures', { hasVision: true }],
    ['tools beside a longer prompt', { usesTools: true, inputTokens: 2_001 }],
    ['a long prompt', { inputTokens: 10_001 }],
  ])('is at least a standard one for %s', (_, fields) => {
    expect(recommend(profile(fields), [small, large])).toMatchObject({ model: 'large', requiredTier: 'standard' })
  })

  it('may be an economy model at the very limits', () => {
    expect(recommend(profile({ usesTools: true, inputTokens: 2_000 }), [small, large])?.model).toBe('small')
    expect(recommend(profile({ inputTokens: 10_000 }), [small, large])?.model).toBe('small')
  })

  it.each([
    ['cannot see', { hasVision: true }, { tier: 'standard', vision: false }],
    ['cannot call tools', { usesTools: true }, { tools: false }],
    ['takes no system prompt', { hasSystemPrompt: true }, { systemPrompt: false }],
    ['makes no text', {}, { text: false }],
    ['is too small for prompt and output together', {}, { contextWindow: 1_499 }],
    ['has no known price', {}, { quote: null }],
  ] as const)('is never one that %s', (_, asked, fields) => {
    expect(recommend(profile(asked), [model('unfit', 0, fields)])).toBeNull()
  })
})
