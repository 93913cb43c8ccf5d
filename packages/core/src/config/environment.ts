import { HooshError } from '../errors.js'
import type { ProviderOptions } from '../options.js'
import { type CatalogEntry, PROVIDER_CATALOG, PROVIDER_TYPES } from './provider-catalog.js'

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * A secret that may name a variable: `$NAME` is its value, anything else is itself.
 *
 * @param option for the error: `providers[0].apiKey`
 * @throws HooshError `invalid_options` that names the variable, never its value
 */
export function expanded(secret: string, option: string, environment: Environment): string {
  const name = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(secret)?.[1]
  if (name === undefined) return secret
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  throw new HooshError('invalid_options', {
    message: `${option} reads the environment variable ${name}, which is not set. Set it before the app starts, or remove the option.`,
  })
}

/**
 * Providers of the keys that the environment holds (`OPENAI_API_KEY` and the like), in the order of the catalogue.
 * OpenRouter, which has a model of everybody, comes after whoever serves the model himself.
 */
export function environmentProviders(environment: Environment): ProviderOptions[] {
  return PROVIDER_TYPES.flatMap((type) => {
    const { environment: found }: CatalogEntry = PROVIDER_CATALOG[type]
    const apiKey = found?.keys.map((name) => environment[name]).find((key) => key !== undefined && key !== '')
    if (found === undefined || apiKey === undefined) return []
    const { keys: _, ...options } = found
    return [{ type, ...options, apiKey }]
  })
}
