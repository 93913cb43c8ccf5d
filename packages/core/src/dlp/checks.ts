/** Digits of a text, without what separates them. */
function digitsOf(text: string): string {
  return text.replace(/\D/g, '')
}

/** The check digit of cards (ISO/IEC 7812-1, annex B), whatever stands between the digits. */
function passesLuhn(text: string): boolean {
  let sum = 0
  let isSecond = false
  for (let index = text.length - 1; index >= 0; index -= 1) {
    const digit = text.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) continue
    const counted = isSecond ? digit * 2 : digit
    sum += counted > 9 ? counted - 9 : counted
    isSecond = !isSecond
  }
  return sum % 10 === 0
}

/** Issuers by the first digits of their cards, with the lengths they use (ISO/IEC 7812; the networks' own ranges). */
const ISSUERS: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^(?:352[89]|35[3-8])/, [16, 17, 18, 19]],
  [/^(?:30[0-5]|3095|36|3[89])/, [14, 16, 19]],
  [/^62/, [16, 17, 18, 19]],
  [/^(?:50|5[6-8]|6304|6759|676[1-3])/, [16, 18, 19]],
]

/** A payment card's number: a known issuer and length, and the check digit. */
export function cardIn(text: string): number {
  if (!passesLuhn(text)) return 0
  const digits = digitsOf(text)
  const isIssued = ISSUERS.some(([prefix, lengths]) => lengths.includes(digits.length) && prefix.test(digits))
  return isIssued ? text.length : 0
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
  if (missing !== 0 || /^[A-Z0-9]/.test(text.slice(end))) return 0
  const compact = text.slice(0, end).replaceAll(' ', '')
  let rest = 0
  for (const character of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1 ? end : 0
}

/** Social security numbers, without those that were never given out: areas 000, 666, from 900; group 00; serial 0000 (SSA). */
export function ssnIn(text: string): number {
  return /^(?:000|666|9\d\d)|^...-00|0000$/.test(text) ? 0 : text.length
}

/** Four numbers of at most 255. */
export function ipv4In(text: string): number {
  return text.split('.').every((part) => Number(part) <= 255) ? text.length : 0
}

/** International numbers have 8 to 15 digits with the country's code (E.164). */
export function internationalPhoneIn(text: string): number {
  const { length } = digitsOf(text)
  return length >= 8 && length <= 15 ? text.length : 0
}
