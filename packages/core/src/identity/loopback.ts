import { HooshError } from '../errors.js'
import type { Identity } from '../options.js'
import { isForwarded } from './request-facts.js'

/** The facts of a connection. Express's and node's requests have this shape, and so has Koa's context. */
export interface SocketRequest {
  readonly socket: { readonly remoteAddress?: string | undefined }
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly httpVersion?: string
  /** Node's own request, where this one is Koa's. */
  readonly req?: { readonly httpVersion?: string }
}

const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/i
const LOOPBACK_NAME = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|(?:[a-z0-9-]+\.)*localhost)$/i

/**
 * Who calls where the host has no `identify`: somebody on this machine, as `anonymous`, or nobody. Fails closed. A
 * forwarding header says that a proxy on this machine speaks for somebody else; a foreign `Host` or `Origin` that a
 * browser here was led to this address by a foreign page (DNS rebinding). HTTP/1.0 is what proxies speak that are told
 * where to and no more, as nginx before 1.29.7: by its headers such a request comes from this machine.
 *
 * @throws HooshError `unauthenticated` over HTTP/1.0, which says what to do
 */
export function anonymousOnLoopback(request: SocketRequest): Identity | null {
  const { headers, socket } = request
  if (!LOOPBACK_ADDRESS.test(socket.remoteAddress ?? '')) return null
  if (isForwarded(headers)) return null
  const { ':authority': authority, host = authority, origin } = headers
  if (typeof host !== 'string' || !isLoopbackHost(host)) return null
  if (origin !== undefined && !(typeof origin === 'string' && isLoopbackOrigin(origin))) return null
  if (Number(request.req?.httpVersion ?? request.httpVersion) < 1.1) {
    throw new HooshError('unauthenticated', {
      message:
        'Without `identify` nobody is served over HTTP/1.0, since that is how a proxy asks for others. Give the mount `identify`.',
    })
  }
  return { user: 'anonymous', pool: 'default' }
}

/** `localhost`, names below it, and addresses of this machine, with a port or without. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_NAME.test(host.replace(/:\d{1,5}$/, ''))
}

/** `null`, which sandboxed pages and files send, is none. */
function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/([^/?#@]+)$/i.exec(origin)
  return match !== null && isLoopbackHost(match[1]!)
}
