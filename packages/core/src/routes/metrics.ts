import type { GuardedRoute, RouteDefinition } from './route.js'

const handle: GuardedRoute['handle'] = async ({ requestId }, engine) => ({
  status: 200,
  headers: { 'content-type': engine.metrics.contentType, 'cache-control': 'no-store', 'x-request-id': requestId },
  body: await engine.metrics.text(),
})

/** Prometheus text of the gateway's registry. */
export const metrics: RouteDefinition = { method: 'GET', path: '/v1/metrics', access: 'scraper', handle }

/** The same where scrapers look first. */
export const rootMetrics: RouteDefinition = { method: 'GET', path: '/metrics', access: 'scraper', isRoot: true, handle }
