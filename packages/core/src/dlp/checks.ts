const ZERO = 48
const NINE = 57
const CAPITAL_A = 65
const CAPITAL_Z = 90

// A text may be made of matches: a check makes no lists and runs no patterns.

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

function countDigits(text: string): number {
  let count = 0
  for (let index = 0; index < text.length; index += 1) if (isDigit(text.charCodeAt(index))) count += 1
  return count
}

/** The check digit of cards (ISO/IEC 7812-1, annex B), whatever stands between the digits. */
function passesLuhn(text: string): boolean {
  let sum = 0
  let isSecond = false
  for (let index = text.length - 1; index >= 0; index -= 1) {
    const code = text.charCodeAt(index)
    if (!isDigit(code)) continue
    const digit = code - ZERO
    const counted = isSecond ? digit * 2 : digit
    sum += counted > 9 ? counted - 9 : counted
    isSecond = !isSecond
  }
  return sum % 10 === 0
}

/** Issuers by the first four digits of their cards, with the lengths they use (ISO/IEC 7812; the networks' own ranges). */
const ISSUERS: readonly (readonly [from: number, to: number, ...lengths: number[]])[] = [
  [4000, 4999, 13, 16, 19],
  [5100, 5599, 16],
  [2221, 2720, 16],
  [3400, 3499, 15],
  [3700, 3799, 15],
  [6011, 6011, 16, 19],
  [6440, 6599, 16, 19],
  [3528, 3589, 16, 17, 18, 19],
  [3000, 3059, 14, 16, 19],
  [3095, 3095, 14, 16, 19],
  [3600, 3699, 14, 16, 19],
  [3800, 3999, 14, 16, 19],
  [6200, 6299, 16, 17, 18, 19],
  [5000, 5099, 16, 18, 19],
  [5600, 5899, 16, 18, 19],
  [6304, 6304, 16, 18, 19],
  [6759, 6759, 16, 18, 19],
  [6761, 6763, 16, 18, 19],
]

/** A payment card's number, which begins with four digits: a known issuer and length, and the check digit. */
export function cardIn(text: string): number {
  if (!passesLuhn(text)) return 0
  const length = countDigits(text)
  const beginning = Number(text.slice(0, 4))
  for (const issuer of ISSUERS) {
    if (beginning >= issuer[0] && beginning <= issuer[1] && issuer.includes(length, 2)) return text.length
  }
  return 0
}

/** Lengths of account numbers by country (IBAN registry of SWIFT, ISO 13616). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'NO15 BE16 DK18 FI18 FK18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 CH21 HR21 LI21 LV21 ' +
    'BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 RO24 ' +
    'SA24 SE24 SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 BI27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 BY28 CY28 DO28 ' +
    'GT28 HN28 HU28 LB28 NI28 PL28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 MT31 SC32 LC32 RU33'
  )
    .split(' ')
    .map((entry): [string, number] => [entry.slice(0, 2), Number(entry.slice(2))]),
)

/** An account number: as long as its country's are, and 1 as the rest modulo 97 (ISO 7064). What follows it is left. */
export function ibanIn(text: string): number {
  let missing = IBAN_LENGTHS[text.slice(0, 2)] ?? Number.NaN
  let end = 0
  while (end < text.length && missing > 0) {
    if (text.charCodeAt(end) !== 0x20) missing -= 1
    end += 1
  }
  const goesOn = end < text.length && isCapitalOrDigit(text.charCodeAt(end))
  if (missing !== 0 || goesOn) return 0
  return modulo97(text, 0, 4, modulo97(text, 4, end, 0)) === 1 ? end : 0
}

function isCapitalOrDigit(code: number): boolean {
  return isDigit(code) || (code >= CAPITAL_A && code <= CAPITAL_Z)
}

/** Goes on with a rest: letters count as 10 to 35, blanks not at all. */
function modulo97(text: string, start: number, end: number, before: number): number {
  let rest = before
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index)
    if (isDigit(code)) rest = (rest * 10 + code - ZERO) % 97
    else if (isCapitalOrDigit(code)) rest = (rest * 100 + code - CAPITAL_A + 10) % 97
  }
  return rest
}

/** Social security numbers, without those that were never given out: areas 000, 666, from 900; group 00; serial 0000 (SSA). */
export function ssnIn(text: string): number {
  const isNone = text.startsWith('000') || text.startsWith('666') || text.startsWith('9')
  return isNone || text.startsWith('-00', 3) || text.endsWith('0000') ? 0 : text.length
}

/** Four numbers of at most 255. */
export function ipv4In(text: string): number {
  let number = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    number = isDigit(code) ? number * 10 + code - ZERO : 0
    if (number > 255) return 0
  }
  return text.length
}

/** International numbers have 8 to 15 digits with the country's code (E.164). */
export function internationalPhoneIn(text: string): number {
  const count = countDigits(text)
  return count >= 8 && count <= 15 ? text.length : 0
}
