import type { AuditRecord } from '../audit/store.js'
import type { Awaitable } from '../time.js'
import type { Engine } from './engine.js'

/** Stages a record that was given to the budget store too, which has kept it in a step of its own where it can. */
export function keepStaged({ storage, audit }: Engine, record: AuditRecord): Awaitable<void> {
  return storage.budgets.persists?.includes('audit') === true ? audit!.staged(record) : audit!.stage(record)
}

/**
 * The same for the record of a hold that was just taken: what cannot be recorded is not held.
 *
 * @throws HooshError `store_unavailable`; the hold is released then
 */
export function keepBesideHold(engine: Engine, id: string, record: AuditRecord): Awaitable<void> {
  const giveBack = async (error: unknown) => {
    await engine.storage.budgets.release(id)
    throw error
  }
  try {
    return keepStaged(engine, record)?.catch(giveBack)
  } catch (error) {
    return giveBack(error)
  }
}
