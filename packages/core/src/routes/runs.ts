import { z } from 'zod'
import type { PoolState } from '../budget/store.js'
import { closeRun, openRun, readRun } from '../inference/runs.js'
import { wirePool } from './pool-wire.js'
import { json, type RouteDefinition } from './route.js'
import { strict } from './schemas.js'
import { validated } from './validate.js'

const HOUR_S = 3_600
const DAY_S = 24 * HOUR_S

const seconds = { error: `must be a whole number from 1 to ${DAY_S}` }
/** The caps are checked as those of a pool. */
const openBody = strict(
  {
    tokens: z.unknown().optional(),
    usd: z.unknown().optional(),
    ttl_seconds: z.number(seconds).int(seconds).min(1, seconds).max(DAY_S, seconds).default(HOUR_S),
  },
  'an object',
)

/** Opens a run of the caller's. */
export const runsOpen: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/runs',
  access: 'identity',
  async handle(exchange, engine) {
    const { ttl_seconds, ...caps } = validated(openBody, (await exchange.readJson()).value)
    const { id, expiresAt, state } = await openRun(engine, exchange, caps, ttl_seconds * 1_000)
    return json({ id, expires_at: new Date(expiresAt).toISOString(), ...figures(state) }, exchange, 201)
  },
}

/** How a run of the caller's stands. */
export const runsGet: RouteDefinition = {
  method: 'GET',
  path: '/v1/tokens/runs/:id',
  access: 'identity',
  async handle(exchange, engine) {
    const id = exchange.params.id!
    return json({ id, ...figures(await readRun(engine, exchange.caller, id)) }, exchange)
  },
}

/** Closes a run of the caller's, and says what it came to. */
export const runsClose: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/tokens/runs/:id',
  access: 'identity',
  async handle(exchange, engine) {
    const id = exchange.params.id!
    return json({ id, closed: true, ...figures(await closeRun(engine, exchange, id)) }, exchange)
  },
}

/** Of the pool what is the run's own: it has no window. */
function figures(state: PoolState): Record<string, unknown> {
  const { capacity, used, reserved, available, usd } = wirePool(state)
  return { capacity, used, reserved, available, ...(usd !== undefined && { usd }) }
}
