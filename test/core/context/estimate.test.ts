import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { demoTokens } from '../../../packages/core/src/context/demo-tokens.js'
import { promptBound } from '../../../packages/core/src/context/estimate.js'
import { tokenFacts } from '../../../packages/core/src/context/token-facts.js'
import { loadTokenizer } from '../../../packages/core/src/context/tokenizer.js'

const gpt = tokenFacts({ type: 'openai', local: false }, 'gpt-4o')
const llama = tokenFacts({ type: 'groq', local: false }, 'llama-3.3-70b-versatile')
const demo = tokenFacts({ type: 'demo', local: true }, 'demo')

const chat = (...contents: unknown[]) => ({ messages: contents.map((content) => ({ role: 'user', content })) })

describe('the bound of a prompt', () => {
  it('by bytes is no less than the bytes of all texts, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 5 }), (contents) => {
        const bytes = contents.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
        expect(promptBound(chat(...contents), llama).plenty).toBeGreaterThanOrEqual(bytes)
      }),
    )
  })

  it('by bytes covers digits with spaces between, which are a token for each byte', async () => {
    const text = '1 2 3 4 5 6 7 8 9 '.repeat(100)
    const tokens = (await loadTokenizer('o200k_base')).count(text)
    expect(tokens).toBeGreaterThan(0.99 * text.length)
    expect(promptBound(chat(text), gpt).plenty).toBeGreaterThanOrEqual(tokens)
  })

  it('by the tokenizer is the text, the seven tokens around it, and a few more', async () => {
    const params = chat('Answer in one short sentence, and say where you are not sure of it.')
    const exact = await promptBound(params, gpt).exact()
    const text = (await loadTokenizer('o200k_base')).count(params.messages[0]!.content as string)
    expect(exact).toBeGreaterThanOrEqual(text + 7)
    expect(exact).toBeLessThanOrEqual(text + 16)
  })

  it('by the tokenizer lies between the text and the bytes', async () => {
    await loadTokenizer('o200k_base')
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'grapheme' }), (text) => {
        const bound = promptBound(chat(text), gpt)
        expect(bound.exact()).toBeLessThanOrEqual(bound.plenty)
      }),
    )
  })

  it('without a tokenizer is the bytes again', () => {
    const bound = promptBound(chat('hello'), llama)
    expect(bound.exact()).toBe(bound.plenty)
  })

  it('for the demo provider is its own count, and a few tokens', () => {
    const exact = promptBound(chat('hello there', 'more'), demo).exact() as number
    const own = demoTokens('hello there') + demoTokens('more')
    expect(exact).toBeGreaterThanOrEqual(own)
    expect(exact).toBeLessThanOrEqual(own + 16)
  })

  it('is counted once, however often it is asked for', async () => {
    const bound = promptBound(chat('word '.repeat(5_000)), gpt)
    const first = bound.exact()
    expect(first).toBeInstanceOf(Promise)
    expect(bound.exact()).toBe(first)
    expect(await first).toBeGreaterThan(5_000)
  })

  it('grows by names, tool calls, tools and answer schemas', () => {
    const plain = promptBound(chat('x'), llama).plenty
    const schema = { type: 'object', properties: { city: { type: 'string', description: 'a "quoted"\nname' } } }
    const tools = [{ type: 'function', function: { name: 'weather', parameters: schema } }]
    const json = Buffer.byteLength(JSON.stringify(tools))
    expect(promptBound({ ...chat('x'), tools }, llama).plenty).toBe(plain + json + llama.perTools)
    expect(
      promptBound({ ...chat('x'), response_format: { type: 'json_schema', json_schema: { schema } } }, llama).plenty,
    ).toBeGreaterThan(plain + 80)
    const call = {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: '1', type: 'function', function: { name: 'weather', arguments: '{}' } }],
    }
    expect(promptBound({ messages: [call] }, llama).plenty).toBeGreaterThan(70)
    expect(promptBound({ messages: [{ role: 'user', name: 'somebody', content: 'x' }] }, llama).plenty).toBeGreaterThan(
      plain + 7,
    )
  })

  it('has a fixed most for an image, whatever the size of its data', () => {
    const image = (url: string) => promptBound(chat([{ type: 'image_url', image_url: { url } }]), gpt).plenty
    expect(image('https://example.org/a.png')).toBe(image(`data:image/png;base64,${'A'.repeat(500_000)}`))
    expect(image('x')).toBeGreaterThanOrEqual(85 + 8 * 170)
    expect(tokenFacts({ type: 'openai', local: false }, 'gpt-4o-mini').perImage).toBe(48_169)
  })

  it('bounds recordings and files by their length, up to a most', () => {
    const audio = (data: string) =>
      promptBound(chat([{ type: 'input_audio', input_audio: { data, format: 'mp3' } }]), gpt).plenty
    expect(audio('A'.repeat(100_000))).toBeLessThan(3_000)
    expect(audio('A'.repeat(10_000_000))).toBeLessThan(33_000)
    const file = (part: object) => promptBound(chat([{ type: 'file', file: part }]), gpt).plenty
    expect(file({ file_data: 'A'.repeat(10_000) })).toBeLessThan(16_000)
    expect(file({ file_id: 'file-1' })).toBeGreaterThan(131_000)
  })

  it('counts parts it does not know as text', () => {
    expect(promptBound(chat([{ type: 'new_kind', payload: 'x'.repeat(500) }]), gpt).plenty).toBeGreaterThan(500)
  })

  it('of embeddings takes texts and tokens as they come', async () => {
    const small = tokenFacts({ type: 'openai', local: false }, 'text-embedding-3-small')
    expect(small.family).toBe('cl100k_base')
    const bound = (input: unknown) => promptBound({ input }, { ...small, perRequest: 0 })
    const tokenizer = await loadTokenizer('cl100k_base')
    expect(await bound('hello world').exact()).toBe(tokenizer.count('hello world'))
    expect(await bound(['hello', 'world']).exact()).toBe(2)
    expect(bound([1, 2, 3]).plenty).toBe(3)
    expect(bound([[1, 2], [3]]).plenty).toBe(3)
  })

  it('survives what no schema would let through', () => {
    for (const params of [
      {},
      { messages: 'x' },
      { messages: [null, 3, {}] },
      chat([null, 'x', 5]),
      { input: {} },
      { tools: 3 },
    ]) {
      expect(promptBound(params, llama).plenty).toBeGreaterThan(0)
    }
  })
})

describe('the tokenizer of a model', () => {
  it.each([
    ['openai', 'gpt-4o-mini', 'o200k_base'],
    ['openai', 'ft:gpt-4o-mini:acme::1', 'o200k_base'],
    ['openai', 'o3', 'o200k_base'],
    ['openai', 'gpt-6-sol', 'o200k_base'],
    ['openai', 'gpt-4-turbo', 'cl100k_base'],
    ['openai', 'text-embedding-3-large', 'cl100k_base'],
    ['openai', 'my-own-model', null],
    ['openrouter', 'openai/gpt-4o', 'o200k_base'],
    ['openrouter', 'anthropic/claude-sonnet-4', null],
    ['groq', 'openai/gpt-oss-120b', 'o200k_base'],
    ['mistral', 'mistral-large-latest', null],
    ['demo', 'anything', 'demo'],
  ])('on %s %s is %s', (type, model, family) => {
    expect(tokenFacts({ type, local: false }, model).family).toBe(family)
  })

  it('on a local server is not known, whatever the model is called', () => {
    expect(tokenFacts({ type: 'openai', local: true }, 'gpt-4o').family).toBeNull()
  })
})
