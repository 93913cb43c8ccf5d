import { cardIn, ibanIn, internationalPhoneIn, ipv4In, ssnIn } from '../checks.js'
import type { Rule } from '../rule.js'

const mail: Rule = {
  name: 'email',
  level: 'internal',
  family: 'mail',
  pattern: '(?<![\\w.%+-])[\\w.%+-]{1,64}@[A-Za-z0-9.-]{1,40}\\.[A-Za-z]{2,20}',
}

const card: Rule = {
  name: 'credit_card',
  level: 'restricted',
  family: 'cards',
  pattern:
    '[2-6](?:\\d{12,18}|\\d{3}(?:(?: \\d{4}){3}(?: \\d{3})?|(?:-\\d{4}){3}(?:-\\d{3})?|[ -]\\d{6}[ -]\\d{4,5}))(?!\\w|[.-]\\d)',
  check: cardIn,
}

/** In the order in which they win where several begin at one place. */
const numbers: readonly Rule[] = [
  { name: 'ssn', level: 'restricted', family: 'numbers', pattern: '\\d{3}-\\d{2}-\\d{4}(?![\\w-])', check: ssnIn },
  {
    name: 'ipv4',
    level: 'internal',
    family: 'numbers',
    pattern: '\\d{1,3}(?:\\.\\d{1,3}){3}(?!\\w|\\.\\d)',
    check: ipv4In,
  },
  {
    name: 'phone_us',
    level: 'confidential',
    family: 'numbers',
    pattern: '(?:1[-. ])?\\d{3}[-. ]\\d{3}[-. ]\\d{4}(?![\\w-])',
  },
  { name: 'phone_fr', level: 'confidential', family: 'numbers', pattern: '0[1-9](?:[ .]\\d{2}){4}(?![\\w.-])' },
  {
    name: 'phone_uk',
    level: 'confidential',
    family: 'numbers',
    pattern: '0(?:\\d{2} \\d{4} \\d{4}|\\d{3} \\d{3} \\d{4}|\\d{4} \\d{5,6})(?![\\w-])',
  },
  {
    name: 'phone_de',
    level: 'confidential',
    family: 'numbers',
    pattern: '0[1-9]\\d{1,3}(?:/| / | )\\d{5,9}(?:-\\d{1,4})?(?![\\w-])',
  },
]

const phones: readonly Rule[] = [
  {
    name: 'phone',
    level: 'confidential',
    family: 'words',
    pattern: '(?<![\\w+])\\+[1-9]\\d{0,2}[ .-]?(?:\\(0?\\d{0,4}\\)[ .-]?)?\\d(?:[ ./-]?\\d){5,13}(?![\\w-])',
    check: internationalPhoneIn,
  },
  {
    name: 'phone_us',
    level: 'confidential',
    family: 'words',
    pattern: '(?<!\\w)\\(\\d{3}\\) ?\\d{3}[-. ]\\d{4}(?![\\w-])',
  },
]

const iban: Rule = {
  name: 'iban',
  level: 'restricted',
  family: 'accounts',
  pattern: '[A-Z]{2}\\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![A-Za-z0-9])',
  check: ibanIn,
}

const STREET_KINDS =
  'Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Terrace|Parkway|Pkwy|Highway|Hwy|Crescent|Close'

/** Streets with a number, as the postal services of these countries write them. */
const addresses: readonly Rule[] = [
  {
    name: 'address_en',
    level: 'confidential',
    family: 'addresses',
    pattern: `\\d{1,5}[A-Za-z]? (?:[A-Z][a-z]{1,20} ){1,3}(?:${STREET_KINDS})(?![A-Za-z])`,
  },
  {
    name: 'address_fr',
    level: 'confidential',
    family: 'addresses',
    pattern:
      "\\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|impasse|quai|cours|route) (?:de la |de l'|du |des |de |d')?[A-Z\\u00c0-\\u00dd][\\w\\u00c0-\\u00ff'-]{1,30}",
  },
  {
    name: 'address_de',
    level: 'confidential',
    family: 'addresses',
    pattern:
      '[A-Z\\u00c4\\u00d6\\u00dc][a-z\\u00e4\\u00f6\\u00fc\\u00df]{2,24}(?:stra\\u00dfe|strasse|str\\.|weg|platz|allee|gasse|damm|ufer) \\d{1,4}[a-z]?(?!\\w)',
  },
  {
    name: 'address_nl',
    level: 'confidential',
    family: 'addresses',
    pattern: '[A-Z][a-z]{2,24}(?:straat|laan|gracht|plein|kade|singel) \\d{1,4}[a-z]?(?!\\w)',
  },
  {
    name: 'address_es',
    level: 'confidential',
    family: 'addresses',
    pattern:
      '(?:Calle|Avenida|Plaza|Paseo|Carrer) (?:de la |del |de los |de )?(?:[A-Z\\u00c0-\\u00dd][a-z\\u00e0-\\u00ff]{1,20},? ){1,3}\\d{1,4}(?!\\w)',
  },
  {
    name: 'address_it',
    level: 'confidential',
    family: 'addresses',
    pattern:
      "(?:Via|Viale|Piazza|Corso) (?:dei |delle |della |del |di |dell')?(?:[A-Z\\u00c0-\\u00dd][a-z\\u00e0-\\u00ff]{1,20},? ){1,3}\\d{1,4}(?!\\w)",
  },
]

export const peopleRules: readonly Rule[] = [mail, card, ...numbers, ...phones, iban, ...addresses]
