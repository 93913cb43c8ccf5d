import { isIP } from 'node:net'

/** One header of a node, Express, Koa or web request. */
export function headerIn(request: unknown, name: string): string | undefined {
  const headers = recordIn(request, 'headers')
  const value = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name]
  return typeof value === 'string' ? value : undefined
}

/** What `Authorization: Bearer` carries; null where there is none. */
export function bearerIn(request: unknown): string | null {
  const match = /^bearer +(\S+) *$/i.exec(headerIn(request, 'authorization') ?? '')
  return match === null ? null : match[1]!
}

/** An object in a field of something; null where there is none. */
export function recordIn(holder: unknown, name: string): Record<string, unknown> | null {
  const value = (holder as Record<string, unknown> | null)?.[name]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
}

const FORWARDING = new Set(['forwarded', 'x-real-ip', 'via'])

/** Whether a header says that a proxy speaks for somebody else. */
export function isForwarded(headers: Readonly<Record<string, unknown>>): boolean {
  for (const name in headers) if (FORWARDING.has(name) || name.startsWith('x-forwarded-')) return true
  return false
}

/**
 * Whom a request is counted for: the client as the framework tells it (`ip` of Express and Koa, by the host's own setting
 * of proxies it trusts), else whoever holds the socket, whatever its headers say of somebody else. Sockets of the file
 * system have no address, so who comes by one is `local`.
 */
export function peerIn(request: unknown): string {
  const { ip } = request as { readonly ip?: unknown }
  if (typeof ip === 'string' && isIP(ip) !== 0) return ip
  const { remoteAddress } = recordIn(request, 'socket') ?? {}
  return typeof remoteAddress === 'string' ? remoteAddress : 'local'
}

/** The client's address; undefined where that is a proxy's, and where there is no socket: better none than another's. */
export function addressIn(request: unknown): string | undefined {
  const { remoteAddress } = recordIn(request, 'socket') ?? {}
  const address = peerIn(request)
  if (address === 'local') return undefined
  return address === remoteAddress && isForwarded(recordIn(request, 'headers') ?? {}) ? undefined : address
}
