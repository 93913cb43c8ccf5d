import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway, HooshContext } from './host.js'
import { fromNode } from './http/node-bridge.js'
import { writeReply } from './http/node-reply.js'
import { ask } from './identity/ask.js'
import { anonymousOnLoopback, type SocketRequest } from './identity/loopback.js'
import { type Mount, type MountOptions, type MountSettings, mountWith } from './mount.js'

export type { NodeRequestFacts } from './http/node-bridge.js'
export type { SocketRequest } from './identity/loopback.js'
export type { Mount, MountOptions, MountSettings } from './mount.js'
export { fromNode, writeReply }

const ONLY_HERE =
  'No mount has `identify`: only callers on this machine are served, as `anonymous`; all others get 401. Say who calls: `identify: (req) => req.user && { user: req.user.id }`.'

/**
 * What every mount on Node begins with: the gateway it was given, or one of its own made from options, and who decides
 * who calls. Without `identify` only callers on this machine are served, as `anonymous`.
 *
 * @throws HooshError `invalid_options`
 */
export function mount<Request extends SocketRequest>(
  optionsOrGateway: MountOptions<Request> | Gateway | undefined,
  settings: MountSettings<Request> = {},
): Mount<Request> {
  return mountWith(optionsOrGateway, settings, {
    anonymous: () => anonymousOnLoopback,
    warning: () => ONLY_HERE,
  })
}

/** A handler for `http.createServer`. */
export interface NodeHandler {
  (req: IncomingMessage, res: ServerResponse): void
  readonly gateway: Gateway
  /** What the host's own code uses for the caller of a request that it answers itself; with `res` a client that leaves ends its calls. */
  context(req: IncomingMessage, res?: ServerResponse): HooshContext
}

/**
 * Serves a gateway on `node:http`. A path it does not know is a JSON 404.
 *
 * @example
 * http.createServer(toNodeHandler(gateway, { identify: bearerTokens([{ token, user: 'ci' }]) }))
 */
export function toNodeHandler(
  optionsOrGateway?: MountOptions<IncomingMessage> | Gateway,
  settings?: MountSettings<IncomingMessage>,
): NodeHandler {
  const { gateway, identify } = mount(optionsOrGateway, settings)
  const handler = async (req: IncomingMessage, res: ServerResponse) => {
    try {
      await writeReply(res, await gateway.handle(fromNode(req, res, { identify: () => identify(req) })))
    } catch (error) {
      res.destroy(error as Error) // no answer could be written
    }
  }
  const context = (req: IncomingMessage, res?: ServerResponse) =>
    res === undefined
      ? gateway.context({ identify: () => ask(() => identify(req)) })
      : gateway.context(fromNode(req, res, { identify: () => identify(req), hostAnswers: true }))
  return Object.assign(handler, { gateway, context })
}
