import { expect, it, onTestFinished } from 'vitest'
import { streamed } from '../support/answers.js'
import { ask, MEMORY, till } from '../support/money.js'

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
