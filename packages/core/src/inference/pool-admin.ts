import type { Amount } from '../amount.js'
import type { AuditRecord } from '../audit/store.js'
import type { CallRecords, Credited, Entry, PoolAsk, PoolState, Refunded } from '../budget/store.js'
import type { PoolTerms } from '../budget/terms.js'
import { HooshError, invalidField } from '../errors.js'
import { type Caller, UNPRINTABLE } from '../identity/caller.js'
import type { Awaitable } from '../time.js'
import { keepStaged } from './audit-staging.js'
import type { Engine } from './engine.js'
import { keptBy } from './joint-step.js'
import { nameablePool } from './new-call.js'

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
  const { budgets } = engine.storage
  await onRecord(engine, actor, name, { ...told, ...(metadata && { metadata }) }, (records) => {
    return budgets.define(name, terms, records)
  })
  engine.pools.noteOverride(name, terms)
}

/**
 * Freezes a pool or ends that, and leaves its other terms as they are: where a template says the same, it counts again.
 *
 * @throws HooshError `unknown_pool`
 */
export async function freezePool(engine: Engine, actor: Actor, name: string, frozen: boolean): Promise<PoolState> {
  checkGiven(name, {})
  const ask = await askFor(engine, actor, name)
  const told = {
    event: frozen ? 'admin.pool_frozen' : 'admin.pool_unfrozen',
    message: `The pool "${name}" was ${frozen ? 'frozen' : 'unfrozen'}.`,
  }
  const terms = await onRecord(engine, actor, name, told, (records) => {
    return engine.storage.budgets.freeze(ask, frozen, records)
  })
  engine.pools.noteOverride(name, terms)
  return stateOf(engine, ask)
}

/**
 * Gives a credit to a pool. Without an id of its own it is a new one, each time.
 *
 * @throws HooshError as `BudgetStore.credit`
 */
export async function creditPool(
  engine: Engine,
  actor: Actor,
  name: string,
  given: Given & CreditTerms,
): Promise<Credited> {
  checkGiven(name, given)
  const { amount, id = engine.ids(), note = null, expiresAt = null } = given
  const ask = await askFor(engine, actor, name)
  const metadata = {
    credit: id,
    ...amountWords(amount),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  }
  const told = { event: 'admin.pool_credited', message: `The pool "${name}" was given a credit.`, metadata }
  return onRecord(engine, actor, name, told, (records) => {
    return engine.storage.budgets.credit(ask, { id, amount, expiresAt, note }, engine.clock(), records)
  })
}

/**
 * Gives back of what a reservation was charged, in all its pools.
 *
 * @param name one of its pools, so that nobody gives back what he did not mean
 * @throws HooshError as `BudgetStore.refund`, and `not_held` where the reservation is none of this pool
 */
export async function refundIn(
  engine: Engine,
  actor: Actor,
  name: string,
  given: Given & { reservation: string },
): Promise<Refunded> {
  checkGiven(name, given)
  const { amount, id = engine.ids(), note = null, reservation } = given
  const { budgets } = engine.storage
  const found = await budgets.find({ id: reservation })
  if (!found?.holds.some(({ pool }) => pool === name)) {
    const message = `The pool "${name}" has no reservation "${reservation}".`
    throw new HooshError('not_held', { message, details: { param: 'reservation_id', retryable: false } })
  }
  const metadata = { refund: id, reservation, ...amountWords(amount) }
  const told = { event: 'admin.pool_refunded', message: `The pool "${name}" was given back of a charge.`, metadata }
  return onRecord(engine, actor, name, told, (records) => budgets.refund({ id, reservation, amount, note }, records))
}

/** Entries of one page at most. */
export const MAX_PAGE = 1_000

/** What is given to a pool, and by which id: without one it is new. */
export interface Given {
  readonly id?: string | undefined
  readonly amount: Amount
  readonly note?: string | null | undefined
}

/** Milliseconds since the epoch; for good without. */
export interface CreditTerms {
  readonly expiresAt?: number | null | undefined
}

/**
 * Entries of a pool that the caller may look at, newest first.
 *
 * @throws HooshError `pool_not_allowed`, `unknown_pool`
 */
export async function poolEntries(
  engine: Engine,
  actor: Actor,
  name: string,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<Entry[]> {
  nameablePool(name, actor.caller)
  const { limit, before } = page
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_PAGE))
    throw invalidField('limit', `must be 1 to ${MAX_PAGE}`)
  const entries = await engine.storage.budgets.entries(name, { limit, ...(before !== undefined && { before }) })
  // A pool that is no longer any has its history all the same.
  if (entries.length === 0) await stateOf(engine, await askFor(engine, actor, name))
  return entries
}

/** @throws HooshError `forbidden` */
export function checkAdmin({ admin }: Caller): void {
  if (admin) return
  throw new HooshError('forbidden', { message: 'Pools are changed by the role `admin` alone.' })
}

/** Lengths of texts, as over HTTP. An empty id would make one credit of all that come with it. */
const TEXTS = { id: [1, 128], note: [0, 500], reservation: [1, 256] } as const

/** What the host's own code gives, which no schema has looked at. */
function checkGiven(
  pool: string,
  given: Partial<Given> & { reservation?: string; expiresAt?: CreditTerms['expiresAt'] },
) {
  if (UNPRINTABLE.test(pool))
    throw invalidField('pool', 'must be a text without control characters and half surrogate pairs')
  for (const [param, [least, most]] of Object.entries(TEXTS)) {
    const text: unknown = given[param as keyof typeof TEXTS]
    if (text == null) continue
    const isText = typeof text === 'string' && text.length >= least && text.length <= most && !UNPRINTABLE.test(text)
    if (isText) continue
    throw invalidField(
      param,
      `must be a text of ${least} to ${most} characters without control characters and half surrogate pairs`,
    )
  }
  const { expiresAt } = given
  if (expiresAt != null && !Number.isSafeInteger(expiresAt)) throw invalidField('expiresAt', 'must be a valid Date')
}

function amountWords({ tokens, nanoUsd }: Amount): { tokens: number; nano_usd: number } {
  return { tokens, nano_usd: nanoUsd }
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

type Told = Pick<AuditRecord, 'event' | 'message' | 'metadata'>

/** Does what an admin wants in one step with its audit entry, where the store keeps both. */
async function onRecord<Result>(
  engine: Engine,
  { caller, requestId }: Actor,
  pool: string,
  told: Told,
  step: (records?: CallRecords) => Awaitable<Result>,
): Promise<Result> {
  const { audit } = engine
  if (audit === null) return step()
  const record = audit.record({ ...told, level: 'warn', subject: caller.user, pool, requestId })
  const result = await step(keptBy(engine, { audit: [record] }))
  await keepStaged(engine, record)
  return result
}
