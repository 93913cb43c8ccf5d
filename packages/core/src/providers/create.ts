import type { ProviderOptions } from '../options.js'
import type { Clock } from '../time.js'
import { providerFacts } from './catalog.js'
import { demoProvider } from './demo/provider.js'
import { openaiCompatible } from './openai-compatible.js'
import type { Provider } from './provider.js'

/** A configured provider, with what its type says where the configuration does not. */
export interface CreatedProvider {
  readonly provider: Provider
  /** Empty for `demo`. */
  readonly baseUrl: string
  readonly local: boolean
}

/**
 * Makes the provider that a configuration describes. `$NAME` is already expanded; nothing is opened before its first
 * call.
 *
 * @throws HooshError `invalid_options` for an unknown type, a base URL or a header that cannot be used
 */
export function createProvider(config: ProviderOptions, deps: { connectMs: number; clock: Clock }): CreatedProvider {
  const facts = providerFacts(config.type)
  const local = config.local ?? facts.local
  if (facts.type === 'demo') {
    return { provider: demoProvider({ routeName: config.name ?? config.type, clock: deps.clock }), baseUrl: '', local }
  }
  return { provider: openaiCompatible({ config, facts, ...deps }), baseUrl: config.baseUrl ?? facts.baseUrl, local }
}
