import { createGateway } from '@hoosh/core'
import { scriptedProvider } from '@hoosh/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { ask, PRICES } from '../support/money.js'

/** What Google bills for one; and as base64 longer than 1 MiB, as they are. */
const BILLED = 1_290
const base64 = 'A'.repeat(1_600_000)
const usage = { prompt_tokens: 10, completion_tokens: BILLED, total_tokens: 10 + BILLED }

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const choice = (delta: object, finish_reason: string | null = null) =>
  event({
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason }],
  })
const images = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${base64}` } }]
const image = choice({ content: '', images })
const end = `${choice({}, 'stop')}${event({ id: 'c', choices: [], usage })}data: [DONE]\n\n`
const inlineData = { mimeType: 'image/png', data: base64 }
const gemini = event({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ inlineData }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: BILLED, totalTokenCount: 10 + BILLED },
})

async function streamed(type: 'openai' | 'openrouter' | 'google', body: string, more: Record<string, unknown> = {}) {
  const provider = await scriptedProvider()
  provider.script({ replay: { contentType: 'text/event-stream', body } })
  const gateway = createGateway({
    providers: [{ type, baseUrl: provider.url, apiKey: 'sk-test' }],
    pools: { '*': { tokens: 100_000 } },
    prices: PRICES,
    logger: false,
  })
  onTestFinished(async () => {
    await gateway.close({ timeoutMs: 0 })
    await provider.close()
  })
  const user = gateway.as({ user: 'ada' })
  const reply = await user.fetch('http://hoosh/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ask({ model: 'gemini-2.5-flash-image', stream: true, ...more })),
  })
  const text = await reply.text()
  const [pool] = await user.budget.pools()
  return { text, used: pool!.used.tokens, held: pool!.held.tokens }
}

it.each([
  ['openai', image + end],
  ['openrouter', image + end],
  ['google', gemini],
] as const)('an image in a stream is no text that the pool has to pay for by its bytes: %s', async (type, body) => {
  const { text, used, held } = await streamed(type, body)
  expect(text).toContain(base64)
  expect(text).toMatch(/"finish_reason":"stop".*\[DONE\]\n\n$/s)
  expect([used, held]).toEqual([10 + BILLED, 0])
})

it('an image of a stream that breaks off is charged as one, and not as its bytes', async () => {
  const { text, used } = await streamed('openai', image)
  expect(text).toContain(base64)
  expect(text).toContain('"provider_error"')
  expect(used).toBeGreaterThan(BILLED)
  expect(used).toBeLessThan(10_000)
})

it('an image that goes back in the history is held for as one', async () => {
  const messages = [
    { role: 'user', content: 'Draw the sea.' },
    { role: 'assistant', content: '', images },
    { role: 'user', content: 'Bluer.' },
  ]
  const { text, used } = await streamed('openrouter', image + end, { messages })
  expect(text).toContain(base64)
  expect(used).toBe(10 + BILLED)
})
