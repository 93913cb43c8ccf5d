import { z } from 'zod'
import { wirePoolTerms } from '../budget/spec.js'
import { HooshError } from '../errors.js'
import { creditPool, freezePool, MAX_PAGE, poolEntries, refundIn, setPool, stateOf } from '../inference/pool-admin.js'
import { wireEntry, wirePool } from './pool-wire.js'
import { json, type RouteDefinition } from './route.js'
import { idText, poolName, text, tokenCount, usd } from './schemas.js'
import { validated } from './validate.js'

const poolPath = z.object({ name: poolName })

/** Entries of one page where nobody says how many. */
const PAGE = 100

const givenId = z
  .string({ error: 'must be a text of 1 to 128 characters' })
  .regex(/^[\x21-\x7e]{1,128}$/, { error: 'must be 1 to 128 printable ASCII characters without blanks' })
const given = z.looseObject({
  id: givenId.optional(),
  tokens: tokenCount.optional(),
  usd: usd.optional(),
  note: text(500).nullish(),
})
const creditRequest = given.extend({
  expires_at: z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 time with its zone, or null' })
    .transform((text) => Date.parse(text))
    .nullish(),
})
const refundRequest = given.extend({
  reservation_id: z.string({ error: 'is required: the reservation that was charged' }).pipe(idText),
})
const pageQuery = z.object({
  limit: z.coerce
    .number({ error: `must be 1 to ${MAX_PAGE}` })
    .int({ error: `must be 1 to ${MAX_PAGE}` })
    .min(1, { error: `must be 1 to ${MAX_PAGE}` })
    .max(MAX_PAGE, { error: `must be 1 to ${MAX_PAGE}` })
    .default(PAGE),
  before: z
    .string()
    .regex(/^\d{1,16}([.-]\d{1,10})?$/, { error: 'must be the id of an entry, as `next` says it' })
    .optional(),
})

/** Sets a pool's terms, from now on and before any template. A body that only says `frozen` leaves all others as they are. */
export const putPool: RouteDefinition = {
  method: 'PUT',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const { value } = await exchange.readJson()
    const terms = wirePoolTerms(withoutNullCaps(value))
    if (Object.keys(value).join() === 'frozen') {
      return json(wirePool(await freezePool(engine, exchange, name, terms.frozen === true)), exchange)
    }
    checkCaps(value)
    await setPool(engine, exchange, name, terms)
    return json(wirePool(await stateOf(engine, { name, terms })), exchange)
  },
}

/** That a pool has no cap of a unit is said by null. */
function withoutNullCaps(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).filter(([name, value]) => value !== null || (name !== 'tokens' && name !== 'usd')),
  )
}

/** Whoever meant to change the window alone would lift both caps. */
function checkCaps({ tokens, usd }: Record<string, unknown>): void {
  if (tokens !== undefined || usd !== undefined) return
  throw new HooshError('invalid_request', {
    message: 'tokens: say the cap, `tokens`, `usd` or both; null for none. The body is all of the terms.',
    details: { param: 'tokens' },
  })
}

/** Takes a pool's own terms away: its template counts again. Its accounts stay as they are. */
export const deletePool: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    await setPool(engine, exchange, name, null)
    return json({ name, deleted: true }, exchange)
  },
}

/** What changed a pool, newest first: a page, and where the next one begins. */
export const poolHistory: RouteDefinition = {
  method: 'GET',
  path: '/v1/tokens/pools/:name/entries',
  access: 'identity',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const { query } = exchange.request
    const page = validated(pageQuery, {
      limit: query.get('limit') ?? undefined,
      before: query.get('before') ?? undefined,
    })
    const entries = await poolEntries(engine, exchange, name, page)
    const next = entries.length < page.limit ? null : entries.at(-1)!.id
    return json({ entries: entries.map(wireEntry), next }, exchange)
  },
}

/** Gives a credit: the same id is the same credit. */
export const creditsCreate: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/pools/:name/credits',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const {
      tokens = 0,
      usd: nanoUsd = 0,
      expires_at: expiresAt,
      id,
      note,
    } = validated(creditRequest, (await exchange.readJson()).value)
    const credit = { id: id ?? engine.ids(), amount: { tokens, nanoUsd }, expiresAt, note }
    const { pool, repeated } = await creditPool(engine, exchange, name, credit)
    return json({ id: credit.id, repeated, pool: wirePool(pool) }, exchange)
  },
}

/** Gives back of what a reservation was charged: the same id is the same refund. */
export const refundsCreate: RouteDefinition = {
  method: 'POST',
  path: '/v1/tokens/pools/:name/refunds',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const {
      tokens = 0,
      usd: nanoUsd = 0,
      reservation_id: reservation,
      id,
      note,
    } = validated(refundRequest, (await exchange.readJson()).value)
    const refund = { id: id ?? engine.ids(), amount: { tokens, nanoUsd }, reservation, note }
    const { pools, repeated } = await refundIn(engine, exchange, name, refund)
    return json({ id: refund.id, repeated, pools: pools.map(wirePool) }, exchange)
  },
}
