import type { ProviderOptions, ProviderType } from '../options.js'
import type { Clock } from '../time.js'
import { anthropicDialect } from './anthropic/dialect.js'
import { providerFacts } from './catalog.js'
import { connectionOf } from './connection.js'
import { demoProvider } from './demo/provider.js'
import { googleDialect } from './google/dialect.js'
import { openaiCompatible } from './openai-compatible.js'
import type { Provider } from './provider.js'
import type { Dialect } from './translated/dialect.js'
import { translatedProvider } from './translated/provider.js'

type Environment = Readonly<Record<string, string | undefined>>

/** A configured provider, with what its type says where the configuration does not. */
export interface CreatedProvider {
  readonly provider: Provider
  /** Empty for `demo`. */
  readonly baseUrl: string
  readonly local: boolean
}

/** Who speaks another dialect than OpenAI's. */
const DIALECTS: Partial<Readonly<Record<ProviderType, Dialect>>> = {
  anthropic: anthropicDialect,
  google: googleDialect,
}

/**
 * Makes the provider that a configuration describes. `$NAME` is already expanded; nothing is opened before its first
 * call.
 *
 * @throws HooshError `invalid_options` for an unknown type, a base URL or a header that cannot be used
 */
export function createProvider(
  config: ProviderOptions,
  deps: { connectMs: number; clock: Clock; environment?: Environment },
): CreatedProvider {
  const facts = providerFacts(config.type)
  const local = config.local ?? facts.local
  const { clock, connectMs, environment = {} } = deps
  const routeName = config.name ?? config.type
  if (facts.type === 'demo') return { provider: demoProvider({ routeName, clock }), baseUrl: '', local }
  const baseUrl = withQuery(config.baseUrl ?? facts.baseUrl, config.query)
  const connection = connectionOf(config, baseUrl, { connectMs, environment })
  const own = { config: { ...config, baseUrl }, facts, connection, clock }
  const dialect = DIALECTS[facts.type]
  const provider = dialect === undefined ? openaiCompatible(own) : translatedProvider({ ...own, dialect })
  return { provider, baseUrl, local }
}

/** A query that is configured beside a URL with one of its own is added to that. */
function withQuery(baseUrl: string, query: ProviderOptions['query']): string {
  if (query === undefined || !URL.canParse(baseUrl)) return baseUrl
  const url = new URL(baseUrl)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}
