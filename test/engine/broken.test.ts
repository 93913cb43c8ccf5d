import { expect, it, onTestFinished } from 'vitest'
import { streamed } from '../support/answers.js'
import { ask, billed, MEMORY, till } from '../support/money.js'

const open = async () => {
  const deadlines = { idleMs: 300 }
  const counter = await till(MEMORY, { pools: { 'user:*': { tokens: 10_000 } }, deadlines })
  onTestFinished(() => counter.close())
  return counter
}

it.each([
  ['reset', 'provider_error'],
  ['eof', 'provider_error'],
  ['half-event', 'provider_error'],
  ['error-event', null],
  ['hang', 'idle_timeout'],
] as const)('a stream whose provider fails (%s) ends with an error that clients raise', async (fault, code) => {
  const counter = await open()
  counter.provider.script({ fault, faultAfter: 6 })
  const { said, finishes, error, isDone } = await streamed(counter, ask())
  expect([said, finishes, isDone]).toEqual([' one two three four five', [], false])
  expect(error).toMatchObject(code === null ? { message: expect.any(String) } : { code })
})

it('a stream that says of its end that there is none yet has not ended', async () => {
  const choices = [{ index: 0, delta: { content: 'one' }, finish_reason: '' }]
  const counter = await open()
  const body = `data: ${JSON.stringify({ id: 'c', choices })}\n\n`
  counter.provider.script({ replay: { body, contentType: 'text/event-stream' } })
  expect((await streamed(counter, ask())).error).toMatchObject({ code: 'provider_error' })
})

it('usage that was said before an answer broke off counts as far as it goes: of the output, the larger figure', async () => {
  const said = (content: string, completion_tokens: number) =>
    `data: ${JSON.stringify({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'gpt-4o',
      choices: [{ index: 0, delta: { content }, finish_reason: null }],
      usage: { prompt_tokens: 9, completion_tokens, total_tokens: 9 + completion_tokens },
    })}\n\n`
  for (const [claimed, output] of [
    [1, 5],
    [8, 8],
  ] as const) {
    const counter = await open()
    const body = ' one two three four five'
      .match(/ \w+/g)!
      .map((word) => said(word, claimed))
      .join('')
    const bills = { promptTokens: 9, completionTokens: output }
    counter.provider.script({ replay: { body, bills } })
    const { error, isDone } = await streamed(counter, ask())
    expect([error?.code, isDone]).toEqual(['provider_error', false])
    expect(await counter.settled()).toMatchObject({ used: billed(counter.provider.bill), held: { tokens: 0 } })
  }
})

it('the last words before a stream breaks off arrive, though they waited for room', async () => {
  const counter = await open()
  const said = ' word'.repeat(1_000)
  const delta = { index: 0, delta: { content: said }, finish_reason: null }
  counter.provider.script({ replay: { body: `data: ${JSON.stringify({ id: 'c', choices: [delta] })}\n\n` } })
  const answer = await streamed(counter, ask())
  expect([answer.said, answer.error?.code]).toEqual([said, 'provider_error'])
})
