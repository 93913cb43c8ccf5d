import type { AuditRecord } from '../audit/store.js'
import type { JoinedBudgets } from '../budget/joining.js'
import type { Awaitable } from '../time.js'
import type { Engine } from './engine.js'
import { keeps } from './joint-step.js'

/** Stages a record, unless the steps of the ledger have kept it themselves: then the log is told of it. */
export function keepStaged(
  engine: Engine,
  record: AuditRecord,
  steps: JoinedBudgets = engine.storage.budgets,
): Awaitable<void> {
  return keeps(engine, 'audit', steps) ? engine.audit!.staged(record) : engine.audit!.stage(record)
}

/**
 * The same for the record of a hold that was just taken: what cannot be recorded is not held.
 *
 * @throws HooshError `store_unavailable`; the hold is released then
 */
export function keepBesideHold(
  engine: Engine,
  id: string,
  record: AuditRecord,
  steps: JoinedBudgets = engine.storage.budgets,
): Awaitable<void> {
  const giveBack = async (error: unknown) => {
    await steps.release(id)
    throw error
  }
  try {
    return keepStaged(engine, record, steps)?.catch(giveBack)
  } catch (error) {
    return giveBack(error)
  }
}
