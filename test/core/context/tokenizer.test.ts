import fc from 'fast-check'
import * as cl100k from 'gpt-tokenizer/encoding/cl100k_base'
import * as o200k from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { type Encoding, loadedTokenizer, loadTokenizer } from '../../../packages/core/src/context/tokenizer.js'

const asText = { disallowedSpecial: new Set<string>() }
const whole: Record<Encoding, (text: string) => number> = {
  o200k_base: (text) => o200k.countTokens(text, asText),
  cl100k_base: (text) => cl100k.countTokens(text, asText),
}
const ENCODINGS: Encoding[] = ['o200k_base', 'cl100k_base']

const PROSE =
  'The gateway counts what a call used (prompt, answer, both) and settles it: 12,345 tokens for user-42.\nThen it goes on. '
const WORDS = [
  'token',
  'straße',
  "don't",
  '12345',
  '=====',
  '你好世界',
  'ありがとう',
  'สวัสดีครับ',
  'привет',
  '😀👍🏽',
  ' ',
  '  ',
  '\n',
  '\r\n',
  '\t',
  ')',
  '//',
  'HTTPServer',
  'aaaaaaa',
]
/** Up to several thousand characters, with and without places to cut at. */
const texts = fc.oneof(
  fc.array(fc.constantFrom(...WORDS), { maxLength: 800 }).map((words) => words.join('')),
  fc.array(fc.constantFrom(...WORDS), { maxLength: 800 }).map((words) => words.join(' ')),
  fc.string({ maxLength: 3_000, unit: 'binary' }),
  fc.string({ maxLength: 2_000, unit: fc.constantFrom('a', 'b', 'c') }),
)

describe.each(ENCODINGS)('counting in %s', (encoding) => {
  it('is loaded once, on first use', async () => {
    const [first, second] = await Promise.all([loadTokenizer(encoding), loadTokenizer(encoding)])
    expect(first).toBe(second)
    expect(loadedTokenizer(encoding)).toBe(first)
  })

  it('never gives less than the whole text at once would', async () => {
    const tokenizer = await loadTokenizer(encoding)
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.count(text)).toBeGreaterThanOrEqual(whole[encoding](text))
      }),
      { numRuns: 300 },
    )
  })

  it('gives exactly as much for prose, and hardly more for one endless word', async () => {
    const tokenizer = await loadTokenizer(encoding)
    const prose = PROSE.repeat(200)
    expect(tokenizer.count(prose)).toBe(whole[encoding](prose))
    const word = 'lorem'.repeat(400)
    expect(tokenizer.count(word)).toBeLessThanOrEqual(whole[encoding](word) * 1.05)
  })

  it('takes the names of special tokens for text', async () => {
    const tokenizer = await loadTokenizer(encoding)
    expect(tokenizer.count('<|endoftext|><|im_start|>')).toBeGreaterThan(2)
    expect(tokenizer.count('')).toBe(0)
  })
})

describe('counting much', () => {
  it('of 200 KB of "ab" ends, and so does 200 KB of one letter', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    expect(await tokenizer.countAll(['ab'.repeat(100_000), 'x'.repeat(200_000)])).toBeGreaterThan(50_000)
  })

  it('lets others have their turn', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    let turns = 0
    const other = setInterval(() => (turns += 1), 0)
    await tokenizer.countAll([PROSE.repeat(4_000)])
    clearInterval(other)
    expect(turns).toBeGreaterThan(2)
  })

  it('adds up, at once where it is little', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    expect(tokenizer.countAll([PROSE, 'a b', ''])).toBe(whole.o200k_base(PROSE) + 2)
    const long = PROSE.repeat(100)
    expect(await tokenizer.countAll([long, long])).toBe(2 * whole.o200k_base(long))
  })

  it('is done once for a text: the messages of a conversation come again with each of its calls', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    const history = ['first', 'second'].map((name) => `${name}: ${PROSE.repeat(200)}`)
    const counted = await tokenizer.countAll(history)
    expect(tokenizer.countAll(history)).toBe(counted)
    const [first, second] = history.map((text) => tokenizer.countAll([text]))
    expect(first).toBe(tokenizer.count(history[0]!))
    expect(counted).toBe(Number(first) + Number(second))
  })

  it('takes bytes for tokens beyond a megabyte, so that nobody can buy our time', async () => {
    const tokenizer = await loadTokenizer('o200k_base')
    const prose = PROSE.repeat(9_000)
    const counted = 1_048_576
    const rest = prose.length - counted
    expect(await tokenizer.countAll([prose, 'é'])).toBeGreaterThan(rest)
  })
})
