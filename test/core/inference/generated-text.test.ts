import { expect, it } from 'vitest'
import { generatedText } from '../../../packages/core/src/inference/generated-text.js'

it('is the answer, its tool calls and its thinking, in their order', () => {
  const message = {
    role: 'assistant',
    content: 'a',
    reasoning_content: '',
    reasoning: 'b',
    reasoning_details: [{ type: 'reasoning.text', text: 'b' }],
    tool_calls: [{ id: 'x', type: 'function', function: { name: 'c', arguments: 'd' } }],
    refusal: null,
  }
  expect(generatedText(message)).toBe('abcd')
})

it('looks once at each text, however deep thinking stands in thinking', () => {
  let looks = 0
  let nested: object = {
    get text() {
      looks += 1
      return 'x'
    },
  }
  for (let level = 0; level < 16; level += 1) nested = { reasoning: nested }
  expect(generatedText(nested)).toBe('x')
  expect(looks).toBe(1)
})
