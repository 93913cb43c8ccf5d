import { HooshError } from '../errors.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The HTTP proxy that the environment names for a URL: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, unless `NO_PROXY` excepts
 * it; lower case wins, as in curl. This machine is never reached through a proxy. Null for none.
 *
 * @throws HooshError `invalid_options` where the variable holds no http(s) URL; it never tells the value, which may hold a
 *   password
 */
export function proxyFor(url: URL, environment: Environment): string | null {
  if (url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.')) return null
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy'
  const proxy = environment[name] ?? environment[name.toUpperCase()] ?? ''
  if (proxy === '' || isExcepted(url, environment.no_proxy ?? environment.NO_PROXY ?? '')) return null
  if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol)) {
    throw new HooshError('invalid_options', {
      message: `The environment variable ${name.toUpperCase()} has to hold the http or https URL of a proxy.`,
    })
  }
  return proxy
}

/** `*`, hosts with all below them (a leading dot or `*.` says the same), each with a port if it is meant for one only. */
function isExcepted({ hostname, port, protocol }: URL, list: string): boolean {
  const own = port === '' ? (protocol === 'https:' ? '443' : '80') : port
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((rule) => rule !== '')
    .some((rule) => {
      if (rule === '*') return true
      const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(rule)!
      const host = name.replace(/^\*?\./, '')
      return (only === undefined || only === own) && (hostname === host || hostname.endsWith(`.${host}`))
    })
}
