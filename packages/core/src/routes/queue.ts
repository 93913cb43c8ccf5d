import { json, type RouteDefinition } from './route.js'

/** Calls that wait for a place on a route, and those that have one: of routes with `concurrency`, in this process. */
export const queueStatus: RouteDefinition = {
  method: 'GET',
  path: '/v1/queue/status',
  access: 'admin',
  handle(exchange, engine) {
    const routes = engine.router.routes.flatMap(({ name, places }) =>
      places === undefined ? [] : [{ name, concurrency: places.limit, running: places.running, queued: places.queued }],
    )
    const queued = routes.reduce((sum, route) => sum + route.queued, 0)
    const processing = routes.reduce((sum, { running }) => sum + running, 0)
    return json({ queued, pending: queued, processing, routes }, exchange)
  },
}
