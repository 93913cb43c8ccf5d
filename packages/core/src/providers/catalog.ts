import { HooshError } from '../errors.js'
import type { ProviderType } from '../options.js'

/** What is known of a provider type before anybody configures it. */
export interface ProviderFacts {
  readonly type: ProviderType
  /** Where it is unless `baseUrl` says otherwise; empty for `demo`, which has no address. */
  readonly baseUrl: string
  /** Runs on the host's own machines: costs nothing. */
  readonly local: boolean
  /** It knows `stream_options`; the others send the usage of a stream unasked, and may refuse the field. */
  readonly streamOptions: boolean
  /** The field that limits the output of a model per choice. */
  limitField(model: string): 'max_tokens' | 'max_completion_tokens'
}

/** OpenAI's reasoning models refuse `max_tokens`; older models and most compatible servers know nothing else. */
const OPENAI_REASONING = /^(?:o\d|gpt-(?:[5-9]|\d\d))/

const always = () => 'max_tokens' as const

const hosted = { local: false, streamOptions: true, limitField: always }
const ours = { local: true, streamOptions: true, limitField: always }

const CATALOG: Readonly<Record<ProviderType, Omit<ProviderFacts, 'type'>>> = {
  openai: {
    ...hosted,
    baseUrl: 'https://api.openai.com',
    limitField: (model) => (OPENAI_REASONING.test(model) ? 'max_completion_tokens' : 'max_tokens'),
  },
  // Translated dialects: their usage comes unasked.
  anthropic: { ...hosted, baseUrl: 'https://api.anthropic.com', streamOptions: false },
  google: { ...hosted, baseUrl: 'https://generativelanguage.googleapis.com', streamOptions: false },
  deepseek: { ...hosted, baseUrl: 'https://api.deepseek.com' },
  // Answers 422 `extra_forbidden` to stream_options and max_completion_tokens (avante.nvim #2347, eca #231).
  mistral: { ...hosted, baseUrl: 'https://api.mistral.ai', streamOptions: false },
  groq: { ...hosted, baseUrl: 'https://api.groq.com/openai' },
  grok: { ...hosted, baseUrl: 'https://api.x.ai' },
  openrouter: { ...hosted, baseUrl: 'https://openrouter.ai/api' },
  llamacpp: { ...ours, baseUrl: 'http://localhost:8080' },
  lmstudio: { ...ours, baseUrl: 'http://localhost:1234' },
  localai: { ...ours, baseUrl: 'http://localhost:8080' },
  vllm: { ...ours, baseUrl: 'http://localhost:8000' },
  tensorrt: { ...ours, baseUrl: 'http://localhost:8000' },
  onnx: { ...ours, baseUrl: 'http://localhost:8000' },
  synapse: { ...ours, baseUrl: 'http://localhost:5000' },
  demo: { ...ours, baseUrl: '' },
}

const FACTS = new Map(
  Object.entries(CATALOG).map(([type, facts]): [string, ProviderFacts] => [
    type,
    { type: type as ProviderType, ...facts },
  ]),
)

/** All provider types, in the order of the catalogue. */
export const PROVIDER_TYPES = [...FACTS.keys()] as readonly ProviderType[]

/** @throws HooshError `invalid_options` for a type that is not in the catalogue */
export function providerFacts(type: string): ProviderFacts {
  const facts = FACTS.get(type)
  if (facts !== undefined) return facts
  throw new HooshError('invalid_options', {
    message: `No provider type is called "${type}"; there are ${PROVIDER_TYPES.join(', ')}.`,
  })
}
