import { describe, expect, it } from 'vitest'
import { googleDialect } from '../../../../packages/core/src/providers/google/dialect.js'
import { asking } from '../translated/asking.js'

const asked = () => asking(googleDialect, { model: 'gemini-2.5-flash', messages: [{ role: 'user', content: 'Hi' }] })
const answer = (parts: object[], more: object = {}) => ({
  candidates: [{ content: { parts }, finishReason: 'STOP', ...more }],
  usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2 },
  responseId: 'answer-1',
})
const call = (name: string, more = {}) => ({ functionCall: { name, args: {} }, ...more })

/** The message that a stream's deltas add up to. */
function summed(chunks: { choices: { delta: Record<string, unknown> }[] }[]) {
  const message: Record<string, unknown> = {}
  for (const { choices } of chunks) {
    for (const [key, value] of Object.entries(choices[0]?.delta ?? {})) {
      const before = message[key]
      if (typeof value === 'string') message[key] = `${(before as string | undefined) ?? ''}${value}`
      else if (Array.isArray(value)) message[key] = [...((before as unknown[] | undefined) ?? []), ...value]
      else message[key] = value
    }
  }
  return message
}

describe('an answer, plain and as one event', () => {
  const both = (json: object) => {
    const plain = asked().reply(json).choices[0]
    const { chunks, isDone } = asked().stream(json)
    expect(isDone).toBe(true)
    const finish = chunks.find((chunk) => chunk.choices[0]?.finish_reason != null).choices[0]
    return { plain, streamed: summed(chunks), finish }
  }

  it('gives calls without ids the same ids each time, and keeps those there are', () => {
    const { plain, streamed, finish } = both(answer([call('a'), call('b'), { functionCall: { name: 'c', id: 'own' } }]))
    const ids = ['call_answer-1_1', 'call_answer-1_2', 'own']
    expect(plain.message.tool_calls.map(({ id }: { id: string }) => id)).toEqual(ids)
    expect((streamed.tool_calls as { id: string; index: number }[]).map(({ id, index }) => [id, index])).toEqual(
      ids.map((id, index) => [id, index]),
    )
    expect([plain.finish_reason, finish.finish_reason]).toEqual(['tool_calls', 'tool_calls'])
  })

  it('carries the signature of a call with the call, and nothing else where that is all', () => {
    const { plain, streamed } = both(
      answer([{ text: 'Hm', thought: true }, { text: 'So' }, call('a', { thoughtSignature: 's' })]),
    )
    const extra_content = { google: { thought_signature: 's' } }
    expect(plain.message).toMatchObject({ content: 'So', reasoning_content: 'Hm', tool_calls: [{ extra_content }] })
    expect(streamed).toMatchObject({ content: 'So', reasoning_content: 'Hm', tool_calls: [{ extra_content }] })
    expect([plain.message.extra_content, streamed.extra_content]).toEqual([undefined, undefined])
  })

  it("carries what a message cannot hold: signed texts, Google's own tools, the order", () => {
    const code = { executableCode: { code: '1+1' }, thoughtSignature: 'x' }
    const parts = [code, { text: 'two' }, call('a'), { text: '', thoughtSignature: 'y' }]
    const carried = {
      google: { parts: [code, { length: 3 }, { call: 'call_answer-1_1' }, { length: 0, thoughtSignature: 'y' }] },
    }
    const { plain, streamed } = both(answer(parts))
    expect([plain.message.extra_content, streamed.extra_content]).toEqual([carried, carried])
  })

  it('gives images as images, and takes them back', () => {
    const picture = { inlineData: { mimeType: 'image/png', data: 'AAAA' }, thoughtSignature: 's' }
    const { plain, streamed } = both(answer([{ text: 'Look' }, picture]))
    const images = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]
    expect([plain.message.images, streamed.images]).toEqual([images, images])
    const again = asking(googleDialect, { model: 'gemini-2.5-flash-image', messages: [plain.message] })
    expect(again.body.contents[0].parts).toEqual([{ text: 'Look' }, picture])
  })

  it.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['MALFORMED_FUNCTION_CALL', 'stop'],
  ])('that ended by %s', (finishReason, expected) => {
    const { plain, finish } = both(answer([{ text: 'x' }], { finishReason }))
    expect([plain.finish_reason, finish.finish_reason]).toEqual([expected, expected])
    expect([plain.native_finish_reason, finish.native_finish_reason]).toEqual([finishReason, finishReason])
    expect(plain.message.refusal === null).toBe(expected !== 'content_filter')
  })

  it('to a prompt that is not answered says why', () => {
    const { plain, streamed, finish } = both({
      candidates: [],
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 5 },
    })
    expect(plain).toMatchObject({ finish_reason: 'content_filter', message: { content: null, refusal: /SAFETY/ } })
    expect(streamed.refusal).toMatch(/SAFETY/)
    expect(finish.finish_reason).toBe('content_filter')
  })

  it('cites pages at their place in the text, which Google counts in bytes', () => {
    const groundingMetadata = {
      groundingChunks: [
        { web: { uri: 'https://a.example', title: 'A' } },
        { retrievedContext: { text: 'no address' } },
      ],
      groundingSupports: [{ segment: { startIndex: 5, endIndex: 10, text: 'Paris' }, groundingChunkIndices: [0, 1] }],
    }
    const annotations = [
      { type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A', start_index: 4, end_index: 9 } },
    ]
    const { plain, streamed, finish } = both(answer([{ text: 'Où: Paris' }], { groundingMetadata }))
    expect([plain.message.annotations, streamed.annotations]).toEqual([annotations, annotations])
    expect(plain.extra_content.google.grounding_metadata).toEqual(groundingMetadata)
    expect(finish.extra_content).toEqual(plain.extra_content)
  })

  it('tells log probabilities', () => {
    const token = { token: 'é', logProbability: -0.5 }
    const logprobsResult = { chosenCandidates: [token], topCandidates: [{ candidates: [token] }] }
    const { plain } = both(answer([{ text: 'é' }], { logprobsResult }))
    const told = { token: 'é', logprob: -0.5, bytes: [195, 169] }
    expect(plain.logprobs).toEqual({ content: [{ ...told, top_logprobs: [told] }], refusal: null })
    const { chunks } = asked().stream(answer([{ text: 'é' }], { logprobsResult }))
    expect(chunks.find((chunk) => chunk.choices[0]?.logprobs).choices[0].logprobs).toEqual(plain.logprobs)
  })
})

it('counts what its own tools read into the prompt, and thoughts into the answer', () => {
  const usageMetadata = {
    promptTokenCount: 10,
    toolUsePromptTokenCount: 5,
    candidatesTokenCount: 3,
    thoughtsTokenCount: 4,
    cachedContentTokenCount: 2,
    promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 6 }],
    serviceTier: 'standard',
  }
  const expected = {
    prompt_tokens: 15,
    completion_tokens: 7,
    total_tokens: 22,
    prompt_tokens_details: { cached_tokens: 2, audio_tokens: 6 },
    completion_tokens_details: { reasoning_tokens: 4 },
  }
  const json = { ...answer([{ text: 'x' }]), usageMetadata }
  expect(asked().reply(json)).toMatchObject({ usage: expected, service_tier: 'default' })
  expect(asked().stream(json).chunks.at(-1)).toMatchObject({ choices: [], usage: expected, service_tier: 'default' })
})

describe('a stream', () => {
  it('of several choices keeps them apart', () => {
    const candidates = (text: string, more = {}) =>
      [0, 1].map((index) => ({ index, content: { parts: [{ text: `${text}${index}` }] }, ...more }))
    const { chunks, isDone } = asked().stream(
      { candidates: candidates('a') },
      { candidates: candidates('b', { finishReason: 'STOP' }) },
    )
    expect(isDone).toBe(true)
    const of = (index: number) => chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index)
    for (const index of [0, 1]) {
      expect(
        of(index)
          .map(({ delta }) => delta.content ?? '')
          .join(''),
      ).toBe(`a${index}b${index}`)
      expect(of(index).map(({ delta }) => delta.role)).toEqual(['assistant', undefined, undefined])
    }
  })

  it('that ends before its choice has is not done', () => {
    expect(asked().stream({ candidates: [{ content: { parts: [{ text: 'a' }] } }] }).isDone).toBe(false)
  })

  it('with an error inside fails, in whichever shape it comes', () => {
    const error = { code: 503, message: 'overloaded', status: 'UNAVAILABLE' }
    expect(() => asked().stream({ error })).toThrow(/503.*overloaded/)
    expect(() => asked().stream([{ error }])).toThrow(/503.*overloaded/)
    expect(() => asked().stream({ nothing: 1 })).toThrow(/neither/)
  })
})

describe('a refusal', () => {
  const meant = (status: number, error: object) =>
    googleDialect.refusal!({ status, body: JSON.stringify({ error }), retryAfterMs: undefined })

  it.each([
    [
      'a bad key',
      400,
      { message: 'API key not valid.', details: [{ '@type': 'x/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }] },
      401,
    ],
    ['a place that is not served', 400, { message: 'User location is not supported for the API use.' }, 403],
    ['a bad field', 400, { message: 'Invalid value', status: 'INVALID_ARGUMENT' }, 400],
  ])('of %s', (_what, status, error, expected) => expect(meant(status, error).status).toBe(expected))

  it('says when to come back, and which field it means', () => {
    const details = [
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.07s' },
      { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'contents' }] },
    ]
    const { retryAfterMs, body } = meant(429, { message: 'quota', status: 'RESOURCE_EXHAUSTED', details })
    expect(retryAfterMs).toBe(34_070)
    expect(JSON.parse(body).error).toEqual({
      message: 'quota',
      type: 'RESOURCE_EXHAUSTED',
      code: 'RESOURCE_EXHAUSTED',
      param: 'contents',
    })
  })

  it('that is no JSON stays what it is', () => {
    const answer = { status: 502, body: '<html>', retryAfterMs: undefined }
    expect(googleDialect.refusal!(answer)).toBe(answer)
  })
})
