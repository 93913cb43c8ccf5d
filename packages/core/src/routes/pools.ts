import { z } from 'zod'
import type { AuditRecord } from '../audit/store.js'
import { wirePoolTerms } from '../budget/spec.js'
import type { PoolTerms } from '../budget/terms.js'
import { keepStaged } from '../inference/audit-staging.js'
import type { Engine } from '../inference/engine.js'
import { wirePool } from './pool-wire.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { poolName } from './schemas.js'
import { validated } from './validate.js'

const poolPath = z.object({ name: poolName })

/** Sets a pool's terms, from now on and before any template. */
export const putPool: RouteDefinition = {
  method: 'PUT',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const terms = wirePoolTerms((await exchange.readJson()).value)
    await define(engine, exchange, name, terms)
    const [state] = await engine.storage.budgets.read([{ name, terms }], engine.clock())
    return json(wirePool(state!), exchange)
  },
}

/** Takes a pool's own terms away: its template counts again. Its accounts stay as they are. */
export const deletePool: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    await define(engine, exchange, name, null)
    return json({ name, deleted: true }, exchange)
  },
}

async function define(engine: Engine, exchange: Exchange, name: string, terms: PoolTerms | null): Promise<void> {
  const { audit, storage } = engine
  const record: AuditRecord | undefined = audit?.record({
    event: terms === null ? 'admin.pool_deleted' : 'admin.pool_set',
    level: 'warn',
    message:
      terms === null ? `The terms of the pool "${name}" were removed.` : `The terms of the pool "${name}" were set.`,
    subject: exchange.caller.user,
    pool: name,
    requestId: exchange.requestId,
    metadata: terms === null ? {} : { tokens: terms.capacity.tokens ?? null, nano_usd: terms.capacity.nanoUsd ?? null },
  })
  await storage.budgets.define(name, terms, record === undefined ? undefined : { audit: [record] })
  engine.pools.noteOverride(name, terms)
  if (record !== undefined) await keepStaged(engine, record)
}
