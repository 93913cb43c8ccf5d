import type { ProviderSettings } from '../config/settings.js'
import type { ProviderType } from '../options.js'
import type { Clock } from '../time.js'
import { anthropicDialect } from './anthropic/dialect.js'
import { providerFacts } from './catalog.js'
import { demoProvider } from './demo/provider.js'
import { openaiCompatible } from './openai-compatible.js'
import type { Provider } from './provider.js'
import type { Dialect } from './translated/dialect.js'
import { translatedProvider } from './translated/provider.js'

/** A configured provider, with what its type says where the configuration does not. */
export interface CreatedProvider {
  readonly provider: Provider
  /** Empty for `demo`. */
  readonly baseUrl: string
  readonly local: boolean
}

/** Who speaks another dialect than OpenAI's. */
const DIALECTS: Partial<Readonly<Record<ProviderType, Dialect>>> = { anthropic: anthropicDialect }

/**
 * Makes the provider that a configuration describes. `$NAME` is already expanded; nothing is opened before its first
 * call.
 *
 * @throws HooshError `invalid_options` for an unknown type, a base URL or a header that cannot be used
 */
export function createProvider(config: ProviderSettings, deps: { connectMs: number; clock: Clock }): CreatedProvider {
  const facts = providerFacts(config.type)
  const local = config.local ?? facts.local
  if (facts.type === 'demo') {
    return { provider: demoProvider({ routeName: config.name ?? config.type, clock: deps.clock }), baseUrl: '', local }
  }
  const dialect = DIALECTS[facts.type]
  const provider =
    dialect === undefined
      ? openaiCompatible({ config, facts, ...deps })
      : translatedProvider({ config, facts, dialect, ...deps })
  return { provider, baseUrl: config.baseUrl ?? facts.baseUrl, local }
}
