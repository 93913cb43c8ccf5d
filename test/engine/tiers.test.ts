import { expect, it, onTestFinished } from 'vitest'
import { ask, MEMORY, PROMPT, till } from '../support/money.js'

/** Of gpt-5.4 in USD per million tokens, up to 271,999 prompt tokens and above. */
const LOW = { input: 2_500, output: 15_000 }
const HIGH = { input: 5_000, output: 22_500 }

const open = async (usd: number) => {
  const counter = await till(MEMORY, { pools: { 'user:*': { usd } }, prices: {} })
  onTestFinished(() => counter.close())
  return counter
}

it.each([
  ['a short prompt at the low price', 'Say something about the sea.', LOW],
  ['a prompt that may be above the tier at the high one', 'la '.repeat(95_000), HIGH],
])('a model whose price rises with the prompt holds %s', async (_, content, price) => {
  const counter = await open(1_000)
  counter.provider.hold()
  const call = counter.call({
    model: 'gpt-5.4',
    messages: [{ role: 'user', content }],
    max_completion_tokens: 100,
  })
  await counter.provider.received(1)
  const prompt = content.length + PROMPT.bytes - 28
  expect((await counter.pool()).held.nanoUsd).toBe(prompt * price.input + 100 * price.output)
  counter.provider.release()
  await (await call).text()
})

it('a pool that can pay for a call at the low price gives all of it, streamed or not', async () => {
  for (const stream of [false, true]) {
    const cap = PROMPT.counted * LOW.input + 40 * LOW.output
    const counter = await open(cap / 1e9)
    counter.provider.script({ tokens: 200 })
    const body = { ...ask({ model: 'gpt-5.4', stream }), max_completion_tokens: 100 }
    const text = await (await counter.call(body)).text()
    expect(text.match(/ (one|two|three|four|five|six|seven|eight|nine|ten)\b/g)).toHaveLength(40)
    expect((await counter.pool()).used.nanoUsd).toBe(PROMPT.billed * LOW.input + 40 * LOW.output)
  }
})
