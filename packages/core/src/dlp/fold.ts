/** A text as it is to be read, and where its characters stand in the text as it came. */
export interface Folded {
  readonly text: string
  /** Where a character of `text` begins in the original. */
  start(index: number): number
  /** Where the character before a position of `text` ends in the original. */
  end(index: number): number
}

/** Every character that is read as another or left out is one of these, and some are that are not: a text without any stays as it is. */
const MAY_HIDE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what cannot be seen is meant
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: single units are meant
  /[\0-\x08\x0e-\x1f\x7f-\xa0\xad\u017f\u0300-\u036f\u037e\u058a-\u1dff\u1fef\u2000-\u2015\u2024\u202a-\u209f\u20d0-\u217f\u2212\u2460-\u24ff\u2e17-\u2e5d\u3000\u301c\u3030\u30a0\u3164\ua620-\uabff\ud800-\udbff\ufb29\ufe00-\uff5e\uffa0\uffe0-\uffff]/

/** JSON can hold a control character or half of a pair only as its escape, which is left as it is written. */
const ESCAPE = /\\u[0-9a-fA-F]{4}/y
const ESCAPE_LENGTH = 6

/** Whether a text may be read otherwise than it is written. */
export function mayHide(text: string, isJson: boolean): boolean {
  return MAY_HIDE.test(text) || (isJson && text.includes('\\u'))
}

/**
 * Digits of all scripts, wide and styled forms, blanks and dashes of all kinds as plain ones; what cannot be seen, and marks
 * that stand on or around another character, are left out.
 */
export function folded(text: string, isJson: boolean): Folded {
  if (!mayHide(text, isJson)) return { text, start: (index) => index, end: (index) => index }
  const starts = new Uint32Array(text.length)
  const ends = new Uint32Array(text.length)
  const codes = new Uint16Array(text.length)
  let length = 0
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at)!
    const next = at + (code > 0xffff ? 2 : 1)
    const plain = code < 0x7f && code >= 0x20 ? code : plainOf(code)
    if (isJson && code === BACKSLASH && isEscape(text, at)) {
      at += ESCAPE_LENGTH
      continue
    }
    if (plain > 0xffff) {
      put(text.charCodeAt(at), at, at + 1)
      put(text.charCodeAt(at + 1), at + 1, next)
    } else if (plain !== UNSEEN) put(plain, at, next)
    at = next
  }
  return {
    text: Buffer.from(codes.buffer, 0, length * 2).toString('utf16le'),
    start: (index) => starts[index]!,
    end: (index) => (index === 0 ? 0 : ends[index - 1]!),
  }

  function put(code: number, start: number, end: number): void {
    codes[length] = code
    starts[length] = start
    ends[length] = end
    length += 1
  }
}

const BACKSLASH = 0x5c

function isEscape(text: string, at: number): boolean {
  ESCAPE.lastIndex = at
  return ESCAPE.test(text)
}

const KNOWN_TO = 0x20000
/** What is read in the place of characters of the first two planes, found out where one comes up first; 0 where it has not. */
const known = new Uint16Array(KNOWN_TO)
const UNSEEN = 1
const AS_IT_IS = 2

/** The code of what is read in the place of a character; `UNSEEN` where that is nothing. */
function plainOf(code: number): number {
  if (code >= KNOWN_TO) return code >> 12 === 0xe0 ? UNSEEN : code
  let plain = known[code]!
  if (plain === 0) {
    plain = found(code)
    known[code] = plain
  }
  return plain === AS_IT_IS ? code : plain
}

/** Format and control characters, variation selectors, joiners, fillers; marks that stand on, under or around any character. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: single marks are meant
  /[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]/u
const WHITE = /[\t\n\v\f\r]/
const BLANK = /\p{Zs}/u
const DASH = /[\p{Pd}\u2212]/u
const DIGIT = /\p{Nd}/u
/** Small raised and lowered forms: a note behind a number is no part of it. */
const RAISED = /[\u00aa\u00b2\u00b3\u00b9\u00ba\u2070-\u209c\p{Lm}]/u

function found(code: number): number {
  const sign = String.fromCodePoint(code)
  if (WHITE.test(sign)) return AS_IT_IS
  if (INVISIBLE.test(sign)) return UNSEEN
  if (BLANK.test(sign)) return 0x20
  if (DASH.test(sign)) return 0x2d
  const form = sign.normalize('NFKC')
  if (form.length === 1 && form > ' ' && form < '\x7f' && !RAISED.test(sign)) return form.charCodeAt(0)
  return DIGIT.test(sign) ? 0x30 + digitOf(code) : AS_IT_IS
}

/** Digits of a script stand in a row, from 0 to 9 (Unicode, 4.6). */
function digitOf(code: number): number {
  let digit = 0
  while (digit < 9 && DIGIT.test(String.fromCodePoint(code - digit - 1))) digit += 1
  return digit
}
