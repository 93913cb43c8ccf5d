import { inspectContent } from '../../../packages/core/dist/dlp/inspect.js'
import { createPolicy } from '../../../packages/core/dist/dlp/policy.js'
import { plainRequest } from '../payload.js'
import type { Case } from './case.js'

// What a host pays that has asked to have content looked through, with every built-in pattern.

const PROMPT = 'Please summarise the attached report in three sentences and say which figures matter most to us.'
const MEGABYTE = 1e6

/** The shortest that each pattern finds, or nearly: a megabyte of it holds the most findings. Keys are cut, so that none looks like one. */
const SHORTEST: Readonly<Record<string, string>> = {
  email: 'x@b.museum',
  credit_card: '4222222222222',
  iban: 'NO9386011117947',
  ssn: '078-05-1120',
  ipv4: '192.0.2.1',
  phone: '+49302312',
  phone_us: '212-555-0142',
  phone_fr: '01 99 00 12 34',
  phone_uk: '01632 96012',
  phone_de: '030 23125',
  address_en: '1 Aa St',
  address_fr: '8 rue Aa',
  address_de: 'Aaaweg 1',
  address_nl: 'Aaalaan 1',
  address_es: 'Calle Aa 1',
  address_it: 'Via Aa 1',
  aws_key: `AKIA${'A1'.repeat(8)}`,
  aws_secret: `aws_secret_access_key=${'aB'.repeat(20)}`,
  github_token: `ghp_${'aB1'.repeat(12)}`,
  gitlab_token: `glpat-${'aB-1'.repeat(5)}`,
  api_key: `sk-${'aB1x'.repeat(5)}`,
  stripe_key: `sk_test_${'aB1x'.repeat(4)}`,
  google_key: `ya29.${'aB-1'.repeat(5)}`,
  slack_token: `xoxb-${'12345'.repeat(2)}`,
  npm_token: `npm_${'aB1'.repeat(12)}`,
  twilio_key: `SK${'0a'.repeat(16)}`,
  telegram_token: `12345678:AA${'aB1-'.repeat(8)}`,
  jwt: `eyJhbGciOi${'aB1-'.repeat(3)}`,
  private_key: '-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----',
  url_password: 'ab://a:abc@',
}

export const dlp: readonly Case[] = [
  { step: 'DLP scan of a clean prompt, 96 bytes', original: 4.4, atMost: 5, make: () => inspecting(PROMPT) },
  {
    step: 'DLP scan of prose, a kilobyte of 1 MB',
    times: 1_000,
    atMost: 50,
    make: () => inspecting(megabyteOf(plainRequest(20 * 1024))),
  },
  ...Object.entries(SHORTEST).map(([name, value]) => ({
    step: `DLP redacts 1 MB of ${name} alone, a kilobyte`,
    times: 1_000,
    atMost: 50,
    make: () => redacting(name, megabyteOf(`${value} `)),
  })),
]

function inspecting(text: string): () => unknown {
  const policy = createPolicy({})
  return () => inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
}

function redacting(name: string, text: string): () => unknown {
  const policy = createPolicy({ actions: { internal: 'redact', confidential: 'redact', restricted: 'redact' } })
  return async () => {
    const { patterns } = await inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
    if (!patterns.includes(name)) throw new TypeError(`${name} was not found.`)
  }
}

function megabyteOf(text: string): string {
  return text.repeat(Math.ceil(MEGABYTE / text.length)).slice(0, MEGABYTE)
}
