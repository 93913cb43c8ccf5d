import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { ProviderSettings } from '../config/settings.js'
import { HooshError } from '../errors.js'
import { revealed } from '../secret.js'

/** Headers that we set, or that belong to a connection: a configuration that names one would break the framing. */
const NOT_CONFIGURABLE = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const TELLS_SECRET = /auth|key|token|secret|cookie|password/i

/**
 * Headers of every request to a provider: name, value, name, value.
 *
 * @param own of the provider's dialect, its key included; a configured header of the same name wins
 * @throws HooshError `invalid_options` for a header that cannot be sent or configured
 */
export function commonHeaders(
  config: ProviderSettings,
  routeName: string,
  own: readonly (readonly [name: string, value: string])[],
): string[] {
  const headers = new Map([['accept-encoding', 'identity'], ['user-agent', 'hoosh'], ...own])
  for (const [name, value] of Object.entries(config.headers ?? {})) {
    if (NOT_CONFIGURABLE.has(name.toLowerCase())) throw badHeader(routeName, name)
    headers.set(name.toLowerCase(), revealed(value))
  }
  for (const [name, value] of headers) {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      throw badHeader(routeName, name)
    }
  }
  return [...headers].flat()
}

/** What a configuration has to keep secret: its key, and the values of headers and of the query that sound like one. */
export function secretsOf({ apiKey, apiKeys = [], headers, query, baseUrl }: ProviderSettings): string[] {
  const keys = [apiKey, ...apiKeys].flatMap((key) =>
    key === undefined || typeof key === 'function' ? [] : [revealed(key)],
  )
  const inUrl = baseUrl !== undefined && URL.canParse(baseUrl) ? [...new URL(baseUrl).searchParams] : []
  const values = [...Object.entries({ ...headers, ...query }), ...inUrl].flatMap(([name, hidden]) => {
    const value = revealed(hidden)
    return TELLS_SECRET.test(name) ? [value, value.replace(/^\w+\s+/, '')] : []
  })
  return [...keys, ...values]
}

/** Names the header and not its value, which may be a key with a stray line break. */
function badHeader(routeName: string, name: string): HooshError {
  return new HooshError('invalid_options', {
    message: `The provider "${routeName}" cannot send the header "${name}" as it is configured.`,
  })
}
