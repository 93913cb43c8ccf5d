import type { Gateway, HooshContext } from '@hoosh/core'
import { fromNode, type MountOptions, type MountSettings, mount, writeReply } from '@hoosh/core/node'
import type { Request, RequestHandler } from 'express'

declare global {
  namespace Express {
    interface Request {
      /** Model calls, budget and audit log of whoever sent this request. Set by `hoosh()`. */
      readonly hoosh: HooshContext
    }
  }
}

/** The middleware, with the gateway it serves. */
export interface HooshMiddleware extends RequestHandler {
  readonly gateway: Gateway
}

/**
 * Express 4 and 5. Answers the routes of hoosh below `/v1`; every other request goes on to `next()` with `req.hoosh` set.
 *
 * @param optionsOrGateway options of a gateway of its own, or one that several mounts share
 * @example
 * app.use(hoosh({ identify: (req) => req.user && { user: req.user.id } }))
 */
export function hoosh(gateway: Gateway, settings?: MountSettings<Request>): HooshMiddleware
// Last, since TypeScript tells a slip by what the last one says.
export function hoosh(options?: MountOptions<Request>): HooshMiddleware
export function hoosh(
  optionsOrGateway?: MountOptions<Request> | Gateway,
  settings?: MountSettings<Request>,
): HooshMiddleware {
  const { gateway, identify } = mount(optionsOrGateway, settings)
  // One descriptor for all requests: engines share its shape, and a request whose context nobody uses makes none.
  const lazy: PropertyDescriptor & ThisType<Request> = {
    configurable: true,
    get() {
      const context = gateway.context(fromNode(this, this.res!, { identify: () => identify(this), hostAnswers: true }))
      Object.defineProperty(this, 'hoosh', { configurable: true, value: context })
      return context
    },
  }
  const middleware: RequestHandler = async (req, res, next) => {
    const request = fromNode(req, res, {
      identify: () => identify(req),
      body: req.body,
      mounted: req.baseUrl !== '',
    })
    if (!gateway.serves(request)) {
      Object.defineProperty(req, 'hoosh', lazy)
      return next()
    }
    try {
      await writeReply(res, await gateway.handle(request))
    } catch (error) {
      next(error) // no answer could be written
    }
  }
  return Object.assign(middleware, { gateway })
}
