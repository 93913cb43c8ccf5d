import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerFilter } from '../../../packages/core/src/dlp/answers.js'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { createPolicy } from '../../../packages/core/src/dlp/policy.js'
import { AROUND, positives } from './labelled.js'

const policy = createPolicy({
  actions: { internal: 'redact', confidential: 'redact' },
  answers: true,
})
const restore = new Map([
  ['[EMAIL-1]', 'ada@example.org'],
  ['[PRIVATE-KEY-12]', '-----BEGIN PRIVATE KEY-----\n"quoted"\n-----END PRIVATE KEY-----'],
])
const LONG = new Set(['jwt', 'private_key', 'api_key', 'github_token', 'google_key'])

/** What a caller is told of a text that comes in pieces, and the most that was held back on the way. */
function streamed(pieces: readonly string[], field: 'content' | 'arguments' = 'content') {
  const filter = answerFilter(policy, restore)!
  const deltaOf = (text: string) =>
    field === 'content' ? { content: text } : { tool_calls: [{ index: 0, function: { arguments: text } }] }
  let told = ''
  let given = 0
  let held = 0
  for (const piece of pieces) {
    told += textIn(filter.piece(0, { delta: deltaOf(piece), finish_reason: null }).now.delta)
    given += piece.length
    held = Math.max(held, given - told.length)
  }
  const { before } = filter.piece(0, { delta: {}, finish_reason: 'stop' })
  return { text: told + before.map(textIn).join(''), held }
}

function whole(text: string, field: 'content' | 'arguments' = 'content'): string {
  const message = field === 'content' ? { content: text } : { tool_calls: [{ function: { arguments: text } }] }
  return textIn(answerFilter(policy, restore)!.choice(0, { message }).message)
}

function textIn(delta: unknown): string {
  const { content, tool_calls } = delta as { content?: string; tool_calls?: { function: { arguments: string } }[] }
  return content ?? tool_calls?.[0]?.function.arguments ?? ''
}

const splitAt = (text: string, ...places: number[]) =>
  [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length))

const escapeOf = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`

const TEXTS = positives().flatMap(({ name, value }) =>
  AROUND.slice(1, 4).map(([before, after]) => ({
    name,
    text: `${before}${value}${after}`,
    clean: `${before}[redacted ${name}]${after}`,
  })),
)

describe('an answer that comes in pieces', () => {
  it('is redacted as in the whole, wherever it is cut in two', () => {
    for (const { name, text, clean } of TEXTS) {
      expect(whole(text)).toBe(clean)
      const step = text.length > 300 && process.env.HOOSH_LONG !== '1' ? 7 : 1
      for (let at = 0; at <= text.length; at += step) {
        const { text: told, held } = streamed(splitAt(text, at))
        if (told !== clean) expect(told, `${name}, cut at ${at}`).toBe(clean)
        if (!LONG.has(name)) expect(held, `${name}, cut at ${at}`).toBeLessThanOrEqual(128)
      }
    }
  })

  it('is redacted as in the whole, one character at a time', () => {
    for (const { name, text, clean } of TEXTS) expect(streamed([...text]).text, name).toBe(clean)
  })

  it('is redacted as in the whole, whatever it is and wherever it is cut', () => {
    const part = fc.oneof(
      fc.constantFrom(...positives().map(({ value }) => value), ...restore.keys(), '[EMAIL-2]'),
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        '\u200b',
        '\ufe0f',
        '\u3000',
        '４',
        '\u{1d7d2}',
        '\u{e0020}',
        '\ud83d',
        '，',
        '（',
        '🙂',
        'e\u0301',
      ),
      fc.constantFrom(' ', '\n', '-', '4', 'ghp_', 'eyJ', '@', '-----BEGIN ', 'Hauptstraße ', 'key=', '+'),
    )
    const cutText = fc
      .array(part, { maxLength: 12 })
      .map((parts) => parts.join(''))
      .chain((text) =>
        fc.record({
          text: fc.constant(text),
          places: fc
            .array(fc.nat({ max: Math.max(0, text.length) }), { maxLength: 20 })
            .map((list) => list.sort((a, b) => a - b)),
        }),
      )
    fc.assert(
      fc.property(cutText, ({ text, places }) => {
        expect(streamed(splitAt(text, ...places)).text).toBe(whole(text))
        const json = JSON.stringify({ text }).replace(/[@\u3000-\uffff]/g, escapeOf)
        expect(streamed(splitAt(json, ...places), 'arguments').text).toBe(whole(json, 'arguments'))
        expect(() => JSON.parse(whole(json, 'arguments'))).not.toThrow()
      }),
      { numRuns: process.env.HOOSH_LONG === '1' ? 10_000 : 500 },
    )
  })

  it('holds back at most 128 characters of what is no secret, and none of plain words that are over', () => {
    const dull = `${'x7'.repeat(400)} `
    expect(streamed([...dull]).held).toBeLessThanOrEqual(128)
    expect(streamed([...'Nothing of this is secret, and all of it is told at once. ']).held).toBeLessThanOrEqual(16)
    expect(streamed([...'这句话里没有任何秘密，']).held).toBe(0)
  })

  it.each([
    ["We don't know what it's like, and it\u2019s a well-known, long-term, day-to-day matter. "],
    ['Zażółć gęślą jaźń, a potem idź spać, bo jutro też jest dzień. '],
    ['Tiếng Việt là ngôn ngữ của người Việt, và nhiều nơi khác. '],
    ['Příliš žluťoučký kůň úpěl ďábelské ódy. Ağaçlar yeşil, gökyüzü masmavi. '],
  ])('tells plain words of Latin letters and of several parts at once: %s', (text) => {
    expect(streamed([...text.repeat(3)])).toMatchObject({ text: text.repeat(3) })
    expect(streamed([...text.repeat(3)]).held).toBeLessThanOrEqual(16)
  })

  it.each([
    'a-----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY-----',
    "the x-api-key' abcdefghijklmnopqrst",
    'łxoxb-abcdefghij and e-xoxb-abcdefghij, in all',
    'łsk-abcdefghijklmnopqrst or it\u2019sk-abcdefghijklmnopqrst',
    'at łCalle Mayor 5, of aż-Via Roma 5 or l\u2019Via Roma 5',
    'in Łódź-Hauptstraße 5, Łweg 5',
    "it's-me@example.org and don\u2019t@example.org",
  ])('and redacts what begins in a word of several parts as in the whole: %s', (text) => {
    expect(whole(text)).toContain('[redacted ')
    const around = `Well, it is so that we have known it for a long-term time: ${text} `.repeat(3)
    expect(streamed([...around]).text).toBe(whole(around))
  })

  it('is seen through where it is disguised, wherever it is cut', () => {
    const signs: Record<string, string> = {
      4: '\u{1d7d2}\ufe0f',
      1: '\u200b１',
      '-': '\u2011',
      ' ': '\u3000',
      '@': '＠',
    }
    for (const value of ['4111 1111 1111 1111', '4111111111111111', 'GB82 WEST 1234 5698 7654 32', 'ada@example.org']) {
      const text = `\u200bIt is ${value.replace(/[41 @-]/g, (sign) => signs[sign]!)}\ufe0f, or not.`
      const clean = whole(text)
      expect(clean).toMatch(/^\u200bIt is \[redacted [a-z_]+\]\ufe0f, or not\.$/)
      for (let at = 0; at <= text.length; at += 1) {
        const { text: told, held } = streamed(splitAt(text, at))
        expect(told).toBe(clean)
        expect(held).toBeLessThanOrEqual(128)
      }
      expect(streamed([...text]).text).toBe(clean)
      expect(streamed(text.split('')).text).toBe(clean)
    }
  })

  it('holds back nothing of what cannot be seen where nothing else is held, and forgets none of it', () => {
    expect(streamed(['这句话，', '❤', '\ufe0f', '\u200b'.repeat(5_000)])).toMatchObject({ held: 0 })
    const text = `x7${'\u2061'.repeat(30_000)}x7 ${'\u{1d7d2}'.repeat(9_000)} end`
    expect(streamed(text.split('')).text).toBe(text)
  })

  it('holds no Chinese back at its commas and brackets', () => {
    expect(streamed([...'你好，（世界）：这句话！里没有；秘密？'.repeat(20)]).held).toBeLessThanOrEqual(2)
  })

  it('shows a long key no further than its telling beginning, however long it is', () => {
    const token = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(50_000)}`
    const { text } = streamed([`It is ${token.slice(0, 30)}`, token.slice(30, 9_000), token.slice(9_000), '.. Bye.'])
    expect(text).toBe('It is [redacted jwt] Bye.')
    const cutOff = '-----BEGIN RSA PRIVATE KEY-----\nMIIEow'
    expect(streamed([`Take ${cutOff}`, 'AAAA\nBBBB']).text).toBe('Take [redacted private_key]')
  })
})

describe('the arguments of a tool call', () => {
  it('hide nothing behind escapes, and stay JSON', () => {
    const json = JSON.stringify({ to: 'ada@example.org', note: 'line\n"two"\t\\ end' }).replace('@', '\\u0040')
    const clean = whole(json, 'arguments')
    expect(JSON.parse(clean)).toEqual({ to: '[redacted email]', note: 'line\n"two"\t\\ end' })
    for (let at = 0; at <= json.length; at += 1) expect(streamed(splitAt(json, at), 'arguments').text).toBe(clean)
    expect(streamed([...json], 'arguments').text).toBe(clean)
  })

  it('get values back as JSON wants them', () => {
    const json = JSON.stringify({ a: '[EMAIL-1]', b: ['[PRIVATE-KEY-12]', '[EMAIL-9]'] })
    const clean = whole(json, 'arguments')
    expect(JSON.parse(clean)).toEqual({
      a: restore.get('[EMAIL-1]'),
      b: [restore.get('[PRIVATE-KEY-12]'), '[EMAIL-9]'],
    })
    for (let at = 0; at <= json.length; at += 1) expect(streamed(splitAt(json, at), 'arguments').text).toBe(clean)
  })
})

describe('fields that no client puts together', () => {
  it('are filtered each by itself, and what goes back to a provider as it came is left alone', () => {
    const filter = answerFilter(policy, restore)!
    const signed = { anthropic: { signature: `AKIA${'IOSFODNN7EXAMPLE'}${'x'.repeat(300)}` } }
    const image = [{ image_url: { url: `data:image/png;base64,${'A'.repeat(500)}` } }]
    const delta = {
      extra_content: signed,
      images: image,
      annotations: [{ title: 'mail [EMAIL-1] or bob@example.org' }],
    }
    expect(filter.piece(0, { delta, finish_reason: 'stop' })).toEqual({
      before: [],
      now: {
        delta: { ...delta, annotations: [{ title: 'mail ada@example.org or [redacted email]' }] },
        finish_reason: 'stop',
      },
    })
  })
})

it('no stand-in is made that a text holds already, however many values there are', async () => {
  const mails = Array.from({ length: 20_000 }, (_, index) => `u${index}@example.org`).join(' ')
  const pseudonymised = createPolicy({ actions: { internal: 'pseudonymise' } })
  const content = { texts: [{ text: `[EMAIL-1] ${mails}`, isJson: false }], unreadable: new Set<never>() }
  const { texts } = await inspectContent(pseudonymised, content)
  expect(texts?.join().slice(0, 31)).toBe('[EMAIL-1] [EMAIL-2] [EMAIL-3] [')
})
