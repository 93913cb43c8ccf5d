import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { createPolicy, type Inspection } from '../../../packages/core/src/dlp/policy.js'
import { hasFixtures, recorded } from '../../support/fixtures.js'
import { randomFrom } from '../../support/random.js'
import { AROUND, lookalikes, positives } from './labelled.js'

const policy = createPolicy({
  actions: { public: 'redact', internal: 'redact', confidential: 'redact', restricted: 'redact' },
})
const CHECKED = ['credit_card', 'iban']

async function found(text: string): Promise<Inspection> {
  return inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
}

/** How often each pattern is found in a text: what it was redacted to. */
const tally = (inspection: Inspection) => (inspection.texts?.[0] ?? '').match(/(?<=\[redacted )\w+(?=\])/g) ?? []

/** Real text: this repository's documents and lock file, and what providers have answered. */
function realTexts(): string[] {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'package-lock.json',
    ...readdirSync('docs')
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ]
  const texts = documents.filter((name) => name !== 'docs/dlp.md').map((name) => readFileSync(name, 'utf8'))
  const dialects = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini', 'openai-embeddings']
  return [...texts, ...dialects.flatMap(recorded).map(({ body, request }) => `${body}\n${JSON.stringify(request)}`)]
}

describe('a labelled set', () => {
  it(`finds what documents describe, and little else in real text (${hasFixtures ? 'with' : 'no'} recorded traffic)`, async () => {
    const seed = 7
    const counts = new Map<string, { hits: number; misses: number; false: number }>()
    const of = (name: string) => {
      if (!counts.has(name)) counts.set(name, { hits: 0, misses: 0, false: 0 })
      return counts.get(name)!
    }
    const missed: string[] = []
    for (const { name, value } of positives()) {
      for (const [before, after] of AROUND) {
        const { texts } = await found(`${before}${value}${after}`)
        const isFound = texts?.[0] === `${before}[redacted ${name}]${after}`
        of(name)[isFound ? 'hits' : 'misses'] += 1
        if (!isFound) missed.push(`${name}: ${texts?.[0] ?? `${before}${value}${after}`}`)
      }
    }
    const random = randomFrom(seed)
    let characters = 0
    for (const text of [...realTexts(), ...lookalikes(random, 24_000)]) {
      characters += text.length
      for (const name of tally(await found(text))) of(name).false += 1
    }
    const rows = [...counts].map(([name, { hits, misses, false: wrong }]) => ({
      name,
      precision: hits / (hits + wrong),
      recall: hits / (hits + misses),
      false: wrong,
    }))
    console.log(`Negatives: ${characters} characters, seed ${seed}`)
    console.table(rows)
    if (missed.length > 0) console.log(missed.slice(0, 40).join('\n'))
    for (const { name, precision, recall } of rows.filter((row) => CHECKED.includes(row.name))) {
      expect.soft(precision, `precision of ${name}`).toBeGreaterThanOrEqual(0.99)
      expect.soft(recall, `recall of ${name}`).toBeGreaterThanOrEqual(0.95)
    }
    for (const { name, recall } of rows) expect.soft(recall, `recall of ${name}`).toBeGreaterThanOrEqual(0.9)
  }, 60_000)
})
