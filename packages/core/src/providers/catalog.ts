import { type CatalogEntry, PROVIDER_CATALOG, PROVIDER_TYPES, type Quirks } from '../config/provider-catalog.js'
import { HooshError } from '../errors.js'
import type { ProviderType } from '../options.js'

/** What is known of a provider type before anybody configures it. */
export interface ProviderFacts {
  readonly type: ProviderType
  /** Where it is unless `baseUrl` says otherwise; empty where there is no address, or a package knows it. */
  readonly baseUrl: string
  /** Runs on the host's own machines: costs nothing. */
  readonly local: boolean
  readonly quirks: Quirks
}

const FACTS = new Map(PROVIDER_TYPES.map((type) => [type as string, factsOf(type, PROVIDER_CATALOG[type])]))

/** An entry of the catalogue, with what is absent said. */
export function factsOf(type: ProviderType, entry: CatalogEntry): ProviderFacts {
  const { baseUrl, local = false, environment: _, ...quirks } = entry
  return { type, baseUrl, local, quirks }
}

/** @throws HooshError `invalid_options` for a type that is not in the catalogue */
export function providerFacts(type: string): ProviderFacts {
  const facts = FACTS.get(type)
  if (facts !== undefined) return facts
  throw new HooshError('invalid_options', {
    message: `No provider type is called "${type}"; there are ${PROVIDER_TYPES.join(', ')}.`,
  })
}

/** The field that limits the output of a model per choice. */
export function limitField({ quirks }: ProviderFacts, model: string): 'max_tokens' | 'max_completion_tokens' {
  return quirks.maxCompletionTokens?.test(model) === true ? 'max_completion_tokens' : 'max_tokens'
}

/** Codes of failures in which it was us who hung up. */
const HUNG_UP = new Set(['client_closed', 'first_byte_timeout', 'idle_timeout', 'total_timeout'])

/** Whether a provider goes on with an answer, and bills all of it, although we have hung up. */
export function runsOn(type: string, stream: boolean, error: HooshError): boolean {
  const policy = providerFacts(type).quirks.runsOn
  return policy !== undefined && (policy === 'always' || !stream) && HUNG_UP.has(error.code)
}
