import type { Engine } from '../inference/engine.js'
import { isPassable } from '../routing/circuit.js'
import { type Route, rests } from '../routing/route.js'
import { within } from '../time.js'
import { VERSION } from '../version.js'
import { json, type RouteDefinition } from './route.js'

/** How long the storage may take to answer, ms. */
const STORE_PATIENCE_MS = 250

/** That the process answers, whatever became of its storage; who is known also learns what is behind it. */
export const health: RouteDefinition = {
  method: 'GET',
  path: '/v1/health',
  access: 'anyone',
  async handle(exchange) {
    const engine = await exchange.engineIfKnown()
    const more = engine && { version: VERSION, providers_configured: engine.router.routes.length }
    return json({ status: 'ok', ...more }, exchange)
  },
}

/** The process is alive. Who restarts processes that are not asks this one, so it depends on nothing. */
export const healthLive: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/live',
  access: 'anyone',
  handle: (exchange) => json({ status: 'ok' }, exchange),
}

/** It can take calls: it has started and does not close, its storage answers, and not every provider is failing. */
export const healthReady: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/ready',
  access: 'anyone',
  async handle(exchange) {
    const engine = await exchange.engine()
    const isReady = engine !== null && (await storageAnswers(engine)) && someRoutePasses(engine)
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
      base_url: addressOf(route),
      enabled: route.enabled,
      status: statusOf(route, now),
      healthy: statusOf(route, now) === 'healthy',
      consecutive_failures: failuresOf(route),
      latency_ms: route.latency.ms,
      ...(failuresOf(route) > 0 ? { last_error: 'The last calls of this provider failed.' } : {}),
    }))
    return json(rows, exchange)
  },
}

/** Nodes of models as calls and probes find them: failing is suspect, left alone is offline. No GPU is known to the core. */
export const healthHeartbeat: RouteDefinition = {
  method: 'GET',
  path: '/v1/health/heartbeat',
  access: 'admin',
  handle(exchange, engine) {
    const now = engine.clock()
    const nodes = engine.router.routes
      .filter(({ enabled }) => enabled)
      .map((route) => ({ id: `${route.type}:${addressOf(route)}`, name: route.name, status: beatOf(route, now) }))
    const count = (status: string) => nodes.filter((node) => node.status === status).length
    return json(
      {
        total_nodes: nodes.length,
        online: count('online'),
        suspect: count('suspect'),
        offline: count('offline'),
        total_gpus: 0,
        total_vram_mb: 0,
        available_vram_mb: 0,
        nodes,
      },
      exchange,
    )
  },
}

function beatOf(route: Route, now: number): 'online' | 'suspect' | 'offline' {
  if (statusOf(route, now) === 'unhealthy') return 'offline'
  return failuresOf(route) > 0 ? 'suspect' : 'online'
}

/** What the gateway is. */
export const root: RouteDefinition = {
  method: 'GET',
  path: '/',
  access: 'anyone',
  isRoot: true,
  async handle(exchange) {
    const more = (await exchange.engineIfKnown()) && { version: VERSION }
    return json({ name: 'hoosh', status: 'ok', ...more }, exchange)
  },
}

/** A storage that says nothing is down, too: whoever asks has a patience of his own. */
async function storageAnswers({ storage }: Engine): Promise<boolean> {
  const asked = async () => Boolean(await storage.budgets.overrides())
  return (await within(STORE_PATIENCE_MS, asked()).catch(() => null)) !== null
}

/** Some providers take their key in the query. */
function addressOf({ baseUrl }: Route): string {
  return baseUrl.split('?', 1)[0]!
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
