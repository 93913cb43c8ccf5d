import { describe, expect, it } from 'vitest'
import { answerFilter } from '../../../packages/core/src/dlp/answers.js'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { createPolicy, type Inspection } from '../../../packages/core/src/dlp/policy.js'
import { contentOf, withTexts } from '../../../packages/core/src/dlp/texts.js'

const CARD = '4111 1111 1111 1111'
const policy = createPolicy({
  actions: { internal: 'redact', confidential: 'redact', restricted: 'redact' },
  answers: true,
})
const PIXELS = Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 7919 + 13) % 251)).toString('base64')

function redacted(params: Record<string, unknown>): Record<string, unknown> {
  const { texts } = inspectContent(policy, contentOf(params)) as Inspection
  return texts === null ? params : withTexts(params, texts)
}

async function timeOf(params: Record<string, unknown>): Promise<number> {
  const began = performance.now()
  await inspectContent(policy, contentOf(params))
  return performance.now() - began
}

const say = (content: unknown) => ({ messages: [{ role: 'user', content }] })

describe('a string that says it is an image', () => {
  it.each([
    ['has a text behind it', `data:image/png;base64,${PIXELS} ${CARD}`],
    ['is a text', `data:image/png;base64,and then ${CARD}`],
    ['has a text before its end', `data:image/png;base64,${PIXELS.slice(0, 999)}= ${CARD}`],
    ['has a text in its type', `data:image/png;name="${CARD}";base64,${PIXELS}`],
    ['is too short for one', 'data:image/png;base64,4111111111111111'],
    ['has another card for a type', `data:image/4111-1111-1111-1111;base64,${PIXELS}`],
  ])('and %s is read', (_what, text) => {
    const clean = text.replace(/4111.?1111.?1111.?1111/, '[redacted credit_card]')
    expect(redacted(say(text))).toEqual(say(clean))
    const parts = [{ type: 'image_url', image_url: { url: text } }]
    expect(redacted(say(parts))).toEqual(say([{ type: 'image_url', image_url: { url: clean } }]))
    expect(contentOf(say(parts)).unreadable).toEqual(new Set(['image']))
  })

  it.each(['image/png', 'audio/mp3', 'application/pdf'])('and is one (%s) is not', (type) => {
    expect(contentOf(say(`data:${type};base64,${PIXELS}`)).texts).toEqual([])
  })

  it('costs next to nothing where it is one, beside being read', async () => {
    const image = say(`data:image/png;base64,${PIXELS.repeat(260)}`)
    const text = say(`image/png;base64,${PIXELS.repeat(260)}`)
    let [unread, read] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let turn = 0; turn < 5; turn++) {
      unread = Math.min(unread, await timeOf(image))
      read = Math.min(read, await timeOf(text))
    }
    expect(unread).toBeLessThan(read / 4)
  })

  it('is read to its end in fields that hold base64 too', () => {
    const audio = (data: string) => say([{ type: 'input_audio', input_audio: { data, format: 'wav' } }])
    expect(redacted(audio(`${PIXELS} ${CARD}`))).toEqual(audio(`${PIXELS} [redacted credit_card]`))
    expect(contentOf(audio(`${PIXELS} ${CARD}`)).unreadable).toEqual(new Set(['audio']))
    expect(contentOf(audio(PIXELS)).texts).toEqual([{ text: 'wav', isJson: false }])
  })

  it('is read in answers too, and overtakes nothing in a stream', () => {
    const text = `data:image/png;base64,${PIXELS} ${CARD}`
    const clean = `data:image/png;base64,${PIXELS} [redacted credit_card]`
    expect(answerFilter(policy, new Map())!.choice(0, { message: { content: text } }).message).toEqual({
      content: clean,
    })
    const filter = answerFilter(policy, new Map())!
    let told = ''
    for (const content of ['It is x41', text, '.']) {
      told += (filter.piece(0, { delta: { content } }).now.delta as { content: string }).content
    }
    expect(told + (filter.rest()[0]?.delta.content ?? '')).toBe(`It is x41${clean}.`)
  })
})

/** As providers make them: of base64 alone, of either alphabet. */
const signature = (alphabet: 'base64' | 'base64url', inside = '') => {
  const text = Buffer.from(Array.from({ length: 900 }, (_, at) => (at * 7919 + 31) % 253)).toString(alphabet)
  return `E${text.slice(0, 600)}${inside}${text.slice(600)}`.replace(/=+$/, '')
}
const KEY = `sk-${'a1B2'.repeat(8)}`

describe('a request', () => {
  it.each<[string, Record<string, unknown>]>([
    ['metadata', { metadata: { id: CARD } }],
    ['metadata of metadata', { metadata: { type: CARD, role: CARD, object: CARD } }],
    ['an id', { messages: [{ role: 'assistant', tool_calls: [{ id: CARD, type: 'function', function: {} }] }] }],
    ['the id that a result names', { messages: [{ role: 'tool', tool_call_id: CARD, content: 'done' }] }],
    ['a role', { messages: [{ role: CARD, content: 'hello' }] }],
    ['a type', { messages: [{ role: 'user', content: [{ type: CARD, text: 'hello' }] }] }],
    ['a default', { tools: [{ type: 'function', function: { parameters: { default: { id: CARD, type: CARD } } } }] }],
    [
      'an enum',
      { tools: [{ type: 'function', function: { parameters: { properties: { type: { enum: [CARD] } } } } }] },
    ],
    ['a const', { response_format: { type: 'json_schema', json_schema: { schema: { const: CARD } } } }],
    ['an example', { response_format: { type: 'json_schema', json_schema: { schema: { examples: [{ id: CARD }] } } } }],
    ['a stop sequence', { stop: [CARD] }],
    ['a model that is no model', { messages: [{ role: 'user', content: 'hello', model: CARD }] }],
    ['extra content', { messages: [{ role: 'assistant', content: '', extra_content: { anthropic: { note: CARD } } }] }],
    [
      'the text of thinking',
      { messages: [{ role: 'assistant', reasoning_details: [{ type: 'thinking', text: CARD }] }] },
    ],
    ['a signature', { messages: [{ role: 'assistant', extra_content: { google: { thought_signature: CARD } } }] }],
  ])('is read where it is %s', (_what, params) => {
    const clean = JSON.parse(JSON.stringify(params).replaceAll(CARD, '[redacted credit_card]'))
    expect(redacted(params)).toEqual(clean)
  })

  it('has words that are of the protocol, and those are no texts', () => {
    const params = {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'user' }] }],
      tools: [
        { type: 'function', function: { parameters: { type: 'object', properties: { a: { type: 'string' } } } } },
      ],
    }
    expect(contentOf(params).texts.map(({ text }) => text)).toEqual(['a', 'user'])
  })

  it.each(['base64', 'base64url'] as const)('carries signatures (%s) in which no key is seen by chance', (alphabet) => {
    const signed = (text: string) => ({
      messages: [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', extra_content: { google: { thought_signature: text } } }],
          extra_content: { anthropic: { content: [{ type: 'thinking', thinking: 'Hm.', signature: text }] } },
          reasoning_details: [{ type: 'reasoning.encrypted', data: text }],
        },
      ],
    })
    const chance = signed(signature(alphabet, `-${KEY}`))
    expect(redacted(chance)).toBe(chance)
    expect(redacted(signed(KEY))).toEqual(signed('[redacted api_key]'))
    expect(redacted(signed(`${KEY}${signature(alphabet)}`.replace(/[+/]/g, 'x')))).toEqual(signed('[redacted api_key]'))
    expect(redacted(signed(`${signature(alphabet)} ${KEY}`))).toEqual(
      signed(`${signature(alphabet)} [redacted api_key]`),
    )
    expect(redacted(say(signature('base64url', `-${KEY}-`)))).not.toEqual(say(signature('base64url', `-${KEY}-`)))
  })

  it("carries signatures in which a host's own pattern finds nothing by chance", () => {
    const own = createPolicy({ patterns: [{ name: 'ticket', pattern: /\d{6}/, action: 'redact' }], answers: true })
    const found = (text: string) => {
      const extra = { extra_content: { google: { thought_signature: text } } }
      const answered = answerFilter(own, new Map())!.choice(0, { message: extra })
      const asked = inspectContent(own, contentOf({ messages: [{ role: 'assistant', ...extra }] })) as Inspection
      expect('extra_content' in (answered.message as object)).toBe(asked.patterns.length === 0)
      return asked.patterns
    }
    expect(found(signature('base64', '123456'))).toEqual([])
    expect(found(`123456${signature('base64')}`)).toEqual(['ticket'])
    expect(found('Of 123456.')).toEqual(['ticket'])
  })

  it('hands signatures to no classifier', async () => {
    const asked: (readonly string[])[] = []
    const extra = { google: { thought_signature: signature('base64') } }
    await inspectContent(
      policy,
      contentOf({ messages: [{ role: 'assistant', content: 'Hi', extra_content: extra }] }),
      (texts) => {
        asked.push(texts)
        return Promise.resolve({})
      },
    )
    expect(asked).toEqual([['Hi', '']])
  })
})

describe('an answer', () => {
  const HIDDEN = '4111\u2061 1111\u3000\ufe0f1111 ١١١١'
  const GONE = '[redacted credit_card]'

  it.each<[string, Record<string, unknown>]>([
    ['content', { message: { content: HIDDEN } }],
    ['reasoning', { message: { reasoning: HIDDEN, reasoning_content: HIDDEN } }],
    [
      'reasoning in parts',
      { message: { reasoning_details: [{ type: 'reasoning.text', text: HIDDEN, summary: HIDDEN }] } },
    ],
    ['thinking in parts', { message: { content: [{ type: 'thinking', thinking: [{ type: 'text', text: HIDDEN }] }] } }],
    ['a refusal', { message: { refusal: HIDDEN } }],
    [
      'a call',
      { message: { tool_calls: [{ id: HIDDEN, type: HIDDEN, function: { name: HIDDEN, arguments: HIDDEN } }] } },
    ],
    ['a call as they used to be', { message: { function_call: { name: HIDDEN, arguments: HIDDEN } } }],
    [
      'a citation',
      { message: { annotations: [{ type: 'url_citation', url_citation: { title: HIDDEN, url: HIDDEN } }] } },
    ],
    ['a transcript', { message: { audio: { id: HIDDEN, transcript: HIDDEN, data: 'AAAA' } } }],
    [
      'an image',
      { message: { images: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${HIDDEN}` } }] } },
    ],
    ['a role', { message: { role: HIDDEN, name: HIDDEN } }],
    ['an end', { message: { content: '' }, finish_reason: HIDDEN, native_finish_reason: HIDDEN }],
    ['what nobody knows', { message: { secret: { deep: [[HIDDEN]] } }, other: HIDDEN }],
  ])('is read where it is %s, plain and streamed', (_what, choice) => {
    const clean = JSON.parse(JSON.stringify(choice).replaceAll(HIDDEN, GONE))
    expect(answerFilter(policy, new Map())!.choice(0, choice)).toEqual(clean)
    const { message, ...rest } = choice
    const filter = answerFilter(policy, new Map())!
    const { before, now } = filter.piece(0, { finish_reason: 'stop', ...rest, delta: message })
    expect(before).toEqual([])
    expect(now).toEqual({
      finish_reason: 'stop',
      ...rest,
      ...(clean.message === undefined ? {} : { delta: clean.message }),
      ...withoutMessage(clean),
    })
    expect(filter.redacted().patterns).toEqual(['credit_card'])
  })

  const withoutMessage = ({ message: _, ...rest }: Record<string, unknown>) => rest

  it('is read around its choices', () => {
    const filter = answerFilter(policy, new Map())!
    const head = {
      id: HIDDEN,
      model: 'm',
      citations: [HIDDEN],
      usage: { total_tokens: 3 },
      prompt_logprobs: [{ a: 'b' }],
    }
    expect(filter.around(head)).toEqual({ ...head, id: GONE, citations: [GONE], prompt_logprobs: null })
  })

  it.each<[(string | number)[]]>([
    [['content']],
    [['reasoning']],
    [['reasoning_content']],
    [['refusal']],
    [['what_nobody_knows']],
    [['audio', 'transcript']],
    [['tool_calls', 0, 'function', 'arguments']],
    [['tool_calls', 0, 'custom', 'input']],
    [['function_call', 'arguments']],
    [['reasoning_details', 0, 'text']],
    [['reasoning_details', 0, 'summary']],
  ])('is read across the pieces that clients put together: %j', (path) => {
    const deltaOf = (text: string) =>
      path.reduceRight<unknown>(
        (value, step) => (typeof step === 'number' ? [{ ...(value as object), index: step }] : { [step]: value }),
        text,
      )
    const textOf = (delta: unknown) =>
      path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step ?? ''], delta) ?? ''
    const filter = answerFilter(policy, new Map())!
    let told = ''
    for (const sign of `Take ${HIDDEN}, \u{1f44d}\ufe0f.`) {
      for (const unit of sign.split('')) told += textOf(filter.piece(0, { delta: deltaOf(unit) }).now.delta)
    }
    const { before } = filter.piece(0, { delta: {}, finish_reason: 'stop' })
    expect(told + before.map(textOf).join('')).toBe(`Take ${GONE}, \u{1f44d}\ufe0f.`)
  })

  it('that ends in the event of its last piece is told in its order', () => {
    const filter = answerFilter(policy, new Map())!
    const one = filter.piece(0, { delta: { content: 'mail-ada', reasoning: 'be' } }).now.delta as { content: string }
    const { before, now } = filter.piece(0, { delta: { content: '-at-home' }, finish_reason: 'stop' })
    expect(before).toEqual([{ reasoning: 'be' }])
    expect(one.content + (now.delta as { content: string }).content).toBe('mail-ada-at-home')
  })

  it('leaves out what would go back changed to a provider, and restores the rest', () => {
    const filter = answerFilter(policy, new Map([['[EMAIL-1]', 'ada@example.org']]))!
    const carrying = (thinking: string) => ({
      content: 'Hi',
      extra_content: {
        anthropic: { content: [{ type: 'thinking', thinking, signature: signature('base64url', `-${KEY}`) }] },
      },
    })
    expect(filter.choice(0, { message: carrying('[EMAIL-1] it is') })).toEqual({
      message: carrying('ada@example.org it is'),
    })
    expect(filter.redacted().patterns).toEqual([])
    expect(filter.choice(0, { message: carrying(HIDDEN) })).toEqual({ message: { content: 'Hi' } })
    expect(filter.piece(0, { delta: { extra_content: carrying(HIDDEN) } }).now).toEqual({ delta: {} })
  })

  it('goes back to its provider as it came from there, though its caller saw values', () => {
    const pseudonymising = createPolicy({ actions: { internal: 'pseudonymise' } })
    const first = say('Write to ada@example.org, cc bob@example.org.')
    const { restore } = inspectContent(pseudonymising, contentOf(first)) as Inspection
    const made = {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'mail', arguments: '{"to":"[EMAIL-2]"}' } }],
      reasoning_content: 'It is [EMAIL-1], or [EMAIL-2].',
      extra_content: {
        anthropic: {
          content: [{ type: 'thinking', thinking: 'It is [EMAIL-1], or [EMAIL-2].', signature: signature('base64') }],
        },
      },
    }
    const { message } = answerFilter(pseudonymising, restore)!.choice(0, { message: made })
    expect(JSON.stringify(message)).not.toContain('[EMAIL')
    const next = { messages: [...first.messages, message] }
    const { texts } = inspectContent(pseudonymising, contentOf(next)) as Inspection
    expect((withTexts(next, texts!).messages as unknown[])[1]).toEqual(made)
  })

  it('finds stand-ins written in other forms, and leaves alone what is none', () => {
    const filter = answerFilter(createPolicy({}), new Map([['[EMAIL-1]', 'ada@example.org']]))!
    const text = '［EMAIL-1］ and [EMAIL\u20111], [EMAIL-2\u200b] \u2014 \uff01'
    const clean = 'ada@example.org and ada@example.org, [EMAIL-2\u200b] \u2014 \uff01'
    expect(filter.choice(0, { message: { content: text } })).toEqual({ message: { content: clean } })
  })
})
