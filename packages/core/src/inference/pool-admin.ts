import { isDeepStrictEqual } from 'node:util'
import type { AuditRecord } from '../audit/store.js'
import type { CallRecords, PoolAsk, PoolState } from '../budget/store.js'
import type { PoolTerms } from '../budget/terms.js'
import type { Caller } from '../identity/caller.js'
import type { Awaitable } from '../time.js'
import type { Engine } from './engine.js'

/** On whose behalf pools are changed, and in which request. */
export interface Actor {
  readonly caller: Caller
  readonly requestId: string
}

/** Sets a pool's terms, from now on and before any template; null takes them away again. */
export async function setPool(engine: Engine, actor: Actor, name: string, terms: PoolTerms | null): Promise<void> {
  const told =
    terms === null
      ? { event: 'admin.pool_deleted', message: `The terms of the pool "${name}" were removed.` }
      : { event: 'admin.pool_set', message: `The terms of the pool "${name}" were set.` }
  const metadata = terms && { tokens: terms.capacity.tokens ?? null, nano_usd: terms.capacity.nanoUsd ?? null }
  await define(engine, actor, name, terms, { ...told, ...(metadata && { metadata }) })
}

/**
 * Freezes a pool or ends that, and leaves its other terms as they are: where a template says the same, it counts again.
 *
 * @throws HooshError `unknown_pool`
 */
export async function freezePool(engine: Engine, actor: Actor, name: string, frozen: boolean): Promise<PoolState> {
  const ask = await askFor(engine, actor, name)
  const { frozen: _before, ...terms } = (await stateOf(engine, ask)).terms
  const unfrozen = isDeepStrictEqual(terms, ask.terms) ? null : terms
  await define(engine, actor, name, frozen ? { ...terms, frozen } : unfrozen, {
    event: frozen ? 'admin.pool_frozen' : 'admin.pool_unfrozen',
    message: `The pool "${name}" was ${frozen ? 'frozen' : 'unfrozen'}.`,
  })
  return stateOf(engine, ask)
}

/** @throws HooshError `unknown_pool` where neither a template nor an override says what the pool is */
export async function stateOf(engine: Engine, ask: PoolAsk): Promise<PoolState> {
  const [state] = await engine.storage.budgets.read([ask], engine.clock())
  return state!
}

async function askFor({ pools }: Engine, { caller }: Actor, name: string): Promise<PoolAsk> {
  const [ask] = await pools.asksFor([name], caller.identity)
  return ask!
}

async function define(engine: Engine, actor: Actor, name: string, terms: PoolTerms | null, told: Told): Promise<void> {
  const { budgets } = engine.storage
  await onRecord(engine, actor, name, told, (records) => budgets.define(name, terms, records))
  engine.pools.noteOverride(name, terms)
}

type Told = Pick<AuditRecord, 'event' | 'message' | 'metadata'>

/** Does what an admin wants in one step with its audit entry, where the store keeps both. */
async function onRecord<Result>(
  { audit, storage }: Engine,
  { caller, requestId }: Actor,
  pool: string,
  told: Told,
  step: (records?: CallRecords) => Awaitable<Result>,
): Promise<Result> {
  if (audit === null) return step()
  const record = audit.record({ ...told, level: 'warn', subject: caller.user, pool, requestId })
  const result = await step({ audit: [record] })
  await (storage.budgets.persists?.includes('audit') === true ? audit.staged(record) : audit.stage(record))
  return result
}
