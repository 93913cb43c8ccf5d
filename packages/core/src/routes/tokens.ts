import { z } from 'zod'
import { type Amount, type Capacity, nanoUsdOf, usdText } from '../amount.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { PoolAsk, PoolState, Reservation } from '../budget/store.js'
import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { Engine } from '../inference/engine.js'
import { reportExpired } from '../inference/expired.js'
import { nameablePool } from '../inference/new-call.js'
import { wirePool } from './pool-wire.js'
import { json, type RouteDefinition } from './route.js'
import { poolName, tokenCount } from './schemas.js'
import { validated } from './validate.js'

/** Open reservations over the wire that one user may have. */
const MAX_OPEN = 100

const usd = z.union([z.number(), z.string()], { error: 'must be an amount of USD' }).transform((value, context) => {
  const nano = nanoUsdOf(value)
  if (nano !== null && nano > 0) return nano
  context.addIssue({ code: 'custom', message: 'must be more than 0, with at most nine decimals' })
  return z.NEVER
})

const asked = z.looseObject({ pool: poolName.optional(), tokens: tokenCount.optional(), usd: usd.optional() })
const ttl = z
  .number({ error: 'must be 1 to 3600' })
  .int({ error: 'must be 1 to 3600' })
  .min(1, { error: 'must be 1 to 3600' })
  .max(3_600, { error: 'must be 1 to 3600' })
const reserveRequest = asked.extend({ ttl_seconds: ttl.default(600) })
const reportRequest = z.looseObject({
  pool: poolName.optional(),
  reservation_id: z.string().optional(),
  reserved: tokenCount.optional(),
  actual: z
    .number({ error: 'must be a whole number of tokens' })
    .refine((n) => Number.isSafeInteger(n) && n >= 0, { error: 'must be a whole number of at least 0' })
    .optional(),
  actual_usd: z.union([z.number(), z.string()]).optional(),
})

export const tokensCheck: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/check',
  access: 'identity',
  async handle(exchange, engine) {
    const wanted = validated(asked, (await exchange.readJson()).value)
    const state = await stateOf(engine, exchange.caller, wanted.pool)
    const amount = cappedAmount(wanted, state)
    const left = tightestLeft([state])
    const allowed = amount.tokens <= (left.tokens ?? Infinity) && amount.nanoUsd <= (left.nanoUsd ?? Infinity)
    return json({ allowed, ...leftOnWire(left) }, exchange)
  },
}

export const tokensReserve: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/reserve',
  access: 'identity',
  async handle(exchange, engine) {
    const wanted = validated(reserveRequest, (await exchange.readJson()).value)
    const { caller } = exchange
    const state = await stateOf(engine, caller, wanted.pool)
    const id = engine.ids()
    const leaseMs = wanted.ttl_seconds * 1_000
    const grant = await engine.storage.budgets.reserve({
      id,
      owner: caller.user,
      phase: 'reserved',
      pools: [await askFor(engine, caller, state.name)],
      ask: { fixed: cappedAmount(wanted, state), each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
      leaseMs,
      now: engine.clock(),
      onExpire: engine.settings.budget.onExpire,
      maxOpen: MAX_OPEN,
    })
    await reportExpired(engine, grant.expired)
    const expires = new Date(engine.clock() + leaseMs).toISOString()
    return json(
      { reserved: true, ...leftOnWire(tightestLeft(grant.pools)), reservation_id: id, expires_at: expires },
      exchange,
    )
  },
}

export const tokensReport: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/report',
  access: 'identity',
  async handle(exchange, engine) {
    const said = validated(reportRequest, (await exchange.readJson()).value)
    const { caller } = exchange
    if (said.pool !== undefined) nameablePool(said.pool, caller)
    const reservation = await ownReservation(engine, caller, said)
    const actual = { tokens: said.actual ?? 0, nanoUsd: actualNanoUsd(said.actual_usd) }
    if (said.actual === undefined && said.actual_usd === undefined) {
      throw new HooshError('invalid_request', {
        message: 'actual: is required: the tokens that were used',
        details: { param: 'actual' },
      })
    }
    const { pools } = await engine.storage.budgets.settle(reservation.id, actual)
    const [state] = pools
    return json({ used: state?.used.tokens ?? 0, ...leftOnWire(tightestLeft(pools)) }, exchange)
  },
}

export const tokensPools: RouteDefinition = {
  method: 'GET',
  path: '/v1/tokens/pools',
  access: 'identity',
  async handle(exchange, engine) {
    const { caller, request } = exchange
    const now = engine.clock()
    const asks = await engine.pools.asksFor(caller.pools, caller.identity)
    const own = await engine.storage.budgets.read(asks, now)
    if (!caller.admin) return json(own.map(wirePool), exchange)
    const after = request.query.get('after') ?? undefined
    const all = await engine.storage.budgets.list({ limit: 1_000, now, ...(after === undefined ? {} : { after }) })
    const named = new Set(all.map(({ name }) => name))
    return json(
      [...all, ...(after === undefined ? own.filter(({ name }) => !named.has(name)) : [])].map(wirePool),
      exchange,
    )
  },
}

async function stateOf(engine: Engine, caller: Caller, pool: string | undefined): Promise<PoolState> {
  const name = pool === undefined ? caller.pools[0]! : nameablePool(pool, caller)
  const [state] = await engine.storage.budgets.read([await askFor(engine, caller, name)], engine.clock())
  return state!
}

async function askFor(engine: Engine, caller: Caller, name: string): Promise<PoolAsk> {
  const [ask] = await engine.pools.asksFor([name], caller.identity)
  return ask!
}

/** What is asked, which has to name at least one unit that the pool caps. */
function cappedAmount(
  wanted: { tokens?: number | undefined; usd?: number | undefined },
  { name, terms }: PoolState,
): Amount {
  const caps = terms.capacity
  const isCapped =
    (wanted.tokens !== undefined && caps.tokens !== undefined) ||
    (wanted.usd !== undefined && caps.nanoUsd !== undefined)
  const capsNothing = caps.tokens === undefined && caps.nanoUsd === undefined
  const namesOne = wanted.tokens !== undefined || wanted.usd !== undefined
  if (!namesOne || !(isCapped || capsNothing)) {
    const units = [caps.tokens === undefined ? [] : ['`tokens`'], caps.nanoUsd === undefined ? [] : ['`usd`']].flat()
    throw new HooshError('invalid_request', {
      message: `tokens: the pool "${name}" is counted in ${units.join(' and ') || '`tokens`'}; say how many.`,
      details: { param: 'tokens' },
    })
  }
  return { tokens: wanted.tokens ?? 0, nanoUsd: wanted.usd ?? 0 }
}

function leftOnWire(left: Capacity): { available: number | null; available_usd?: string } {
  return {
    available: left.tokens ?? null,
    ...(left.nanoUsd === undefined ? {} : { available_usd: usdText(left.nanoUsd) }),
  }
}

/** The caller's own reservation over the wire: by id, or as old clients do by pool and amount, the oldest one. */
async function ownReservation(
  engine: Engine,
  caller: Caller,
  said: z.infer<typeof reportRequest>,
): Promise<Reservation> {
  const { budgets } = engine.storage
  if (said.reservation_id !== undefined) {
    const found = await budgets.find({ id: said.reservation_id })
    if (found === null || found.owner !== caller.user || found.phase !== 'reserved') {
      throw new HooshError('not_held', { details: { param: 'reservation_id' } })
    }
    if (said.pool !== undefined && !found.holds.some(({ pool }) => pool === said.pool)) {
      throw new HooshError('reservation_conflict', {
        message: `This reservation is not in the pool "${said.pool}".`,
        details: { param: 'pool' },
      })
    }
    return found
  }
  if (said.reserved === undefined) {
    throw new HooshError('invalid_request', {
      message: 'reservation_id: is required (or `pool` and `reserved`, as they were reserved)',
      details: { param: 'reservation_id' },
    })
  }
  const pool = said.pool ?? caller.pools[0]!
  const found = await budgets.find({ owner: caller.user, pool, amount: { tokens: said.reserved } })
  if (found !== null) return found
  throw new HooshError('reservation_conflict', {
    message: `You have no open reservation of ${said.reserved} tokens in the pool "${pool}".`,
    details: { param: 'reserved' },
  })
}

function actualNanoUsd(usd: number | string | undefined): number {
  if (usd === undefined) return 0
  const nano = nanoUsdOf(usd)
  if (nano !== null) return nano
  throw new HooshError('invalid_request', {
    message: 'actual_usd: must be an amount of USD with at most nine decimals',
    details: { param: 'actual_usd' },
  })
}
