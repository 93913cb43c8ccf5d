import type { BudgetStore, CallRecords } from '../budget/store.js'
import type { Engine } from './engine.js'

/** Steps of a ledger, which may write to stores beside it. */
type Steps = Pick<BudgetStore, 'persists'>

/** Whether steps of the ledger write records of this kind themselves, into the very store that the gateway has for it. */
export function keeps({ storage }: Engine, kind: 'usage' | 'audit', steps: Steps = storage.budgets): boolean {
  return steps.persists?.[kind] === storage[kind]
}

/** The records that a step is to keep; undefined where it keeps none. */
export function keptBy(engine: Engine, records: CallRecords, steps?: Steps): CallRecords | undefined {
  const { usage, audit } = records
  const isJoint = { usage: keeps(engine, 'usage', steps), audit: keeps(engine, 'audit', steps) }
  if (isJoint.usage && isJoint.audit) return records
  if (isJoint.usage) return usage && { usage }
  return isJoint.audit && audit !== undefined ? { audit } : undefined
}
