import { z } from 'zod'
import { type Amount, type Capacity, isWhole, nanoUsdOf, nothing, usdText } from '../amount.js'
import { decide } from '../budget/grant.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { Ask, Grant, PoolAsk, PoolState, ReserveRequest, Settlement } from '../budget/store.js'
import { errorBody, errorReply } from '../error-body.js'
import { HooshError } from '../errors.js'
import type { GatewayReply } from '../exchange.js'
import type { Caller } from '../identity/caller.js'
import type { Engine } from '../inference/engine.js'
import { nameablePool } from '../inference/new-call.js'
import { tellOfPools } from '../inference/pool-events.js'
import { endReservation, type Holder, takeReservation } from '../inference/reservations.js'
import { asksOf, asUnknownRun, callerIn, RUN_HEADER } from '../inference/runs.js'
import { wirePool } from './pool-wire.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { idText, poolName, tokenCount, usd } from './schemas.js'
import { validated } from './validate.js'

/** Open reservations over the wire that one user may have. */
const MAX_OPEN = 100

const asked = z.looseObject({ pool: poolName.optional(), tokens: tokenCount.optional(), usd: usd.optional() })
const ttl = z
  .number({ error: 'must be 1 to 3600' })
  .int({ error: 'must be 1 to 3600' })
  .min(1, { error: 'must be 1 to 3600' })
  .max(3_600, { error: 'must be 1 to 3600' })
const reserveRequest = asked.extend({ ttl_seconds: ttl.default(600) })
const reportRequest = z.looseObject({
  pool: poolName.optional(),
  reservation_id: idText.optional(),
  reserved: tokenCount.optional(),
  actual: z
    .number({ error: 'must be a whole number of tokens' })
    .refine(isWhole, { error: 'must be a whole number of at least 0' })
    .optional(),
  actual_usd: z
    .union([z.number(), z.string()], { error: 'must be an amount of USD' })
    .transform(spentNanoUsd)
    .optional(),
})

const listQuery = z.object({ after: idText.optional() })

export const tokensCheck: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/check',
  access: 'identity',
  async handle(exchange, engine) {
    const wanted = validated(asked, (await exchange.readJson()).value)
    const { states } = await payingFor(engine, exchange, wanted.pool)
    const amount = cappedAmount(wanted, states[0]!)
    const { granted: allowed } = decide(exactly(amount), states)
    return json({ allowed, ...leftOnWire(tightestLeft(states)) }, exchange)
  },
}

export const tokensReserve: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/reserve',
  access: 'identity',
  async handle(exchange, engine) {
    const wanted = validated(reserveRequest, (await exchange.readJson()).value)
    const { caller, asks, states } = await payingFor(engine, exchange, wanted.pool)
    const id = engine.ids()
    const leaseMs = wanted.ttl_seconds * 1_000
    const request: ReserveRequest = {
      id,
      owner: caller.user,
      phase: 'reserved',
      pools: asks,
      ask: exactly(cappedAmount(wanted, states[0]!)),
      leaseMs,
      now: engine.clock(),
      onExpire: engine.settings.budget.onExpire,
      maxOpen: MAX_OPEN,
    }
    let grant: Grant
    try {
      grant = await takeReservation(engine, holderOf(exchange), request)
    } catch (error) {
      if (error instanceof HooshError && error.code === 'budget_exceeded') return refusal(error, states, exchange)
      throw asUnknownRun(engine, caller.runs, error)
    }
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
    if (said.actual === undefined && said.actual_usd === undefined) {
      throw new HooshError('invalid_request', {
        message: 'actual: is required: the tokens that were used',
        details: { param: 'actual' },
      })
    }
    const actual = { tokens: said.actual ?? 0, nanoUsd: said.actual_usd ?? 0 }
    const settlement = await (said.reservation_id === undefined
      ? settleOldest(engine, holderOf(exchange), said, actual)
      : settleNamed(engine, holderOf(exchange), { id: said.reservation_id, pool: said.pool }, actual))
    tellOfPools(engine, exchange.requestId, settlement, actual)
    const { pools } = settlement
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
    const { after } = validated(listQuery, Object.fromEntries(request.query))
    const all = await engine.storage.budgets.list({ limit: 1_000, now, ...(after === undefined ? {} : { after }) })
    const named = new Set(all.map(({ name }) => name))
    // His own that nobody has used stand first, since the last name of a page is where the next one begins.
    const unused = after === undefined ? own.filter(({ name }) => !named.has(name)) : []
    return json([...unused, ...all].map(wirePool), exchange)
  },
}

function exactly(fixed: Amount): Ask {
  return { fixed, each: nothing, floor: 0, wish: 0, atMost: 0 }
}

function holderOf({ caller, requestId }: Exchange): Holder {
  return { caller, requestId, via: 'http' }
}

/** What a reservation is taken from: the pool that is named or the caller's first, and the runs he is in. */
interface Paying {
  readonly caller: Caller
  readonly asks: readonly PoolAsk[]
  /** In the order of `asks`. */
  readonly states: readonly PoolState[]
}

/** @throws HooshError `pool_not_allowed`, `unknown_pool`, `unknown_run` */
async function payingFor(engine: Engine, { caller, request }: Exchange, pool: string | undefined): Promise<Paying> {
  const name = pool === undefined ? caller.pools[0]! : nameablePool(pool, caller)
  const paying = callerIn(engine, caller, request.header(RUN_HEADER))
  try {
    const asks = await asksOf(engine, paying, [name])
    return { caller: paying, asks, states: await engine.storage.budgets.read(asks, engine.clock()) }
  } catch (thrown) {
    throw asUnknownRun(engine, paying.runs, thrown)
  }
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

/** A refusal as every other, with what old clients read beside it. */
function refusal(error: HooshError, states: readonly PoolState[], exchange: Exchange): GatewayReply {
  const { available, availableUsd } = error.details
  const { tokens, nanoUsd } = tightestLeft(states)
  const usd = availableUsd ?? (nanoUsd === undefined ? undefined : usdText(nanoUsd))
  const more = {
    reserved: false,
    available: available ?? tokens ?? null,
    ...(usd !== undefined && { available_usd: usd }),
  }
  const reply = errorReply(error, exchange.requestId)
  return { ...reply, body: JSON.stringify({ ...more, ...errorBody(error) }) }
}

/** Ends the caller's own reservation over the wire by its id. */
async function settleNamed(
  engine: Engine,
  holder: Holder,
  { id, pool }: { readonly id: string; readonly pool: string | undefined },
  actual: Amount,
): Promise<Settlement> {
  const { budgets } = engine.storage
  const found = await budgets.find({ id })
  if (found === null || found.owner !== holder.caller.user || found.phase !== 'reserved') {
    throw new HooshError('not_held', {
      message: 'You have no reservation of this id.',
      details: { param: 'reservation_id' },
    })
  }
  if (pool !== undefined && !found.holds.some((hold) => hold.pool === pool)) {
    throw new HooshError('reservation_conflict', {
      message: `This reservation is not in the pool "${pool}".`,
      details: { param: 'pool' },
    })
  }
  return endReservation(engine, holder, { id, pool: found.holds[0]?.pool }, actual)
}

/**
 * As old clients do: ends the oldest reservation of that pool and amount. Several of them at once may find the same one:
 * it ends for one of them, and the others look for the next.
 */
async function settleOldest(
  engine: Engine,
  holder: Holder,
  said: { pool?: string | undefined; reserved?: number | undefined },
  actual: Amount,
): Promise<Settlement> {
  const { budgets } = engine.storage
  const { caller } = holder
  const { reserved, pool = caller.pools[0]! } = said
  if (reserved === undefined) {
    throw new HooshError('invalid_request', {
      message: 'reservation_id: is required (or `pool` and `reserved`, as they were reserved)',
      details: { param: 'reservation_id' },
    })
  }
  for (;;) {
    const found = await budgets.find({ owner: caller.user, pool, amount: { tokens: reserved } })
    if (found === null) {
      throw new HooshError('reservation_conflict', {
        message: `You have no open reservation of ${reserved} tokens in the pool "${pool}".`,
        details: { param: 'reserved' },
      })
    }
    try {
      const settlement = await endReservation(engine, holder, { id: found.id, pool }, actual)
      if (!settlement.repeated) return settlement
    } catch (error) {
      if (!(error instanceof HooshError && error.code === 'reservation_conflict')) throw error
    }
  }
}

function spentNanoUsd(usd: number | string, context: z.core.$RefinementCtx): number {
  const nano = nanoUsdOf(usd)
  if (nano !== null) return nano
  context.addIssue({ code: 'custom', message: 'must be an amount of USD with at most nine decimals' })
  return z.NEVER
}
