import type { Gateway, HooshContext } from '@hoosh/core'
import { fromNode, type MountOptions, type MountSettings, mount, writeReply } from '@hoosh/core/node'
import type { Context, Middleware } from 'koa'

declare module 'koa' {
  interface ExtendableContext {
    /** Model calls, budget and audit log of whoever sent this request. Set by `hoosh()`. */
    readonly hoosh: HooshContext
  }
}

/** What body parsers leave; not every host's types know it. */
type Parsed = Context['request'] & { readonly body?: unknown; readonly rawBody?: unknown }

/** The middleware, with the gateway it serves. */
export interface HooshMiddleware extends Middleware {
  readonly gateway: Gateway
}

/**
 * Koa 2 and 3. Answers the routes of hoosh below `/v1`; every other request goes on to the next middleware with
 * `ctx.hoosh` set.
 *
 * @param optionsOrGateway options of a gateway of its own, or one that several mounts share
 * @example
 * app.use(hoosh({ identify: (ctx) => ctx.state.user && { user: ctx.state.user.id } }))
 */
export function hoosh(gateway: Gateway, settings?: MountSettings<Context>): HooshMiddleware
// Last, since TypeScript tells a slip by what the last one says.
export function hoosh(options?: MountOptions<Context>): HooshMiddleware
export function hoosh(
  optionsOrGateway?: MountOptions<Context> | Gateway,
  settings?: MountSettings<Context>,
): HooshMiddleware {
  const { gateway, identify } = mount(optionsOrGateway, settings)
  // One descriptor for all requests: engines share its shape, and a request whose context nobody uses makes none.
  const lazy: PropertyDescriptor & ThisType<Context> = {
    configurable: true,
    get() {
      const context = gateway.context(
        fromNode(this.req, this.res, { identify: () => identify(this), hostAnswers: true }),
      )
      Object.defineProperty(this, 'hoosh', { configurable: true, value: context })
      return context
    },
  }
  const middleware: Middleware = async (ctx, next) => {
    Object.defineProperty(ctx, 'hoosh', lazy)
    const { body, rawBody }: Parsed = ctx.request
    const request = fromNode(ctx.req, ctx.res, {
      identify: () => identify(ctx),
      from: ctx,
      body: rawBody ?? body,
      mounted: ctx.mountPath !== undefined && ctx.url !== ctx.originalUrl, // koa-mount leaves its path set
    })
    if (!gateway.serves(request)) return next()
    ctx.respond = false
    await writeReply(ctx.res, await gateway.handle(request))
  }
  return Object.assign(middleware, { gateway })
}
