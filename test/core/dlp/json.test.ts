import { describe, expect, it } from 'vitest'
import { answerFilter } from '../../../packages/core/src/dlp/answers.js'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { createPolicy, type Inspection } from '../../../packages/core/src/dlp/policy.js'
import { contentOf, withTexts } from '../../../packages/core/src/dlp/texts.js'

const CARD = 4111111111111111
const MAIL = 'ada@example.org'
const redactAll = { internal: 'redact', confidential: 'redact', restricted: 'redact' } as const
const policy = createPolicy({ actions: redactAll, answers: true })

function asked(params: Record<string, unknown>, by = policy): Record<string, unknown> {
  const { texts } = inspectContent(by, contentOf(params)) as Inspection
  return texts === null ? params : withTexts(params, texts)
}

type Calling = { tool_calls: { function: { arguments: string } }[] }
const calling = (text: string) => ({ tool_calls: [{ index: 0, function: { arguments: text } }] })
const argumentsIn = (message: unknown) => (message as Partial<Calling>).tool_calls?.[0]?.function.arguments ?? ''

/** The arguments of a call as they come out of a request, a plain answer and streams cut anywhere; all the same. */
function redacted(text: string): string {
  const { messages } = asked({ messages: [{ role: 'assistant', ...calling(text) }] })
  const clean = argumentsIn((messages as unknown[])[0])
  expect(argumentsIn(answerFilter(policy, new Map())!.choice(0, { message: calling(text) }).message)).toBe(clean)
  for (let at = 0; at <= text.length; at += 1) expect(streamed([text.slice(0, at), text.slice(at)])).toBe(clean)
  expect(streamed(text.split(''))).toBe(clean)
  return clean
}

function streamed(pieces: readonly string[], restore: ReadonlyMap<string, string> = new Map()): string {
  const filter = answerFilter(policy, restore)!
  const told = pieces.map((piece) => argumentsIn(filter.piece(0, { delta: calling(piece) }).now.delta))
  const { before } = filter.piece(0, { delta: {}, finish_reason: 'tool_calls' })
  return told.join('') + before.map(argumentsIn).join('')
}

describe('the arguments of a call', () => {
  const PEM = ['-----BEGIN PRIVATE KEY-----', 'MIIEowIBAAKC']
  it.each<[unknown, unknown]>([
    [{ card: CARD }, { card: '[redacted credit_card]' }],
    [
      [CARD, 1, null],
      ['[redacted credit_card]', 1, null],
    ],
    [{ [MAIL]: true }, { '[redacted email]': true }],
    [
      { api_key: 'abcdefghijklmnopqrstuvwx', b: 1 },
      { '[redacted api_key]': '[redacted api_key]', b: 1 },
    ],
    [{ lines: [...PEM, 1] }, { lines: ['[redacted private_key]', '[redacted private_key]', '[redacted private_key]'] }],
    [{ key: `${PEM[0]}\n"${PEM[1]}"` }, { key: '[redacted private_key]' }],
    [
      { text: 'a "b" \\ c', n: -1.5e-7, t: true },
      { text: 'a "b" \\ c', n: -1.5e-7, t: true },
    ],
  ])('stay JSON: %j', (value, clean) => {
    for (const space of [0, 1]) expect(JSON.parse(redacted(JSON.stringify(value, null, space)))).toEqual(clean)
  })

  it('that are no JSON are read like any text', () => {
    expect(redacted(`Pay with ${CARD}, "please".`)).toBe('Pay with [redacted credit_card], "please".')
  })

  it('give each string that a value reaches over a stand-in of its own, and it comes back', () => {
    const pseudonymising = createPolicy({ actions: { restricted: 'pseudonymise' } })
    const text = '{"api_key": "abcdefghijklmnopqrstuvwx", "card": 4111111111111111}'
    const params = { messages: [{ role: 'assistant', ...calling(text) }] }
    const { texts, restore } = inspectContent(pseudonymising, contentOf(params)) as Inspection
    const clean = argumentsIn((withTexts(params, texts!).messages as unknown[])[0])
    expect(clean).toBe('{"[API-KEY-1]": "[API-KEY-2]", "card": "[CREDIT-CARD-1]"}')
    expect(JSON.parse(streamed([...clean], restore))).toEqual({ ...JSON.parse(text), card: String(CARD) })
  })
})

describe('an answer that was asked for as JSON', () => {
  const restore = new Map([['[PERSON-1]', 'Ada "the first"\nLovelace']])
  const made = JSON.stringify({ to: MAIL, who: '[PERSON-1]', card: CARD }).replace('@', '\\u0040')
  const clean = { to: '[redacted email]', who: restore.get('[PERSON-1]'), card: '[redacted credit_card]' }

  it('stays JSON, plain and streamed, however it is cut', () => {
    const filter = () => answerFilter(policy, restore, { isJson: true })!
    const { message } = filter().choice(0, { message: { content: made } }) as { message: { content: string } }
    expect(JSON.parse(message.content)).toEqual(clean)
    for (let at = 0; at <= made.length; at += 1) {
      const cut = filter()
      const deltas = [made.slice(0, at), made.slice(at)].map(
        (content) => cut.piece(0, { delta: { content } }).now.delta,
      )
      deltas.push(...cut.piece(0, { delta: {}, finish_reason: 'stop' }).before)
      expect(deltas.map((delta) => (delta as { content?: string }).content ?? '').join('')).toBe(message.content)
    }
  })

  it('is no JSON elsewhere: parts, reasoning, and where none was asked for', () => {
    const elsewhere = { content: [{ type: 'text', text: '[PERSON-1]' }], reasoning: '[PERSON-1]' }
    const { message } = answerFilter(policy, restore, { isJson: true })!.choice(0, { message: elsewhere })
    expect(message).toEqual({ content: [{ type: 'text', text: clean.who }], reasoning: clean.who })
    expect(answerFilter(policy, restore)!.choice(0, { message: { content: '{[PERSON-1]}' } })).toEqual({
      message: { content: `{${clean.who}}` },
    })
  })
})

describe('a text of a request that is JSON', () => {
  it.each([['tool'], ['user']])('is read as what it means, and stays JSON: of a %s', (role) => {
    const content = ` ${JSON.stringify({ to: MAIL, card: CARD, note: '"\\' }).replace('@', '\\u0040')}\n`
    const { messages } = asked({ messages: [{ role, content }] }) as { messages: [{ content: string }] }
    expect(JSON.parse(messages[0].content)).toEqual({
      to: '[redacted email]',
      card: '[redacted credit_card]',
      note: '"\\',
    })
  })

  it('is handed to a classifier as what it means, with places that count in it', async () => {
    const content = JSON.stringify({ note: 'So "he"\n\u0000said \\o/ to Ada.' })
    const asking = contentOf({ messages: [{ role: 'tool', content }] })
    const { texts } = await inspectContent(policy, asking, async ([text]) => {
      expect(text).toBe('{"note":"So "he"\nsaid \\o/ to Ada."}')
      const start = text!.indexOf('Ada')
      return { findings: [{ text: 0, start, end: start + 3, name: 'person', action: 'redact' }] }
    })
    expect(JSON.parse(texts![0]!)).toEqual({ note: 'So "he"\n\u0000said \\o/ to [redacted person].' })
  })

  it.each(['[1] Write to ada@example.org', '{ada@example.org}', '[4111111111111111'])('is none: %s', (content) => {
    const clean = content.replace(MAIL, '[redacted email]').replace(String(CARD), '[redacted credit_card]')
    expect(asked({ messages: [{ role: 'user', content }] })).toEqual({ messages: [{ role: 'user', content: clean }] })
  })
})

describe('numbers of a request', () => {
  const schema = (members: object) => ({ tools: [{ type: 'function', function: { parameters: members } }] })
  it.each<[string, Record<string, unknown>]>([
    ['metadata', { metadata: { n: CARD } }],
    ['a default', schema({ properties: { n: { default: CARD } } })],
    ['an enum', schema({ properties: { n: { enum: [1, CARD] } } })],
    ['content', { messages: [{ role: 'user', content: [{ type: 'text', text: CARD }] }] }],
    ['a member of its own', { card: CARD }],
  ])('are read: %s', (_what, params) => {
    const clean = JSON.parse(JSON.stringify(params).replaceAll(String(CARD), '"[redacted credit_card]"'))
    expect(asked(params)).toEqual(clean)
  })

  it('that are counts, sizes, limits and tokens are not', () => {
    const own = createPolicy({ actions: redactAll, patterns: [{ name: 'ticket', pattern: /\d{4,}/ }] })
    const params = {
      max_tokens: 65_536,
      seed: CARD,
      logit_bias: { 50256: -100 },
      input: [9906, 50256],
      ...schema({ properties: { n: { type: 'integer', minimum: -(2 ** 53) + 1, maximum: 2 ** 53 - 1 } } }),
    }
    expect(asked(params, own)).toBe(params)
    expect(asked({ metadata: { n: 12_345_678 } }, own)).toEqual({ metadata: { n: '[redacted ticket]' } })
  })
})

describe('names of members of a request', () => {
  it('are read, and keep what they hold', () => {
    const properties = { [MAIL]: { type: 'string' }, 'bob@example.org': { type: 'number' }, '[redacted email] 2': {} }
    const params = { tools: [{ type: 'function', function: { parameters: { properties, required: [MAIL] } } }] }
    expect(asked(params)).toEqual({
      tools: [
        {
          type: 'function',
          function: {
            parameters: {
              properties: {
                '[redacted email]': { type: 'string' },
                '[redacted email] 3': { type: 'number' },
                '[redacted email] 2': {},
              },
              required: ['[redacted email]'],
            },
          },
        },
      ],
    })
    expect(asked({ model: 'm', [MAIL]: 1, messages: [] })).toEqual({ model: 'm', '[redacted email]': 1, messages: [] })
    expect(asked(JSON.parse(`{"metadata":{"__proto__":{"${MAIL}":"${MAIL}"}}}`))).toEqual(
      JSON.parse('{"metadata":{"__proto__":{"[redacted email]":"[redacted email]"}}}'),
    )
  })

  it('that the protocol has are none of anybody', () => {
    const own = createPolicy({ patterns: [{ name: 'word', pattern: /tool|metadata|content/i }] })
    const params = { metadata: {}, tools: [], messages: [{ role: 'user', content: 'Hi', tool_calls: [] }] }
    expect((inspectContent(own, contentOf(params)) as Inspection).patterns).toEqual([])
  })

  it('are read once each, however often they come', () => {
    const messages = Array.from({ length: 50 }, () => ({ role: 'user', content: '', mine: 1 }))
    expect(contentOf({ messages }).texts).toEqual([{ text: 'mine', isJson: false }])
  })

  it('that are all alike when they are redacted cost no more than as many others', () => {
    const mails = Array.from({ length: 30_000 }, (_, index) => [`u${index}@example.org`, index])
    const params = { metadata: Object.fromEntries(mails) }
    const { texts } = { texts: Array.from({ length: 30_000 }, () => '[redacted email]') }
    const metadata = withTexts(params, texts).metadata as Record<string, number>
    expect(Object.keys(metadata)).toHaveLength(30_000)
    expect(metadata['[redacted email] 30000']).toBe(29_999)
  })
})

describe('calls that share an index', () => {
  const call = (id: string | undefined, text: string) => ({ index: 0, id, function: { arguments: text } })
  /** By the last id that was told, as clients put them together which do not go by the index. */
  function told(deltas: readonly object[]): Record<string, string> {
    const filter = answerFilter(policy, new Map())!
    const calls: Record<string, string> = {}
    let last = ''
    const ended = { delta: {}, finish_reason: 'tool_calls' }
    for (const choice of [...deltas.map((delta) => ({ delta })), ended]) {
      const { before, now } = filter.piece(0, choice)
      for (const delta of [...before, now.delta]) {
        for (const { id, function: f } of (delta as { tool_calls?: ReturnType<typeof call>[] }).tool_calls ?? []) {
          last = id ?? last
          calls[last] = (calls[last] ?? '') + f.arguments
        }
      }
    }
    return calls
  }

  it('are told apart by their ids, whether they come in one event or in several', () => {
    const clean = { a: '{"to":"[redacted email]"}', b: '{"to":"x7"}', c: '{"n":"[redacted credit_card]"}' }
    const [a, b, c] = [`{"to":"${MAIL}"}`, '{"to":"x7"}', `{"n":${CARD}}`]
    expect(told([a, b, c].map((text, at) => ({ tool_calls: [call('abc'[at], text)] })))).toEqual(clean)
    expect(told([{ tool_calls: [call('a', a), call('b', b), call('c', c)] }])).toEqual(clean)
    const pieces = ([a, b, c] as const).flatMap((text, at) =>
      text.split('').map((piece, place) => ({ tool_calls: [call(place === 0 ? 'abc'[at] : undefined, piece)] })),
    )
    expect(told(pieces)).toEqual(clean)
  })

  it('are one where no id says otherwise, or the same', () => {
    const pieces = `{"to":"${MAIL}"}`.split('').map((piece) => ({ tool_calls: [call('a', piece)] }))
    expect(told(pieces)).toEqual({ a: '{"to":"[redacted email]"}' })
  })
})
