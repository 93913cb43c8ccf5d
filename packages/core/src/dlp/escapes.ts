/**
 * JSON text (the arguments of a tool call) as its strings mean it, so that an escape hides nothing, and back. What has to
 * stay escaped is one noncharacter of Unicode each (U+FDD0 and on, which no text may hold), so that positions are kept.
 */
const ESCAPES = ['\\n', '\\r', '\\t', '\\b', '\\f', '\\"', '\\\\'] as const
const MEANT = '\n\r\t\b\f"\\'
const FIRST = 0xfdd0

const STAND_INS = /[\ufdd0-\ufdd6]/g
const WRITTEN = /[\ufdd0-\ufdd6]|\\u[0-9a-fA-F]{4}/g
const PAIR = '\\\\u([dD][89abAB][0-9a-fA-F]{2})\\\\u([dD][c-fC-F][0-9a-fA-F]{2})'
const ESCAPE = new RegExp(`${PAIR}|\\\\(?:u([0-9a-fA-F]{4})|(.))|[\\ufdd0-\\ufdd6]`, 'gs')
/** The beginning of an escape, or of a pair of them, at the end of a piece. */
const HALF =
  /(?<!\\)(?:\\\\)*((?:\\u[dD][89abAB][0-9a-fA-F]{2})?\\(?:u[0-9a-fA-F]{0,3})?|\\u[dD][89abAB][0-9a-fA-F]{2})$/

/** JSON text that comes in pieces, read without its escapes. */
export interface Unescaper {
  push(piece: string): string
  /** What is left: the beginning of an escape. */
  rest(): string
}

export function unescaper(): Unescaper {
  let half = ''
  return {
    push(piece) {
      const text = half + piece
      half = HALF.exec(text)?.[1] ?? ''
      return unescaped(text.slice(0, text.length - half.length))
    },
    rest: () => half,
  }
}

/** JSON text without its escapes. */
export function unescaped(json: string): string {
  if (!json.includes('\\') && !STAND_INS_ONCE.test(json)) return json
  return json.replace(ESCAPE, (written, high?: string, low?: string, code?: string, sign?: string) => {
    if (high !== undefined) return String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low!, 16))
    if (code !== undefined) return characterOf(written, Number.parseInt(code, 16))
    if (sign === undefined) return `\\u${written.charCodeAt(0).toString(16)}`
    if (sign === '/') return '/'
    const index = ESCAPES.indexOf(written as (typeof ESCAPES)[number])
    return index < 0 ? written : String.fromCharCode(FIRST + index)
  })
}

const STAND_INS_ONCE = /[\ufdd0-\ufdd6]/

/** Single halves of a pair and control characters stay as they are written. */
function characterOf(written: string, code: number): string {
  const index = MEANT.indexOf(String.fromCharCode(code))
  if (index >= 0) return String.fromCharCode(FIRST + index)
  const stays = code < 0x20 || (code >= 0xd800 && code <= 0xdfff) || (code >= FIRST && code < FIRST + ESCAPES.length)
  return stays ? written : String.fromCharCode(code)
}

/** Back to JSON text. */
export function escaped(text: string): string {
  return text.replace(STAND_INS, (standIn) => ESCAPES[standIn.charCodeAt(0) - FIRST]!)
}

/** What the characters of such a text mean, one for one. */
export function meant(text: string): string {
  return text.replace(WRITTEN, (written) =>
    written.length === 1
      ? MEANT[written.charCodeAt(0) - FIRST]!
      : String.fromCharCode(Number.parseInt(written.slice(2), 16)),
  )
}

/** A text as it stands inside a JSON string. */
export function insideJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
