import { checkShape } from '../config/check.js'
import { type Every, fields, fn } from '../config/option-kinds.js'
import { HooshError } from '../errors.js'
import type { Gateway } from '../host.js'
import type { Identify, Identity } from '../options.js'
import type { Awaitable } from '../time.js'
import { addressIn, bearerIn } from './request-facts.js'

/** What the host adds to what a key says. */
export interface VirtualKeyOptions<Request> {
  /**
   * Whether a key may still be used: its user may have left, or been moved to another team, since it was made. Asked
   * with each request.
   */
  allow?(identity: Identity, request: Request): Awaitable<boolean>
  /** The client's address, for keys that are bound to some; by default `ip` of the framework, else the socket's. */
  address?(request: Request): string | undefined
}

const keyRules = fields({ allow: fn.optional(), address: fn.optional() } satisfies Every<VirtualKeyOptions<unknown>>)

/**
 * Keys that hoosh has issued (`POST /v1/keys`), sent as `Authorization: Bearer hoosh_...`. Nobody for any other token, so
 * that `firstOf(virtualKeys(), ...)` goes on.
 *
 * @throws HooshError `invalid_options`; when a request comes: `store_unavailable`, `invalid_options` where no gateway was
 *   handed on
 */
export function virtualKeys<Request = unknown>(options: VirtualKeyOptions<Request> = {}): Identify<Request> {
  checkShape(keyRules, options, "`virtualKeys`'s argument", ' of `virtualKeys`')
  return async (request, gateway) => {
    const text = bearerIn(request)
    if (text === null || !text.startsWith('hoosh_')) return null
    const { credentials } = askedBy(gateway, 'virtualKeys')
    const address = (options.address ?? addressIn)(request)
    const identity = await credentials.key(text, { address })
    if (identity === null || options.allow === undefined) return identity
    return (await options.allow(identity, request)) ? identity : null
  }
}

/** The gateway that a mount hands to its `identify`. */
export function askedBy(gateway: Gateway | undefined, resolver: string): Gateway {
  if (gateway !== undefined) return gateway
  throw new HooshError('invalid_options', {
    message: `\`${resolver}()\` was called without the gateway. Hand on both arguments: \`identify: (request, gateway) => keys(request, gateway)\`.`,
  })
}
