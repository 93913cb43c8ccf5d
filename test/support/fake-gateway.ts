import { asHooshError, type Gateway, type GatewayReply, type GatewayRequest, type HooshContext } from '@hoosh/core'
import { errorReply } from '../../packages/core/src/error-body.js'

type Answer = (request: GatewayRequest) => Promise<GatewayReply> | GatewayReply

/** A gateway whose routes are the test's own, so that a mount can be tested for what it alone does. */
export function fakeGateway(routes: Readonly<Record<string, Answer>>): Gateway {
  const context: Gateway['context'] = ({ identify }) => ({ identity: identify }) as HooshContext
  return {
    dev: false,
    noteMount() {},
    credentials: { key: async () => null, browserToken: async () => null },
    serves: ({ path }) => path in routes,
    async handle(request) {
      try {
        return await (routes[request.path] ?? notFound)(request)
      } catch (thrown) {
        return errorReply(asHooshError(thrown), 'req-1')
      }
    },
    context,
    as: (identity) => context({ identify: async () => identity }),
    ready: async () => undefined,
    close: async () => undefined,
  }
}

export function text(body: GatewayReply['body'], status = 200): GatewayReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body }
}

function notFound(): GatewayReply {
  return text('unknown', 404)
}
