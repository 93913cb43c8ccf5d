/** Signs that look like others, or like nothing: a key or a number written with them is one all the same. */
const DISGUISES = /[\u00a0\u00ad\u2007\u200b-\u2015\u202f\u2060\u2212\ufeff\uff01-\uff5e]/
const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]/

/** A text as it is to be read, and where its characters stand in the text as it came. */
export interface Folded {
  readonly text: string
  /** Position in the original of a position in `text`, its end included. */
  origin(index: number): number
}

/** Wide forms, special blanks and dashes as plain ones; what cannot be seen is left out. */
export function folded(text: string): Folded {
  if (!DISGUISES.test(text)) return { text, origin: (index) => index }
  const origins: number[] = []
  let plain = ''
  for (let index = 0; index < text.length; index += 1) {
    const sign = text[index]!
    if (INVISIBLE.test(sign)) continue
    plain += plainOf(sign)
    origins.push(index)
  }
  origins.push(text.length)
  return { text: plain, origin: (index) => origins[index]! }
}

function plainOf(sign: string): string {
  const code = sign.charCodeAt(0)
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0)
  if (code === 0xa0 || code === 0x2007 || code === 0x202f) return ' '
  return (code >= 0x2010 && code <= 0x2015) || code === 0x2212 ? '-' : sign
}
