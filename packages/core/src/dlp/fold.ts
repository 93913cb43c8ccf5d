/** Signs that look like others, or like nothing: a key or a number written with them is one all the same. */
const DISGUISES = /[\u00a0\u00ad\u2007\u200b-\u2015\u202f\u2060\u2212\ufeff\uff01-\uff5e]/

/** A text as it is to be read, and where its characters stand in the text as it came. */
export interface Folded {
  readonly text: string
  /** Position in the original of a position in `text`, its end included. */
  origin(index: number): number
}

/** Wide forms, special blanks and dashes as plain ones; what cannot be seen is left out. */
export function folded(text: string): Folded {
  if (!DISGUISES.test(text)) return { text, origin: (index) => index }
  const origins = new Uint32Array(text.length + 1)
  const codes = new Uint16Array(text.length)
  let length = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code > 0x7f && isInvisible(code)) continue
    origins[length] = index
    codes[length] = code > 0x7f ? plainOf(code) : code
    length += 1
  }
  origins[length] = text.length
  return { text: textOf(codes.subarray(0, length)), origin: (index) => origins[index]! }
}

function isInvisible(code: number): boolean {
  return code === 0xad || (code >= 0x200b && code <= 0x200f) || code === 0x2060 || code === 0xfeff
}

function plainOf(code: number): number {
  if (code >= 0xff01 && code <= 0xff5e) return code - 0xfee0
  if (code === 0xa0 || code === 0x2007 || code === 0x202f) return 0x20
  return (code >= 0x2010 && code <= 0x2015) || code === 0x2212 ? 0x2d : code
}

/** Characters that one call can be given. */
const AT_ONCE = 8_192

function textOf(codes: Uint16Array): string {
  let text = ''
  for (let at = 0; at < codes.length; at += AT_ONCE) text += String.fromCharCode(...codes.subarray(at, at + AT_ONCE))
  return text
}
