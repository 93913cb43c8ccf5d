import { isIP } from 'node:net'
import { HooshError } from '../errors.js'
import type { Identify } from '../options.js'
import { isLoopbackHost } from './loopback.js'
import { headerIn } from './request-facts.js'

/**
 * Who calls where there is neither the host's `identify` nor a socket whose address would tell: with `dev` everybody, as
 * `anonymous`, else nobody, with a message that says what to do. With `dev`, too, a page from elsewhere gets nothing: a
 * name that anybody may point at this machine (DNS rebinding) is no address of it, and a foreign `Origin` is foreign.
 */
export function anonymousInDev({ dev }: { readonly dev: boolean }): Identify<unknown> {
  return (request) => {
    if (!dev) {
      throw new HooshError('unauthenticated', {
        message:
          'This app does not say who is calling: give its mount `identify`, or `dev: true` on a machine that only you reach.',
      })
    }
    // Every request of a browser over HTTP/1 has a Host; over TLS a name would need its certificate.
    const [host, origin] = [headerIn(request, 'host'), headerIn(request, 'origin')]
    const hosts = [...(host === undefined ? [] : [host]), ...(origin === undefined ? [] : [hostOfOrigin(origin)])]
    if (hosts.every(isHere)) return { user: 'anonymous', pool: 'default' }
    throw new HooshError('unauthenticated', {
      message:
        'With `dev: true` only localhost and addresses in numbers are served, since any page may use a name. Give the mount `identify` to serve this one.',
    })
  }
}

/** A loopback name, or an address in numbers, which no name server can redirect. */
function isHere(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '')
  return isLoopbackHost(host) || isIP(name.replace(/^\[|\]$/g, '')) !== 0
}

/** `null`, which sandboxed pages send, is nobody's. */
function hostOfOrigin(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : ''
}
