import { expect, it } from 'vitest'
import { googleDialect } from '../../../../packages/core/src/providers/google/dialect.js'
import { ollamaDialect } from '../../../../packages/core/src/providers/ollama/dialect.js'
import { asking } from './asking.js'

const cached = { cache_control: { type: 'ephemeral' } }

it.each([
  ['google', googleDialect, 'gemini-2.5-flash'],
  ['ollama', ollamaDialect, 'llama3.2'],
] as const)('%s has no place for names and marks of the cache, and says so', (_name, dialect, model) => {
  const { dropped, body } = asking(dialect, {
    model,
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be terse.', ...cached }] },
      { role: 'user', name: 'ada', content: 'Hi.' },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } }, ...cached }],
  })
  expect(dropped).toEqual(['messages.0.content.0.cache_control', 'messages.1.name', 'tools.0.cache_control'])
  expect(JSON.stringify(body)).not.toMatch(/ephemeral|ada/)
})
