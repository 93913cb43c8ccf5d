import type { Amount } from '../amount.js'
import type { AuditDetails, AuditRecord } from '../audit/store.js'
import { type HostTransaction, stepsIn } from '../budget/joining.js'
import type { Grant, ReserveRequest, Settlement } from '../budget/store.js'
import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import { keepBesideHold, keepStaged } from './audit-staging.js'
import type { Engine } from './engine.js'
import { reportExpired } from './expired.js'
import { keeps, keptBy } from './joint-step.js'
import { giveBackUnused } from './unused-hold.js'

/** Who holds an amount for work of their own, and by which request. */
export interface Holder {
  readonly caller: Caller
  readonly requestId: string
  /** Over the wire, or by the app in process. */
  readonly via: 'http' | 'host'
}

/**
 * Takes a reservation over the wire or of the host's, and records it: in the same step where the store can.
 *
 * A record that is kept in the host's transaction may be undone with it. So the chain is not told of it here, and finds it
 * in the store once that is committed.
 *
 * @throws HooshError as `BudgetStore.reserve`, or `store_unavailable` where it could not be recorded; nothing is held then;
 *   `invalid_options` for a transaction that cannot be joined
 */
export async function takeReservation(
  engine: Engine,
  holder: Holder,
  request: ReserveRequest,
  transaction?: HostTransaction,
): Promise<Grant> {
  const steps = stepsIn(engine.storage, transaction)
  const { id, pools, ask } = request
  const intent = recordOf(engine, holder, 'budget.reserved', 'An amount was reserved.', {
    reservation: id,
    pool: pools[0]?.name,
    metadata: { nano_usd: ask.fixed.nanoUsd, tokens: ask.fixed.tokens, via: holder.via },
  })
  const isJoint = keeps(engine, 'audit', steps)
  try {
    const grant = await steps.reserve(intent !== undefined && isJoint ? { ...request, intent } : request)
    await reportExpired(engine, grant.expired)
    if (intent !== undefined && !(isJoint && transaction !== undefined)) await keepBesideHold(engine, id, intent, steps)
    return grant
  } catch (error) {
    if (transaction === undefined) giveBackUnused(engine, id, error, intent)
    if (error instanceof HooshError && error.code !== 'store_unavailable') noteUnheld(engine, holder, request, error)
    throw error
  }
}

/**
 * Ends such a reservation, and records it in the same way.
 *
 * @param actual what was used; null gives all of it back
 * @throws HooshError as `BudgetStore.settle` and `release`; `invalid_options` for a transaction that cannot be joined
 */
export async function endReservation(
  engine: Engine,
  holder: Holder,
  { id, pool }: { readonly id: string; readonly pool: string | undefined },
  actual: Amount | null,
  transaction?: HostTransaction,
): Promise<Settlement> {
  const steps = stepsIn(engine.storage, transaction)
  const record =
    actual === null
      ? recordOf(engine, holder, 'budget.released', 'A reservation was given back.', {
          reservation: id,
          pool,
          metadata: { via: holder.via },
        })
      : recordOf(engine, holder, 'budget.settled', 'What was used of a reservation was reported.', {
          reservation: id,
          pool,
          metadata: { charged_nano_usd: actual.nanoUsd, charged_tokens: actual.tokens, via: holder.via },
        })
  const records = record && keptBy(engine, { audit: [record] }, steps)
  const settlement = await (actual === null ? steps.release(id, records) : steps.settle(id, actual, records))
  const isInTransaction = records !== undefined && transaction !== undefined
  if (record !== undefined && !settlement.repeated && !isInTransaction) await keepStaged(engine, record, steps)
  return settlement
}

function recordOf(
  { audit }: Engine,
  { caller, requestId }: Holder,
  event: string,
  message: string,
  { pool, reservation, metadata }: { pool: string | undefined; reservation: string; metadata: AuditDetails },
): AuditRecord | undefined {
  return audit?.record({
    event,
    level: 'info',
    message,
    subject: caller.user,
    ...(pool !== undefined && { pool }),
    reservation,
    requestId,
    metadata,
  })
}

function noteUnheld({ audit }: Engine, holder: Holder, { pools, ask }: ReserveRequest, error: HooshError): void {
  const [pool] = pools
  audit?.unheld({
    message: error.message,
    subject: holder.caller.user,
    ...(pool !== undefined && { pool: pool.name }),
    requestId: holder.requestId,
    metadata: { code: error.code, nano_usd: ask.fixed.nanoUsd, tokens: ask.fixed.tokens, via: holder.via },
  })
}
