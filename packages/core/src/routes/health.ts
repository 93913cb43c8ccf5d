import type { Engine } from '../inference/engine.js'
import { isPassable } from '../routing/circuit.js'
import { type Route, rests } from '../routing/route.js'
import { within } from '../time.js'
import { VERSION } from '../version.js'
import { type Exchange, json, type RouteDefinition } from './route.js'

/** How long the storage may take to answer, ms. */
const STORE_PATIENCE_MS = 250

/** Whether the gateway answers; who is known also learns what is behind it. */
export const health: RouteDefinition = {
  method: 'GET',
  path: '/v1/health',
  access: 'anyone',
  async handle(exchange, engine) {
    const more = (await isKnown(exchange))
      ? { version: VERSION, providers_configured: engine.router.routes.length }
      : {}
    return json({ status: 'ok', ...more }, exchange)
  },
}

/** The process is alive. */
export const healthLive: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/live',
  access: 'anyone',
  handle: (exchange) => json({ status: 'ok' }, exchange),
}

/** It can take calls: its storage answers and not every provider is failing. */
export const healthReady: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/ready',
  access: 'anyone',
  async handle(exchange, engine) {
    const isReady = (await storageAnswers(engine)) && someRoutePasses(engine)
    return json({ status: isReady ? 'ok' : 'unavailable' }, exchange, isReady ? 200 : 503)
  },
}

/** Every route and what calls have said of it. */
export const healthProviders: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/providers',
  access: 'admin',
  handle(exchange, engine) {
    const now = engine.clock()
    const rows = engine.router.routes.map((route) => ({
      provider: route.type,
      name: route.name,
      // Some providers take their key in the query.
      base_url: route.baseUrl.split('?', 1)[0],
      enabled: route.enabled,
      status: statusOf(route, now),
      consecutive_failures: failuresOf(route),
      latency_ms: route.latency.ms,
      ...(failuresOf(route) > 0 ? { last_error: 'The last calls of this provider failed.' } : {}),
    }))
    return json(rows, exchange)
  },
}

/** What the gateway is. */
export const root: RouteDefinition = {
  method: 'GET',
  path: '/',
  access: 'anyone',
  isRoot: true,
  async handle(exchange) {
    const more = (await isKnown(exchange)) ? { version: VERSION } : {}
    return json({ name: 'hoosh', status: 'ok', ...more }, exchange)
  },
}

/** Which version runs here is not for strangers. */
async function isKnown(exchange: Exchange): Promise<boolean> {
  return (await exchange.whoever().catch(() => null)) !== null
}

/** A storage that says nothing is down, too: whoever asks has a patience of his own. */
async function storageAnswers({ storage }: Engine): Promise<boolean> {
  const asked = async () => Boolean(await storage.budgets.overrides())
  return (await within(STORE_PATIENCE_MS, asked()).catch(() => null)) !== null
}

/** A route that only waits for its rates works; one whose keys are refused does not. */
function statusOf({ enabled, circuit, provider }: Route, now: number): 'disabled' | 'healthy' | 'unhealthy' {
  if (!enabled) return 'disabled'
  const isRefused = provider.rest?.why === 'refused' && rests(provider.rest, now)
  return isPassable(circuit, now) && !isRefused ? 'healthy' : 'unhealthy'
}

function failuresOf({ circuit, provider }: Route): number {
  return Math.max(circuit.failures, provider.rest?.refusals ?? 0)
}

function someRoutePasses(engine: Engine): boolean {
  const now = engine.clock()
  return engine.router.routes.some((route) => statusOf(route, now) === 'healthy')
}
