import { describe, expect, it } from 'vitest'
import { demoTokens } from '../../../packages/core/src/context/demo-tokens.js'
import { outputCounter } from '../../../packages/core/src/context/output-count.js'
import { loadTokenizer } from '../../../packages/core/src/context/tokenizer.js'

describe('counting the output of a stream', () => {
  it('takes two bytes for a token while no tokenizer is at hand', () => {
    expect(outputCounter(null).count('four')).toBe(2)
    expect(outputCounter(null).count('fünf!')).toBe(3)
  })

  it('uses the tokenizer of the family once it is loaded', async () => {
    const before = outputCounter('cl100k_base').count('international')
    await loadTokenizer('cl100k_base')
    expect(before).toBe(7)
    expect(outputCounter('cl100k_base').count('international')).toBe(1)
  })

  it('counts every event as one at least', () => {
    for (const family of [null, 'demo', 'cl100k_base'] as const) expect(outputCounter(family).count('')).toBe(1)
  })

  it('is never below the count of the whole text, however it was cut into events', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    const counter = outputCounter('o200k_base')
    const text = 'Streams come in pieces: 1,234 of them, überall, 你好. '.repeat(5)
    for (const size of [1, 3, 7, 50]) {
      let counted = 0
      for (let at = 0; at < text.length; at += size) counted += counter.count(text.slice(at, at + size))
      expect(counted).toBeGreaterThanOrEqual(tokenizer.count(text))
    }
  })

  it('agrees with the demo provider', () => {
    expect(outputCounter('demo').count('hello there')).toBe(demoTokens('hello there'))
    expect(demoTokens('')).toBe(0)
    expect(demoTokens('éé!')).toBe(2)
  })
})
