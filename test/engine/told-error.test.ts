import { describe, expect, it } from 'vitest'
import { chat, door, upstream } from '../support/door.js'

const chunk = (more: object) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', ...more })}\n\n`
const text = chunk({ choices: [{ index: 0, delta: { content: 'Hello' }, finish_reason: null }] })

const streamed = async (body: string, apiKey = 'sk-secret-key') => {
  const provider = await upstream()
  provider.script({ replay: { body } })
  const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url, apiKey }] })
  const reply = await chat(to, 'm', { stream: true })
  const last = reply.text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .at(-1)!
  return { reply, last: last === 'data: [DONE]' ? last : JSON.parse(last.slice(6)) }
}

describe('an error in the middle of a stream', () => {
  it('beside a choice that ends in it, as OpenRouter tells it, is no whole answer', async () => {
    const error = { code: 502, message: 'Provider disconnected', metadata: { provider_name: 'X' } }
    const end = chunk({ error, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] })
    const { reply, last } = await streamed(`${text}${end}data: [DONE]\n\n`)
    expect(last.error).toEqual(error)
    expect(reply.text).not.toContain('[DONE]')
  })

  it('keeps what else the provider says of it, without secrets', async () => {
    const { last } = await streamed(`${text}data: {"error":{"message":"key sk-secret-key","code":"x","more":1}}\n\n`)
    expect(last.error).toEqual({ message: 'key [redacted]', code: 'x', more: 1 })
  })

  it('tells no key, however its JSON spells it', async () => {
    const key = 'c2VjcmV0+/Canary+/0123456789abcdefXYZ=='
    const spelled = key.replaceAll('/', '\\/').replaceAll('+', '\\u002B')
    const error = `{"error":{"message":"bad key ${spelled}","code":"bad_key","of":[{"${spelled}":"${spelled}"}]}}`
    const { reply, last } = await streamed(`${text}data: ${error}\n\n`, key)
    expect(last.error).toEqual({
      message: 'bad key [redacted]',
      code: 'bad_key',
      of: [{ '[redacted]': '[redacted]' }],
    })
    expect(reply.text).not.toContain('Canary')
    const digits = await streamed(`${text}data: {"error":{"message":"no","code":40123456789}}\n\n`, '40123456789')
    expect(digits.last.error).toEqual({ message: 'no', code: '[redacted]' })
  })

  it('is told however deep it is nested', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { last } = await streamed(`${text}data: {"error":{"message":"no","code":"x","more":${deep}}}\n\n`)
    expect(last.error).toMatchObject({ message: 'no', code: 'x' })
  })

  it.each([
    ['a bare text', 'data: {"error":"sk-secret-key is bad"}\n\n', '[redacted] is bad'],
    ['an event that is called error', 'event: error\ndata: {"message":"boom"}\n\n', 'boom'],
    ['vLLM', 'data: {"object":"error","message":"boom","code":500}\n\n', 'boom'],
    ['the Responses API', 'data: {"type":"response.failed","response":{"error":{"message":"boom"}}}\n\n', 'boom'],
    ['no words', 'event: error\ndata: oops\n\n', 'The provider reported an error in the middle of its answer.'],
  ])('in another shape is told in ours: %s', async (_what, event, message) => {
    const { last } = await streamed(`${text}${event}`)
    expect(last).toEqual({ error: { message, type: 'api_error', param: null, code: 'provider_error' } })
  })

  it('is none where a model only talks of it', async () => {
    const told = chunk({ choices: [{ index: 0, delta: { content: '"finish_reason":"error"' }, finish_reason: null }] })
    const end = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    expect((await streamed(`${told}${end}data: [DONE]\n\n`)).last).toBe('data: [DONE]')
  })
})
