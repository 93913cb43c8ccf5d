import type { IncomingMessage, ServerResponse } from 'node:http'
import { createGateway } from './gateway.js'
import type { Gateway, HooshContext } from './host.js'
import { fromNode } from './http/node-bridge.js'
import { writeReply } from './http/node-reply.js'
import { ask } from './identity/ask.js'
import { anonymousOnLoopback, type SocketRequest } from './identity/loopback.js'
import type { HooshOptions, Identify } from './options.js'

export type { NodeRequestFacts } from './http/node-bridge.js'
export type { SocketRequest } from './identity/loopback.js'
export { fromNode, writeReply }

/** What belongs to one mount of a gateway rather than to the gateway. */
export interface MountSettings<Request> {
  /** Who is calling. Without it only callers on this machine are served, as `anonymous`. */
  identify?: Identify<Request>
}

/** Options of a gateway and of its only mount. */
export type MountOptions<Request> = HooshOptions & MountSettings<Request>

/** A gateway, and who calls it by way of this mount. */
export interface Mount<Request> {
  readonly gateway: Gateway
  readonly identify: Identify<Request>
}

/**
 * What every mount begins with: the gateway it was given, or one of its own made from options, and who decides who calls.
 *
 * @throws HooshError `invalid_options`
 */
export function mount<Request extends SocketRequest>(
  optionsOrGateway: MountOptions<Request> | Gateway | undefined,
  settings: MountSettings<Request> = {},
): Mount<Request> {
  if (optionsOrGateway !== undefined && 'handle' in optionsOrGateway) {
    return { gateway: optionsOrGateway, identify: settings.identify ?? anonymousOnLoopback }
  }
  const { identify = settings.identify ?? anonymousOnLoopback, ...options } = optionsOrGateway ?? {}
  return { gateway: createGateway(optionsOrGateway && options), identify }
}

/** A handler for `http.createServer`. */
export interface NodeHandler {
  (req: IncomingMessage, res: ServerResponse): void
  readonly gateway: Gateway
  /** What the host's own code uses for the caller of a request that it answers itself. */
  context(req: IncomingMessage): HooshContext
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
  const context = (req: IncomingMessage) => gateway.context({ identify: () => ask(() => identify(req)) })
  return Object.assign(handler, { gateway, context })
}
