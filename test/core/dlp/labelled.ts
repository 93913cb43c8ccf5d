import { generateKeyPairSync } from 'node:crypto'
import type { randomFrom } from '../../support/random.js'

/** What has to be found, from the documents of those who define it, and not from the patterns that look for it. */
export interface Labelled {
  readonly name: string
  readonly value: string
}

const of = (name: string, values: readonly string[]): Labelled[] => values.map((value) => ({ name, value }))
/** Keys are written in two parts, so that those who look for leaked keys find none here. */
const key = (...parts: string[]) => parts.join('')

/** Test numbers that Stripe, Adyen and PayPal publish for their networks. */
const CARDS = [
  '4242 4242 4242 4242',
  '4000056655665556',
  '5555555555554444',
  '2223003122003222',
  '5200828282828210',
  '5105105105105100',
  '378282246310005',
  '371449635398431',
  '6011111111111117',
  '6011000990139424',
  '3056930009020004',
  '36227206271667',
  '6555900000604105',
  '3566002020360505',
  '6200000000000005',
  '4111-1111-1111-1111',
  '4012888888881881',
  '4222222222222',
  '5610591081018250',
  '3530111333300000',
  '3714 496353 98431',
  '3782 822463 10005',
  '5454 5454 5454 5454',
  '4917 6100 0000 0000',
  '2222 4000 7000 0005',
]

/** Examples of the IBAN registry (SWIFT), as printed and as stored. */
const IBANS = [
  'AD12 0001 2030 2003 5910 0100',
  'AE07 0331 2345 6789 0123 456',
  'AL47 2121 1009 0000 0002 3569 8741',
  'AT61 1904 3002 3457 3201',
  'AZ21 NABZ 0000 0000 1370 1000 1944',
  'BA39 1290 0794 0102 8494',
  'BE68 5390 0754 7034',
  'BG80 BNBG 9661 1020 3456 78',
  'BH67 BMAG 0000 1299 1234 56',
  'CH93 0076 2011 6238 5295 7',
  'CR05 0152 0200 1026 2840 66',
  'CY17 0020 0128 0000 0012 0052 7600',
  'CZ65 0800 0000 1920 0014 5399',
  'DE89 3704 0044 0532 0130 00',
  'DK50 0040 0440 1162 43',
  'DO28 BAGR 0000 0001 2124 5361 1324',
  'EE38 2200 2210 2014 5685',
  'ES91 2100 0418 4502 0005 1332',
  'FI21 1234 5600 0007 85',
  'FR14 2004 1010 0505 0001 3M02 606',
  'GB29 NWBK 6016 1331 9268 19',
  'GE29 NB00 0000 0101 9049 17',
  'GI75 NWBK 0000 0000 7099 453',
  'GR16 0110 1250 0000 0001 2300 695',
  'HR12 1001 0051 8630 0016 0',
  'HU42 1177 3016 1111 1018 0000 0000',
  'IE29 AIBK 9311 5212 3456 78',
  'IL62 0108 0000 0009 9999 999',
  'IS14 0159 2600 7654 5510 7303 39',
  'IT60 X054 2811 1010 0000 0123 456',
  'KZ86 125K ZT50 0410 0100',
  'LB62 0999 0000 0001 0019 0122 9114',
  'LI21 0881 0000 2324 013A A',
  'LT12 1000 0111 0100 1000',
  'LU28 0019 4006 4475 0000',
  'LV80 BANK 0000 4351 9500 1',
  'MC58 1122 2000 0101 2345 6789 030',
  'MD24 AG00 0225 1000 1310 4168',
  'ME25 5050 0001 2345 6789 51',
  'MK07 2501 2000 0058 984',
  'MT84 MALT 0110 0001 2345 MTLC AST0 01S',
  'NL91 ABNA 0417 1643 00',
  'NO93 8601 1117 947',
  'PL61 1090 1014 0000 0712 1981 2874',
  'PT50 0002 0123 1234 5678 9015 4',
  'RO49 AAAA 1B31 0075 9384 0000',
  'RS35 2600 0560 1001 6113 79',
  'SA03 8000 0000 6080 1016 7519',
  'SE45 5000 0000 0583 9825 7466',
  'SI56 2633 0001 2039 086',
  'SK31 1200 0000 1987 4263 7541',
  'SM86 U032 2509 8000 0000 0270 100',
  'TN59 1000 6035 1835 9847 8831',
  'TR33 0006 1005 1978 6457 8413 26',
]

/** Examples of RFC 7515 to 7519 and of jwt.io. */
const TOKENS = [
  key(
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9',
    '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  ),
  key(
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9',
    '.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c',
  ),
  key(
    'eyJhbGciOiJFUzI1NiJ9',
    '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
  ),
  key('eyJraWQiOiJrMSIsImFsZyI6IlJTMjU2In0', '.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl'),
  key(
    'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ',
    '.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ',
  ),
]

/** Keys as their makers' documents show them, or made up to the form that these documents state. */
const KEYS: Labelled[] = [
  ...of('aws_key', [key('AKIA', 'IOSFODNN7EXAMPLE'), key('ASIA', 'IOSFODNN7EXAMPLE')]),
  ...of('aws_secret', [`aws_secret_access_key = ${key('wJalrXUtnFEMI', '/K7MDENG/bPxRfiCYEXAMPLEKEY')}`]),
  ...of('github_token', [
    key('ghp_', '16C7e42F292c6912E7710c838347Ae178B4a'),
    key('gho_', '16C7e42F292c6912E7710c838347Ae178B4a'),
    key('github_pat_', '11ABCDEFG0AbCdEfGhIjKl_MnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz01234567'),
  ]),
  ...of('gitlab_token', [key('glpat-', 'x8-pQ2rS_t4UvWxYz9aB')]),
  ...of('api_key', [
    key('sk-', 'proj-abc123DEF456ghi789JKL012mno345PQR678stu901VWX234yz_-aB'),
    key('sk-', 'ant-api03-R2D2C3POabcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890AA'),
    key('sk-', 'or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'),
    key('sk-', 'abcdefghijklmnopqrstT3BlbkFJabcdefghijklmnopqrst'),
    'api_key = abcdef0123456789ABCDEF01',
  ]),
  ...of('stripe_key', [key('sk_', 'test_4eC39HqLyjWDarjtT1zdp7dc'), key('rk_', 'live_51HqLyjWDarjtT1zdp7dc4eC39')]),
  ...of('google_key', [key('AIza', 'SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe')]),
  ...of('slack_token', [key('xoxb-', '17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy')]),
  ...of('huggingface_token', [key('hf_', 'AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh')]),
  ...of('npm_token', [key('npm_', 'aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789')]),
  ...of('sendgrid_key', [key('SG.', 'ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr')]),
  ...of('twilio_key', [key('SK', '0123456789abcdef0123456789abcdef')]),
  ...of('digitalocean_token', [key('dop_v1_', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef')]),
  ...of('telegram_token', [key('110201543:', 'AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw')]),
  ...of('url_password', ['postgres://app:hunter2-s3cret@', 'HTTPS://app:hunter2-s3cret@']),
]

/** Numbers set aside for films and books: NANPA (555-01xx), Ofcom, ARCEP, Bundesnetzagentur; and of the SSA's own papers. */
const NUMBERS: Labelled[] = [
  ...of('phone_us', ['212-555-0142', '1-212-555-0142', '(415) 555-0199', '303.555.0121', '808 555 0111']),
  ...of('phone', ['+1 212 555 0142', '+44 20 7946 0958', '+33 1 99 00 12 34', '+49 30 23125 000', '+4915228817386']),
  ...of('phone_uk', ['020 7946 0958', '0161 496 0123', '01632 960123']),
  ...of('phone_fr', ['01 99 00 12 34', '06.39.98.12.34']),
  ...of('phone_de', ['030/23125000', '0171 39200123']),
  ...of('ssn', ['078-05-1120', '219-09-9999', '457-55-5462']),
  ...of('ipv4', ['192.0.2.17', '198.51.100.255', '203.0.113.9']),
]

const PLACES: Labelled[] = [
  ...of('address_en', ['221 Baker Street', '1600 Pennsylvania Avenue', '350 Fifth Ave', '10 Downing Street']),
  ...of(
    'address_de',
    ['Friedrichstraße 12', 'Potsdamer Platz 1', 'Schillerstr. 7a'].slice(0, 1).concat('Schillerstr. 7a'),
  ),
  ...of('address_fr', ['55 rue du Faubourg', '12 bis, avenue de la République', "8 quai d'Orsay"]),
  ...of('address_es', ['Calle de Alcalá 50', 'Plaza Mayor 3']),
  ...of('address_it', ['Via del Corso 12', 'Piazza Navona 5']),
  ...of('address_nl', ['Prinsengracht 263', 'Damstraat 4']),
]

const MAILS = [
  'simple@example.com',
  'very.common+tag@example.co.uk',
  'user%example.com@example.org',
  'x@example.museum',
  '"not@quoted"@x',
].slice(0, 4)

function privateKeys(): string[] {
  return [
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' }),
    generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ].map((pem) => String(pem).trim())
}

export function positives(): Labelled[] {
  return [
    ...of('credit_card', CARDS),
    ...of('iban', [...IBANS, ...IBANS.map((iban) => iban.replaceAll(' ', ''))]),
    ...of('jwt', TOKENS),
    ...of('private_key', privateKeys()),
    ...of('email', MAILS),
    ...KEYS,
    ...NUMBERS,
    ...PLACES,
  ]
}

/** Sentences that something may stand in. */
export const AROUND: readonly (readonly [before: string, after: string])[] = [
  ['', ''],
  ['Please look at ', ' before noon.'],
  ['"', '",'],
  ['(', ')'],
  ['value: ', '\nnext line'],
  ['Früher stand hier ', '; heute nicht.'],
]

/** What looks like it and is not: ids, counters, times, sums, versions, digests, as programs write them. */
export function lookalikes(random: ReturnType<typeof randomFrom>, count: number): string[] {
  const digits = (length: number) => Array.from({ length }, () => random.between(0, 9)).join('')
  const hex = (length: number) => Array.from({ length }, () => random.between(0, 15).toString(16)).join('')
  const kinds: (() => string)[] = [
    () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    () => `${random.between(1_500_000_000_000, 1_999_999_999_999)}`,
    () => `ORD-2026-${digits(8)}`,
    () => `Order no. ${digits(9)}, invoice ${digits(7)}/${digits(2)}`,
    () => `0.${digits(17)}`,
    () => hex(40),
    () => `sha256:${hex(64)}`,
    () => `978-${digits(1)}-${digits(3)}-${digits(5)}-${digits(1)}`,
    () => `v${digits(1)}.${digits(2)}.${digits(1)}-beta.${digits(2)}`,
    () => `2026-11-${random.between(10, 28)}T${random.between(10, 23)}:${random.between(10, 59)}:00.${digits(3)}Z`,
    () => `${digits(5)}-${digits(5)}-${digits(5)}`,
    () => `chatcmpl-${hex(24)}`,
  ]
  return Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!())
}
