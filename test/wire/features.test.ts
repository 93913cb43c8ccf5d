import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { HooshError } from '../../packages/core/src/errors.js'
import { callOptions } from '../../packages/core/src/providers/ai-sdk/request.js'
import { anthropicDialect } from '../../packages/core/src/providers/anthropic/dialect.js'
import { googleDialect } from '../../packages/core/src/providers/google/dialect.js'
import { ollamaDialect } from '../../packages/core/src/providers/ollama/dialect.js'
import type { Ask, Dialect } from '../../packages/core/src/providers/translated/dialect.js'
import { hasFixtures, recorded } from '../support/fixtures.js'
import { anthropicReplay } from './dialects/anthropic.js'
import { geminiReplay } from './dialects/gemini.js'
import type { DialectReplay } from './dialects/replay.js'
import { FEATURES, type Feature } from './features.js'

type Fields = Readonly<Record<string, unknown>>

/** One column of the table: what becomes of a feature there, and requests that were recorded there. */
interface Column {
  readonly title: string
  support(feature: Feature): 'as it is' | 'yes' | 'emulated' | 'nearest value' | 'refused'
  readonly recorded: readonly Fields[]
}

/** Requests in OpenAI's dialect that mean what was recorded and was answered. */
function recordedBy({ dialect, toOpenAI }: DialectReplay): Fields[] {
  return recorded(dialect)
    .filter(({ status }) => status === 200)
    .map((exchange) => toOpenAI(exchange))
    .filter((params) => !('uncovered' in params))
}

function ofOpenAI(dialect: string): Fields[] {
  return recorded(dialect)
    .filter(({ status }) => status === 200)
    .map(({ request }) => request)
}

/** What becomes of a feature in a translation; the body that goes up tells what is emulated. */
function probed(feature: Feature, model: string, translate: (ask: Ask) => Fields): ReturnType<Column['support']> {
  const base = feature.kind === 'embeddings' ? {} : { messages: [{ role: 'user', content: 'Hi.' }] }
  let isAdapted = false
  const refuse = (param: string) => new HooshError('unsupported_parameter', { details: { param } })
  const ask: Ask = {
    kind: feature.kind ?? 'chat',
    stream: feature.params.stream === true,
    model,
    params: { model, ...base, ...feature.params },
    requestId: 'r',
    created: 0,
    cannot(param) {
      throw refuse(param)
    },
    adapted() {
      isAdapted = true
    },
    impossible: refuse,
    refused: () => refuse('answer'),
  }
  try {
    const body = translate(ask)
    if (feature.fakes?.(body) === true) return 'emulated'
    return isAdapted ? 'nearest value' : 'yes'
  } catch (error) {
    if (error instanceof HooshError && error.code === 'unsupported_parameter') return 'refused'
    throw error
  }
}

function translated(title: string, dialect: Dialect, models: { chat: string; embeddings?: string }, traffic: Fields[]) {
  return {
    title,
    recorded: traffic,
    support: (feature: Feature) => {
      const model = feature.kind === 'embeddings' ? models.embeddings : models.chat
      if (model === undefined) return 'refused'
      return probed(feature, model, (ask) => JSON.parse(dialect.translate(ask).body) as Fields)
    },
  } satisfies Column
}

const COLUMNS: readonly Column[] = [
  {
    title: "OpenAI's dialect",
    support: () => 'as it is',
    recorded: [...ofOpenAI('openai-chat'), ...ofOpenAI('openai-embeddings')],
  },
  translated('`anthropic`', anthropicDialect, { chat: 'claude-sonnet-4-5' }, recordedBy(anthropicReplay)),
  translated(
    '`google`',
    googleDialect,
    { chat: 'gemini-2.5-flash', embeddings: 'gemini-embedding-001' },
    recordedBy(geminiReplay),
  ),
  translated('`ollama`', ollamaDialect, { chat: 'llama3.2', embeddings: 'nomic-embed-text' }, []),
  {
    title: '`ai-sdk`',
    recorded: [],
    support: (feature) => {
      if (feature.kind === 'embeddings') return 'dimensions' in feature.params ? 'refused' : 'yes'
      return probed(feature, 'm', (ask) => callOptions(ask, { fetches: () => true, isV2: false }))
    },
  },
]

function cell(feature: Feature, { support, recorded: traffic }: Column): string {
  const proofs = traffic.filter((params) => feature.uses(params)).length
  return `${support(feature)}${proofs === 0 ? '' : ` (${proofs})`}`
}

function table(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    row(['', ...COLUMNS.map(({ title }) => title)]),
    row(['', ...COLUMNS].map(() => '---')),
    ...FEATURES.map((feature) => row([feature.name, ...COLUMNS.map((column) => cell(feature, column))])),
  ].join('\n')
}

const HEAD = `# What becomes of a request

What each provider does with what a request of OpenAI's dialect asks for. *As it is*: it goes up as the caller wrote it, and the provider decides; the
fields that some of them refuse are data of the catalogue. *Yes*: translated. *Emulated*: by a tool that the model has to call. *Refused*: with
\`unsupported_parameter\`, or left out where the caller says \`drop_unsupported\`. In brackets: how many recorded requests to real providers that ask
for it come out of the gateway with the same meaning, and their answers too.

This page is written by \`npx vitest run test/wire/features.test.ts -u\`, out of what the code does.

`

describe('docs/provider-features.md', () => {
  const file = new URL('../../docs/provider-features.md', import.meta.url)
  const withoutProofs = (text: string) => text.replace(/ \(\d+\)/g, '')

  it.runIf(hasFixtures)('is what the translations do, with what was recorded', async () => {
    await expect(`${HEAD}${table()}\n`).toMatchFileSnapshot(fileURLToPath(file))
  })

  it.skipIf(hasFixtures)('is what the translations do (its figures: skipped, no recordings here)', () => {
    expect(withoutProofs(readFileSync(file, 'utf8'))).toBe(withoutProofs(`${HEAD}${table()}\n`))
  })
})
