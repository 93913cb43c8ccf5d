/**
 * JSON text (the arguments of a tool call) as its strings mean it, so that an escape hides nothing, and back. What has to
 * stay escaped is one noncharacter of Unicode each (U+FDD0 and on, which no text may hold), so that positions are kept.
 */
const SIGNS = 'nrtbf"\\'
const MEANT = '\n\r\t\b\f"\\'
const FIRST = 0xfdd0
const LAST = 0xfdd6

const STAND_INS = /[\ufdd0-\ufdd6]/g
const STAND_INS_ONCE = /[\ufdd0-\ufdd6]/
const WRITTEN = /[\ufdd0-\ufdd6]|\\u[0-9a-fA-F]{4}/g
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

const BACKSLASH = 0x5c
const SLASH = 0x2f
const LETTER_U = 0x75

/** JSON text without its escapes. */
export function unescaped(json: string): string {
  const taken = STAND_INS_ONCE.test(json)
  if (!json.includes('\\') && !taken) return json
  const text = taken ? json.replace(STAND_INS, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`) : json
  const codes = new Uint16Array(text.length)
  let length = 0
  const put = (code: number) => {
    codes[length] = code
    length += 1
  }
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    const means = code === BACKSLASH ? meaningAt(text, at) : code
    if (means === STAYS) {
      put(code)
      if (at + 1 < text.length) put(text.charCodeAt(at + 1))
      at += 2
    } else if (means > 0xffff) {
      for (const half of [0, 1]) put(String.fromCodePoint(means).charCodeAt(half))
      at += 12
    } else {
      put(means)
      at += code !== BACKSLASH ? 1 : text.charCodeAt(at + 1) === LETTER_U ? 6 : 2
    }
  }
  return Buffer.from(codes.buffer, 0, length * 2).toString('utf16le')
}

const STAYS = -1

/** What an escape means, or what stands for it. Single halves of a pair and control characters stay as they are written. */
function meaningAt(text: string, at: number): number {
  const sign = text.charCodeAt(at + 1)
  if (sign === SLASH) return SLASH
  if (sign !== LETTER_U) return standIn(SIGNS.indexOf(String.fromCharCode(sign)))
  const code = codeAt(text, at)
  const index = MEANT.indexOf(String.fromCharCode(code))
  if (index >= 0) return standIn(index)
  if (code < 0x20 || (code >= FIRST && code <= LAST)) return STAYS
  if (code < 0xd800 || code > 0xdfff) return code
  const low = code < 0xdc00 ? codeAt(text, at + 6) : STAYS
  return low >= 0xdc00 && low <= 0xdfff ? (code - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000 : STAYS
}

function standIn(index: number): number {
  return index < 0 ? STAYS : FIRST + index
}

/** The code that an escape with four digits has; `STAYS` where none stands there. */
function codeAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== BACKSLASH || text.charCodeAt(at + 1) !== LETTER_U) return STAYS
  let code = 0
  for (let place = at + 2; place < at + 6; place += 1) code = code * 16 + Number.parseInt(text.charAt(place), 16)
  return Number.isNaN(code) ? STAYS : code
}

/** Back to JSON text. */
export function escaped(text: string): string {
  return text.replace(STAND_INS, (standIn) => `\\${SIGNS[standIn.charCodeAt(0) - FIRST]!}`)
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
