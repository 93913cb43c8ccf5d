import { cancel, follow } from './cancel.js'
import type { Gateway, HooshContext } from './host.js'
import { STALL_MS } from './http/node-reply.js'
import { fromWeb, toResponse } from './http/web-bridge.js'
import { ask } from './identity/ask.js'
import { anonymousInDev } from './identity/no-socket.js'
import { type MountOptions, type MountSettings, mountWith } from './mount.js'

/** What belongs to one mount for web requests. */
export interface FetchSettings extends MountSettings<Request> {
  /**
   * Told of each request's work until its call is settled, which outlasts the answer where its reader leaves. For hosts
   * that freeze a function once it has answered; the promise never rejects.
   */
  waitUntil?(work: Promise<void>): void
}

const NOBODY =
  'No mount has `identify`: every call is 401. Say who calls: `identify: (request) => ({ user: ... })`, or `dev: true` on a machine that only you reach.'

/** Answers web requests: for Hono, Bun, Deno, SvelteKit, and whatever else hands over a `Request`. */
export interface FetchHandler {
  (request: Request): Promise<Response>
  readonly gateway: Gateway
  /** What the host's own code uses for the caller of a request that it answers itself. */
  context(request: Request): HooshContext
}

/**
 * Serves a gateway where requests and responses are the web's. A path it does not know is a JSON 404. No socket is seen
 * here, so without `identify` (or `dev: true`) every call is 401.
 *
 * @example
 * const handler = toFetchHandler(gateway, { identify: async (request) => userOf(await session(request)) })
 * app.all('/v1/*', (c) => handler(c.req.raw))
 */
export function toFetchHandler(
  optionsOrGateway?: MountOptions<Request> | Gateway,
  settings: FetchSettings = {},
): FetchHandler {
  const { gateway, identify } = mountWith(optionsOrGateway, settings, {
    anonymous: anonymousInDev,
    warning: ({ dev }) => (dev ? null : NOBODY),
    knows: ['identify', 'waitUntil'],
  })
  const handler = async (request: Request): Promise<Response> => {
    const gone = cancel()
    const unfollow = follow(gone, [request])
    let finish = () => {}
    settings.waitUntil?.(new Promise((resolve) => (finish = resolve)))
    const ended = () => {
      unfollow()
      finish()
    }
    const asked = fromWeb(request, { identify: () => ask(() => identify(request)), signal: gone })
    return toResponse(await gateway.handle(asked), { method: request.method, gone, stallMs: STALL_MS, ended })
  }
  const context = (request: Request) =>
    gateway.context({ identify: () => ask(() => identify(request)), signal: request.signal })
  return Object.assign(handler, { gateway, context })
}
