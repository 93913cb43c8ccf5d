import { type Draw, KEY, type SampleLog, sampleLog, textOf } from './sample-log.js'

/** Files of a log and of its checkpoints, and the key they are checked with. */
export interface Spoilt {
  readonly logs: readonly Buffer[]
  readonly checkpoints: readonly Buffer[]
  readonly key: string | null
  readonly requireTags: boolean
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** What a reader of JSON may take for something else. */
const VALUES: readonly string[] = [
  ...['null', 'true', '""', '"\\ud800"', '"\\udc00x"', '"\\u0000"', '"__proto__"', '{}', '[]', '[[]]'],
  ...['0', '-0', '1', '3e0', '1.0', '1.5', '-1', '1e400', '1e-400', '9007199254740991', '9007199254740992'],
  ...['9007199254740991.4', '12345678901234567890123', '9'.repeat(5_000), 'NaN', 'Infinity', '01', '+1', '1.', '.5'],
  ...[`"${'0'.repeat(64)}"`, `["${'0'.repeat(64)}"]`, `"${'A'.repeat(64)}"`, `"${'0'.repeat(63)}\\n"`, '"2"', '2'],
  ...['{"__proto__":1}', '{"10":1,"9":2}', '{"9":1,"10":2}', '{"toString":null}', '{"signed":1}', '["", null]'],
  ...['\ufeff1', ' 1', '"\u2028"', '"\u007f\u0080"', '"\\/"', '"\\u00e9"', '"\u{1f600}"', "'x'", '1 // x', '10000000'],
  '['.repeat(33) + ']'.repeat(33),
  '['.repeat(99) + ']'.repeat(99),
  '['.repeat(2_000) + ']'.repeat(2_000),
]

/** Bytes that are put anywhere. */
const BYTES: readonly Buffer[] = [
  ...[
    '\n',
    '\r\n',
    '\n\n',
    '\r',
    ' ',
    '\t',
    '\0',
    ',',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    '-',
    '0',
    'e',
    '.',
    '\ufeff',
  ],
  '\ud800',
]
  .map((text) => Buffer.from(text))
  .concat([[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf0, 0x9f]].map((bytes) => Buffer.from(bytes)))

const NAMES = [
  'anchor',
  'end',
  'integrity',
  'damaged',
  'metadata',
  'writer',
  'seq',
  'hash',
  'epoch',
  '__proto__',
  'x',
  '',
]

/** A log as it was exported, and its checkpoints, with some bytes, values or members changed in one or both. */
export function spoilt(draw: Draw): Spoilt {
  const key = draw(4) === 0 ? null : KEY
  const sample: SampleLog = sampleLog(draw, draw(5) === 0 ? null : KEY)
  let lines = [...sample.lines]
  let kept = [...sample.checkpoints]
  for (let count = draw(3); count >= 0; count -= 1) {
    if (kept.length > 0 && draw(3) === 0) kept = change(kept, draw)
    else lines = change(lines, draw)
  }
  return { logs: files(lines, draw), checkpoints: files(kept, draw), key, requireTags: draw(6) === 0 }
}

function change(lines: readonly string[], draw: Draw): string[] {
  const at = draw(lines.length)
  const line = lines[at] ?? ''
  const kinds = [
    () => lines.with(at, withValue(line, draw)),
    () => lines.with(at, withValue(line, draw)),
    () => lines.with(at, renamed(line, draw)),
    () => lines.toSpliced(at, 0, `{"${pick(NAMES, draw)}":${pick(VALUES, draw)}}`),
    () => lines.toSpliced(at, 0, pick(VALUES, draw)),
    () => lines.toSpliced(draw(lines.length + 1), 0, line),
    () => lines.toSpliced(at, 1),
    () => lines.with(at, line.slice(0, draw(line.length + 1))),
    () => lines.with(at, twice(line)),
  ]
  return lines.length === 0 ? [pick(VALUES, draw)] : pick(kinds, draw)()
}

/** One value of the text, whichever it is, in another's place. */
function withValue(line: string, draw: Draw): string {
  const values = [...line.matchAll(/"(?:[^"\\]|\\.)*"(?!:)|-?\d+(?![^,}\]])|true|false|null/g)]
  const chosen = values[draw(Math.max(1, values.length))]
  if (chosen === undefined) return line
  const value = draw(4) === 0 ? wrapped(chosen[0], draw) : pick(VALUES, draw)
  return line.slice(0, chosen.index) + value + line.slice(chosen.index + chosen[0].length)
}

const wrapped = (value: string, draw: Draw) => [`[${value}]`, `{"a":${value}}`, ` ${value}`, `${value}e0`][draw(4)]!

/** A member under another name, or one more. */
function renamed(line: string, draw: Draw): string {
  const names = [...line.matchAll(/"(\w*)":/g)]
  const chosen = names[draw(Math.max(1, names.length))]
  if (chosen === undefined) return line
  const name = `"${pick(NAMES, draw)}":`
  const more = draw(2) === 0 ? `${name}${pick(VALUES, draw)},${chosen[0]}` : name
  return line.slice(0, chosen.index) + more + line.slice(chosen.index + chosen[0].length)
}

/** The same with its members written twice: the last one counts. */
function twice(line: string): string {
  try {
    const value = JSON.parse(line) as Json
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return line
    return `${line.slice(0, -1)},${JSON.stringify(value).slice(1)}`
  } catch {
    return line
  }
}

/** As one file or two, perhaps with some bytes changed, and perhaps torn. */
function files(lines: readonly string[], draw: Draw): Buffer[] {
  const at = draw(lines.length + 1)
  const texts = draw(3) === 0 ? [textOf(lines.slice(0, at)), textOf(lines.slice(at))] : [textOf(lines)]
  return texts.map((text) => {
    const bytes = Buffer.from(text)
    const place = draw(bytes.length + 1)
    const kinds = [
      () => bytes,
      () => bytes,
      () => bytes.subarray(0, bytes.length - 1),
      () => bytes.subarray(0, place),
      () => Buffer.concat([bytes.subarray(0, place), pick(BYTES, draw), bytes.subarray(place)]),
      () => Buffer.concat([bytes, Buffer.from(pick(VALUES, draw))]),
      () => Buffer.concat([bytes, pick(BYTES, draw)]),
      () => Buffer.from(bytes.map((byte, index) => (index === place ? byte ^ (1 << draw(8)) : byte))),
    ]
    return Buffer.from(pick(kinds, draw)())
  })
}

function pick<T>(items: readonly T[], draw: Draw): T {
  return items[draw(items.length)]!
}
