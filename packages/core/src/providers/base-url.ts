import { HooshError } from '../errors.js'
import { checkPlace, type Place } from './address-guard.js'

/** Where a provider's endpoints are. */
export interface Endpoint {
  readonly origin: string
  readonly place: Place
  /** The path of an endpoint, with the query of the configured URL: `pathOf('/models')`. */
  pathOf(endpoint: string): string
}

/** `v1`, `v4`, `v1beta`. */
const VERSION_SEGMENT = /\/v\d+[a-z0-9]*$/i

/**
 * Reads a configured base URL: a path that ends in a version segment is used as it is, else `version` is appended.
 *
 * @throws HooshError `invalid_options` where it is no http(s) URL, holds credentials (they would reach logs), or names an
 *   address that is never called (address-guard.ts)
 */
export function endpointOf(
  baseUrl: string,
  routeName: string,
  { version = '/v1', plainHttp = false }: { version?: string | undefined; plainHttp?: boolean | undefined } = {},
): Endpoint {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new HooshError('invalid_options', {
      message: `The baseUrl of the provider "${routeName}" is not an http or https URL.`,
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new HooshError('invalid_options', {
      message: `The baseUrl of the provider "${routeName}" holds credentials; put them into \`apiKey\` or \`headers\`.`,
    })
  }
  const place = { routeName, protocol: url.protocol, hostname: url.hostname, plainHttp }
  checkPlace(place)
  const path = url.pathname.replace(/\/+$/, '')
  const prefix = VERSION_SEGMENT.test(path) ? path : `${path}${version}`
  return { origin: url.origin, place, pathOf: (endpoint) => `${prefix}${withQuery(endpoint, url.search)}` }
}

/** An endpoint with a query of its own keeps it before the configured one. */
function withQuery(endpoint: string, search: string): string {
  return search !== '' && endpoint.includes('?') ? `${endpoint}&${search.slice(1)}` : `${endpoint}${search}`
}
