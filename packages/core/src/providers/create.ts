import type { ProviderSettings } from '../config/settings.js'
import { tableNameOf } from '../cost/genai-prices.js'
import type { ProviderType } from '../options.js'
import { revealed } from '../secret.js'
import type { Clock } from '../time.js'
import { aiSdkProvider } from './ai-sdk/provider.js'
import { providerOf } from './ai-sdk/source.js'
import { anthropicDialect } from './anthropic/dialect.js'
import { providerFacts } from './catalog.js'
import { connectionOf } from './connection.js'
import { demoProvider } from './demo/provider.js'
import { googleDialect } from './google/dialect.js'
import { ollamaDialect } from './ollama/dialect.js'
import { openaiCompatible } from './openai-compatible.js'
import type { Provider } from './provider.js'
import type { Dialect } from './translated/dialect.js'
import { translatedProvider } from './translated/provider.js'

type Environment = Readonly<Record<string, string | undefined>>

/** A configured provider, with what its type says where the configuration does not. */
export interface CreatedProvider {
  readonly provider: Provider
  /** Empty for `demo` and `ai-sdk`. */
  readonly baseUrl: string
  readonly local: boolean
  /** Whose prices these are in the table, where the type does not say it. */
  readonly pricedAs?: string
}

/** Who speaks another dialect than OpenAI's. */
const DIALECTS: Partial<Readonly<Record<ProviderType, Dialect>>> = {
  anthropic: anthropicDialect,
  google: googleDialect,
  ollama: ollamaDialect,
}

/**
 * Makes the provider that a configuration describes. `$NAME` is already expanded; nothing is opened before its first
 * call.
 *
 * @throws HooshError `invalid_options` for an unknown type, a base URL or a header that cannot be used
 */
export function createProvider(
  config: ProviderSettings,
  deps: { connectMs: number; clock: Clock; environment?: Environment },
): CreatedProvider {
  const facts = providerFacts(config.type)
  const local = config.local ?? facts.local
  const { clock, connectMs, environment = {} } = deps
  const routeName = config.name ?? config.type
  if (facts.type === 'demo') return { provider: demoProvider({ routeName, clock }), baseUrl: '', local }
  if (facts.type === 'ai-sdk') {
    const pricedAs = tableNameOf(providerOf(config))
    return { provider: aiSdkProvider({ config, clock }), baseUrl: '', local, ...(pricedAs && { pricedAs }) }
  }
  const baseUrl = withQuery(config.baseUrl ?? facts.baseUrl, config.query)
  const connection = connectionOf(config, baseUrl, { connectMs, environment })
  const own = { config: { ...config, baseUrl }, facts, connection, clock }
  const dialect = DIALECTS[facts.type]
  const provider = dialect === undefined ? openaiCompatible(own) : translatedProvider({ ...own, dialect })
  return { provider, baseUrl, local }
}

/** A query that is configured beside a URL with one of its own is added to that. */
function withQuery(baseUrl: string, query: ProviderSettings['query']): string {
  if (query === undefined || !URL.canParse(baseUrl)) return baseUrl
  const url = new URL(baseUrl)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, revealed(value))
  return url.href
}
