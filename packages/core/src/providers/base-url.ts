import { HooshError } from '../errors.js'

/** Where a provider's endpoints are. */
export interface Endpoint {
  readonly origin: string
  /** The path of an endpoint, with the query of the configured URL: `pathOf('/models')`. */
  pathOf(endpoint: string): string
}

/** `v1`, `v4`, `v1beta`. */
const VERSION_SEGMENT = /\/v\d+[a-z0-9]*$/i

/**
 * Reads a configured base URL: a path that ends in a version segment is used as it is, else `version` is appended. Where
 * that is empty the segment goes.
 *
 * @throws HooshError `invalid_options` where it is no http(s) URL, or holds credentials (they would reach logs)
 */
export function endpointOf(baseUrl: string, routeName: string, version = '/v1'): Endpoint {
  const url = readBaseUrl(baseUrl, routeName)
  const path = url.pathname.replace(/\/+$/, '')
  const hasVersion = VERSION_SEGMENT.test(path)
  // A dialect without versions lives beside the one that has them: `http://localhost:11434/v1` is the same server.
  const prefix = !hasVersion ? `${path}${version}` : version === '' ? path.replace(VERSION_SEGMENT, '') : path
  return { origin: url.origin, pathOf: (endpoint) => `${prefix}${withQuery(endpoint, url.search)}` }
}

/** @throws HooshError `invalid_options` as above */
export function readBaseUrl(baseUrl: string, routeName: string): URL {
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
  return url
}

/** An endpoint with a query of its own keeps it before the configured one. */
function withQuery(endpoint: string, search: string): string {
  return search !== '' && endpoint.includes('?') ? `${endpoint}&${search.slice(1)}` : `${endpoint}${search}`
}
