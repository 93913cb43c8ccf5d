import { describe, expect, it } from 'vitest'
import { demoTokens } from '../../../packages/core/src/context/demo-tokens.js'
import { outputCounter } from '../../../packages/core/src/context/output-count.js'
import { loadTokenizer } from '../../../packages/core/src/context/tokenizer.js'

describe('counting the output of a stream', () => {
  it('takes two bytes for a token where there is no tokenizer, and says that this is a guess', async () => {
    const counter = await outputCounter(null)
    expect([counter.count('four'), counter.count('fünf!'), counter.isEstimate]).toEqual([2, 3, true])
  })

  it("loads the family's tokenizer where nobody has, and has it at hand from then on", async () => {
    const first = outputCounter('cl100k_base')
    expect(first).toBeInstanceOf(Promise)
    expect((await first).count('international')).toBe(1)
    expect(outputCounter('cl100k_base')).toMatchObject({ isEstimate: false })
  })

  it('counts every event as one at least', async () => {
    for (const family of [null, 'demo', 'cl100k_base'] as const) expect((await outputCounter(family)).count('')).toBe(1)
  })

  it('is never below the count of the whole text, however it was cut into events', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    const counter = await outputCounter('o200k_base')
    const text = 'Streams come in pieces: 1,234 of them, überall, 你好. '.repeat(5)
    for (const size of [1, 3, 7, 50]) {
      let counted = 0
      for (let at = 0; at < text.length; at += size) counted += counter.count(text.slice(at, at + size))
      expect(counted).toBeGreaterThanOrEqual(tokenizer.count(text))
    }
  })

  it('agrees with the demo provider', async () => {
    expect((await outputCounter('demo')).count('hello there')).toBe(demoTokens('hello there'))
    expect(demoTokens('')).toBe(0)
    expect(demoTokens('éé!')).toBe(2)
  })
})
