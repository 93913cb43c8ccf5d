import type { DlpOptions, HooshError } from '@hoosh/core'
import { createGateway } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { boundedPattern } from '../../../packages/core/src/dlp/linear.js'
import { createPolicy, type Inspection } from '../../../packages/core/src/dlp/policy.js'
import { contentOf } from '../../../packages/core/src/dlp/texts.js'

const redactAll: DlpOptions['actions'] = { internal: 'redact', confidential: 'redact', restricted: 'redact' }

function redacted(text: string, options: DlpOptions = {}): string {
  const policy = createPolicy({ actions: redactAll, ...options })
  return (
    (inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() }) as Inspection).texts?.[0] ??
    text
  )
}

const fault = (options: DlpOptions): string => {
  try {
    createGateway({ dlp: options })
  } catch (thrown) {
    expect((thrown as HooshError).code).toBe('invalid_options')
    return (thrown as HooshError).message
  }
  return 'none'
}

describe('patterns of the host', () => {
  it.each<[string | RegExp, string, string]>([
    ['PRJ-\\d{4}', 'see PRJ-1234.', 'see [redacted own].'],
    ['PRJ-\\d+', 'see PRJ-123456789.', 'see [redacted own].'],
    ['EMP\\d+', `EMP${'7'.repeat(500)}!`, '[redacted own]!'],
    [/project falcon/i, 'The Project FALCON', 'The [redacted own]'],
    [/\b[a-z]{2,8}\.corp\b/i, 'on BUILD.corp now', 'on [redacted own] now'],
    [/(?:alpha|beta|gamma)-[0-9a-f]{8}/, 'x beta-0123abcd', 'x [redacted own]'],
    [/([A-Z]{3})\d{3,6}(?!\d)/, 'ABC1234', '[redacted own]'],
  ])('%s finds', (pattern, text, clean) => {
    expect(redacted(text, { patterns: [{ name: 'own', pattern }] })).toBe(clean)
  })

  it.each<[string | RegExp, RegExp]>([
    [/a$/, /anchor/],
    [/(a+)+$/, /repeats a group without a bound/],
    [/(a+)+b/, /repeats a group without a bound, or a run within a group/],
    [/(?:a|a)*b/, /repeats a group without a bound/],
    [/(a|aa){1,30}b/, /steps at each character/],
    [/.*secret.*/, /steps at each character/],
    [/\d+\d+x/, /steps at each character/],
    [/(\w)\1/, /reference back/],
    [/a*/, /empty text/],
    [/x{200}/, /more than 127/],
    [/(?=.*a)b/, /look ahead/],
    ['(', /no regular expression/],
    [/a/s, /flag other than i/],
  ])('%s is refused with a reason', (pattern, reason) => {
    const message = fault({ patterns: [{ name: 'own', pattern }] })
    expect(message).toMatch(reason)
    expect(message).toContain('dlp.patterns[0] ("own")')
  })

  it('are refused under a name that is taken, unknown built-in ones with a suggestion', () => {
    expect(fault({ patterns: [{ name: 'email', pattern: 'a' }] })).toMatch(/taken/)
    expect(fault({ builtIn: { emial: false } })).toMatch(/did you mean "email"/)
    expect(fault({ answers: 'yes' as never })).toMatch(/dlp\.answers has to be true or false/)
  })

  it('that pass take at most 256 steps at a character: the work on hostile text grows with its length', async () => {
    for (const pattern of [/[a-z]{1,64}@corp/, /\w{1,9}\d{1,2}!/, /a{0,4}a{0,4}b/]) {
      const bounded = boundedPattern(pattern.source, false)
      if (typeof bounded === 'string') throw new TypeError(bounded)
      expect(await growth((size) => void new RegExp(bounded.source, 'g').exec('a'.repeat(size)))).toBeLessThan(
        LINEAR_AT_MOST,
      )
    }
  })
})

describe('built-in patterns', () => {
  it('can be turned off, or be given another level', () => {
    const text = 'ada@example.org, 4111 1111 1111 1111'
    expect(redacted(text, { builtIn: { email: false } })).toBe('ada@example.org, [redacted credit_card]')
    const levels = { email: { level: 'restricted' }, credit_card: { action: 'allow' } } as const
    const policy = createPolicy({ builtIn: levels })
    expect(inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })).toMatchObject({
      level: 'restricted',
      blocking: ['email'],
    })
  })

  it.each([
    ['wide digits', '４１１１ １１１１ １１１１ １１１１'],
    ['blanks that do not break', '4111\u00a01111\u00a01111\u00a01111'],
    ['dashes of other kinds', '4111–1111–1111–1111'],
    ['signs without width', '4111\u200b1111\u20601111\ufeff1111'],
    ['a soft hyphen in a key', `AKIA\u00adIOSFODNN7EXAMPLE`],
    ['signs of formulas', '4111\u20611111\u20621111\u20631111'],
    ['variation selectors', '4\ufe0f1\ufe0f11 1111 1111\u{e0101} 1111'],
    ['joiners of marks', '4111\u034f1111\u034f1111\u034f1111'],
    ['tags', '4111\u{e0020} 1111\u{e007f} 1111 1111'],
    ['signs that turn the direction', '4111\u202e1111\u202c1111\u20661111'],
    ['fillers', '4111\u31641111\u115f1111\uffa01111'],
    ['control characters', '4111\u00001111\u007f1111\u009f1111'],
    ['keycaps', '4\ufe0f\u20e31\ufe0f\u20e31\ufe0f\u20e31\ufe0f\u20e3 1111 1111 1111'],
    ['marks under each digit', '4\u03321\u03321\u03321\u0332 1111 1111 1111'],
    ['thin blanks', '4111\u20091111\u200a1111\u20051111'],
    ['wide blanks', '4111\u30001111\u16801111\u205f1111'],
    ['Arabic digits', '٤١١١ ١١١١ ١١١١ ١١١١'],
    ['Devanagari digits', '४१११ ११११ ११११ ११११'],
    ['digits of mathematics', '𝟒𝟏𝟏𝟏 𝟙𝟙𝟙𝟙 𝟣𝟣𝟣𝟣 𝟷𝟷𝟷𝟷'],
    ['digits in circles', '④①①① ①①①① ①①①① ①①①①'],
    ['letters of mathematics', '𝐀𝐊𝐈𝐀IOSFODNN7EXAMPLE'],
    ['wide letters', 'ＡＫＩＡIOSFODNN7EXAMPLE'],
  ])('see through %s', (_what, text) => {
    expect(redacted(`a ${text} b`)).toMatch(/^a \[redacted (credit_card|aws_key)\] b$/)
  })

  it.each([
    ['letters', 'a'],
    ['digits', '1'],
    ['groups of digits', '1234 '],
    ['addresses without an end', 'a.a@a.'],
    ['half a mail', 'a@'],
    ['dots', '1.1.'],
    ['brackets', '[A-'],
    ['beginnings of keys', 'sk-ghp_eyJ'],
    ['beginnings of key blocks', '-----BEGIN '],
    ['capital words', 'Aa '],
    ['streets without a number', 'Hauptstraße '],
    ['account numbers', 'GB82WEST '],
    ['plus signs', '+1 '],
    ['schemes', 'http://a:'],
    ['hyphens', 'a-1-'],
    ['noise', '\u200b4-'],
    ['nothing that is seen', '\u2061\ufe0f'],
    ['tags', '\u{e0020}'],
    ['digits of other scripts', '٤𝟏४'],
    ['marks', '4\u0332'],
    ['numbers that fail their checks', '999-99-9999 '],
    ['cards and nothing else', '4222222222222 '],
    ['addresses of machines and nothing else', '192.0.2.17 '],
    ['mails and nothing else', 'a@b.museum '],
    ['keys and nothing else', 'AKIAIOSFODNN7EXAMPLE '],
  ])('take work that grows with the text, on %s', async (_what, unit) => {
    const policy = createPolicy({ actions: redactAll })
    const scan = (size: number) => {
      const text = unit.repeat(Math.ceil(size / unit.length))
      return inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
    }
    expect(await growth(scan)).toBeLessThan(LINEAR_AT_MOST)
  })
})

describe('a disguise', () => {
  const from = (start: number, end: number) => Array.from({ length: end - start }, (_, at) => start + at)
  const isPlain = (sign: string) => {
    const { texts } = inspectContent(createPolicy({ ...own, actions: redactAll }), {
      texts: [{ text: `7${sign}7`, isJson: false }],
      unreadable: new Set(),
    }) as Inspection
    return texts !== null
  }
  const own = { patterns: [{ name: 'own', pattern: '77' }] }

  it.each([
    ['is every character of Unicode without a look', /\p{Cf}|\p{Default_Ignorable_Code_Point}|[\u0300-\u036f]/u, '77'],
    ['is every blank of Unicode', /\p{Zs}/u, '7 7'],
    ['is every digit of Unicode', /\p{Nd}/u, '7\\d7'],
  ])('%s', (_what, kind, pattern) => {
    own.patterns[0]!.pattern = pattern
    const signs = [...from(0x80, 0xd800), ...from(0xe000, 0x1f000), ...from(0xe0000, 0xe0200)]
      .map((code) => String.fromCodePoint(code))
      .filter((sign) => kind.test(sign))
    expect(signs.length).toBeGreaterThan(10)
    expect(signs.filter((sign) => !isPlain(sign)).map((sign) => sign.codePointAt(0)!.toString(16))).toEqual([])
  })

  it('goes with what it disguises, and nothing else does', () => {
    expect(redacted('é 🙂\ufe0f\u200b4\u20e3111 1111\u30001111 1111\u200b\u{1f44d}\ufe0f ½', {})).toBe(
      'é 🙂\ufe0f\u200b[redacted credit_card]\u200b\u{1f44d}\ufe0f ½',
    )
  })

  it('is none where it says something else: a note behind a number, an accent', () => {
    expect(redacted('555-867-5309² Préfet')).toBe('[redacted phone_us]² Préfet')
  })

  it('hides nothing in JSON either, written as escapes', () => {
    const policy = createPolicy({ actions: redactAll })
    const clean = (text: string) =>
      (inspectContent(policy, { texts: [{ text, isJson: true }], unreadable: new Set() }) as Inspection).texts?.[0]
    expect(clean('{"a":"4111\\u00001111\\ud83d1111\\u20611111"}')).toBe('{"a":"[redacted credit_card]"}')
    expect(clean('{"a":"\\ud835\\udfd2111\\u30001111 1111 1111","b":"\\u0000\\ud83d"}')).toBe(
      '{"a":"[redacted credit_card]","b":"\\u0000\\ud83d"}',
    )
  })
})

describe('what is looked through', () => {
  it('is every text that would go out, and neither images nor what steers the protocol', () => {
    const params = {
      model: 'm',
      pool: 'p',
      user: 'u-1',
      messages: [
        { role: 'system', content: 'one' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'two' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'image_url', image_url: { url: 'https://example.org/three' } },
            { type: 'input_audio', input_audio: { data: 'A'.repeat(300), format: 'wav' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c', content: 'four' },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: { properties: { a: { enum: ['five'] } } } } }],
      response_format: { type: 'json_schema', json_schema: { schema: { description: 'six' } } },
    }
    expect(contentOf(params).texts.map(({ text }) => text)).toEqual([
      'u-1',
      'f',
      'a',
      'five',
      'six',
      'one',
      'two',
      'https://example.org/three',
      'wav',
      'c',
      'four',
    ])
  })

  it('is looked through in turns where it is long, with what lies across them', async () => {
    const policy = createPolicy({ actions: redactAll })
    const filler = 'word '.repeat(13_107)
    const text = `${filler}${filler}${filler}${filler}4111 1111 1111 1111 ${filler}`
    let others = 0
    const ticking = setInterval(() => others++, 0)
    const long = { text, isJson: false }
    const inspecting = inspectContent(policy, { texts: [long, long], unreadable: new Set() })
    expect(inspecting).toBeInstanceOf(Promise)
    const { texts } = await inspecting
    clearInterval(ticking)
    expect(texts?.map((one) => one.indexOf('[redacted credit_card]'))).toEqual([4 * 65_535, 4 * 65_535])
    expect(others).toBeGreaterThan(0)
  })
})

it('many short texts are looked at in turns too', async () => {
  const content = contentOf({ metadata: Array.from({ length: 20_000 }, () => 'x1') })
  const looking = inspectContent(createPolicy({}), content)
  expect(looking).toBeInstanceOf(Promise)
  let others = 0
  const ticking = setInterval(() => others++, 0)
  await looking
  clearInterval(ticking)
  expect(others).toBeGreaterThan(0)
})

const LINEAR_AT_MOST = 10

/**
 * How much longer four times the text takes: 4 where the work grows with it, 16 where it is squared. Each at its least of some
 * tries, of more where the machine does other things at the time.
 */
async function growth(work: (size: number) => unknown): Promise<number> {
  const SMALL = 128 * 1024
  const least = new Map([SMALL, SMALL * 4].map((size) => [size, Number.POSITIVE_INFINITY]))
  const ratio = () => least.get(SMALL * 4)! / Math.max(least.get(SMALL)!, 500)
  for (let round = 0; round < 3 || (round < 12 && ratio() >= LINEAR_AT_MOST); round += 1) {
    for (const [size, best] of least) {
      const began = process.cpuUsage()
      await work(size)
      const { user, system } = process.cpuUsage(began)
      least.set(size, Math.min(best, user + system))
    }
  }
  return ratio()
}
