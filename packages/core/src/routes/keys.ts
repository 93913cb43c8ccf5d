import { z } from 'zod'
import { stateOfKey } from '../identity/issued.js'
import { createKey, type FreshKey, type KeyDesk, keyOf, revokeKey, rotateKey } from '../identity/key-desk.js'
import type { KeyRecord } from '../identity/store.js'
import type { Engine } from '../inference/engine.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { modelName, poolName, strict, text } from './schemas.js'
import { validated } from './validate.js'

const DAY_S = 86_400
/** Longest that two secrets of a key are good side by side. */
const MOST_OVERLAP_S = 30 * DAY_S

const whole = (low: number, high: number) => {
  const error = `must be a whole number from ${low} to ${high}`
  return z.number({ error }).int({ error }).min(low, { error }).max(high, { error })
}
const count = whole(0, Number.MAX_SAFE_INTEGER).exactOptional()
const list = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item, { error: 'must be an array' })
    .min(1, { error: 'must not be empty' })
    .max(100, { error: 'must hold at most 100' })

/** A date is its first moment in UTC. A time without its zone would be another one on each server. */
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error: 'must be a date, or a time with its zone, ISO 8601',
  })
  .transform((text) => Date.parse(text))

const createBody = strict(
  {
    user: text(256).min(1, { error: 'must not be empty' }).exactOptional(),
    name: text(256).exactOptional(),
    pools: list(poolName).exactOptional(),
    models: list(modelName).exactOptional(),
    limits: strict(
      { requestsPerMinute: count, tokensPerMinute: count, concurrent: count },
      'an object of limits',
    ).exactOptional(),
    ip_ranges: list(text(64)).exactOptional(),
    expires_at: moment.exactOptional(),
  },
  'an object',
)

const rotateBody = strict({ overlap_seconds: whole(0, MOST_OVERLAP_S).default(DAY_S) }, 'an object')

const listQuery = z.object({
  user: text(256).exactOptional(),
  before: z
    .string()
    .regex(/^[0-9a-f-]{1,64}$/, { error: 'must be the id of a key' })
    .exactOptional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
})

/** Makes a key and shows it, this once. */
export const keysCreate: RouteDefinition = {
  method: 'POST',
  path: '/v1/keys',
  access: 'owner',
  async handle(exchange, engine) {
    const {
      ip_ranges: ipRanges,
      expires_at: expiresAt,
      ...ask
    } = validated(createBody, (await exchange.readJson()).value)
    const fresh = await createKey(deskOf(engine), exchange.caller, { ...ask, ipRanges, expiresAt })
    await note(engine, exchange, fresh.record, 'admin.key_created', 'A key was made.')
    return json(wireFresh(fresh, engine), exchange, 201)
  },
}

/** Keys, the newest first: the caller's own, everybody's for an admin. */
export const keysList: RouteDefinition = {
  method: 'GET',
  path: '/v1/keys',
  access: 'owner',
  async handle(exchange, engine) {
    const { caller, request } = exchange
    const { user, ...page } = validated(listQuery, Object.fromEntries(request.query))
    const whose = caller.admin ? user : caller.user
    const keys = await engine.storage.keys.list({ ...page, ...(whose !== undefined && { user: whose }) })
    const last = keys.length === page.limit ? keys.at(-1)?.id : undefined
    return json({ object: 'list', data: keys.map((key) => wireKey(key, engine)), next_before: last ?? null }, exchange)
  },
}

/** One key, without the text that opens it. */
export const keysGet: RouteDefinition = {
  method: 'GET',
  path: '/v1/keys/:id',
  access: 'owner',
  async handle(exchange, engine) {
    return json(wireKey(await keyOf(deskOf(engine), exchange.caller, exchange.params.id!), engine), exchange)
  },
}

/** Gives a key another text and shows it, this once; the one before is good for a while longer. */
export const keysRotate: RouteDefinition = {
  method: 'POST',
  path: '/v1/keys/:id/rotate',
  access: 'owner',
  async handle(exchange, engine) {
    const { overlap_seconds } = validated(rotateBody, (await exchange.readJson()).value)
    const fresh = await rotateKey(deskOf(engine), exchange.caller, exchange.params.id!, overlap_seconds * 1_000)
    await note(engine, exchange, fresh.record, 'admin.key_rotated', 'A key was given another secret.', {
      overlap_seconds,
    })
    return json(wireFresh(fresh, engine), exchange)
  },
}

/** Ends a key at once. */
export const keysRevoke: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/keys/:id',
  access: 'owner',
  async handle(exchange, engine) {
    const key = await revokeKey(deskOf(engine), exchange.caller, exchange.params.id!)
    await note(engine, exchange, key, 'admin.key_revoked', 'A key was revoked.')
    return json(wireKey(key, engine), exchange)
  },
}

function deskOf({ storage, clock, ids, random, settings }: Engine): KeyDesk {
  return { keys: storage.keys, clock, ids, random, rules: settings.keys }
}

/** Nothing here opens the key. */
function wireKey(key: KeyRecord, { clock }: Engine): Record<string, unknown> {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  const now = clock()
  const overlap = key.secrets[1]?.until ?? null
  return {
    id: key.id,
    object: 'key',
    name: key.name,
    user: key.user,
    status: stateOfKey(key, now),
    pools: key.pools,
    models: key.models ?? null,
    limits: key.limits ?? null,
    ip_ranges: key.ipRanges ?? null,
    created_at: time(key.createdAt),
    created_by: key.createdBy,
    expires_at: time(key.expiresAt),
    revoked_at: time(key.revokedAt),
    previous_secret_until: overlap !== null && overlap > now ? time(overlap) : null,
  }
}

function wireFresh({ record, text: key }: FreshKey, engine: Engine): Record<string, unknown> {
  return { ...wireKey(record, engine), key }
}

async function note(
  { audit }: Engine,
  { caller, requestId }: Exchange,
  { id, user, pools }: KeyRecord,
  event: string,
  message: string,
  more: { overlap_seconds?: number } = {},
): Promise<void> {
  const metadata = { key: id, pools: [...pools], user, ...more }
  await audit?.stage(audit.record({ event, level: 'warn', message, subject: caller.user, requestId, metadata }))
}
