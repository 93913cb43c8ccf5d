import { HooshError } from '../errors.js'
import type { BudgetStore } from './store.js'

/** What the host has open of its own: which objects those are, the store says. */
export type HostTransaction = object

/** Steps that are part of a transaction of the host's. */
export type JoinedBudgets = Pick<BudgetStore, 'persists' | 'reserve' | 'settle' | 'release'>

/** What a store can do besides, whose tables stand in the host's own database. */
export interface JoinsTransactions {
  /**
   * The same steps on the host's connection, inside the transaction that it has open there: they count once the host
   * commits, and never happened if it rolls back. What a step holds, nobody else gets while the transaction is open.
   *
   * A refusal changes nothing and leaves the transaction as it was; so does an error, unless the database has ended it.
   * Steps of one transaction are done one after the other. Intents and records are kept in the same step, in the stores that
   * the joined steps `persists`.
   *
   * @throws HooshError `invalid_options` for what is no open transaction on the store's database
   */
  join(transaction: HostTransaction): JoinedBudgets
}

/**
 * The steps of a store, inside the host's transaction where there is one.
 *
 * @throws HooshError `invalid_options` where the store joins none
 */
export function stepsIn(
  { budgets, describe }: { readonly budgets: BudgetStore; readonly describe?: string },
  transaction: HostTransaction | undefined,
): JoinedBudgets {
  if (transaction === undefined) return budgets
  if (budgets.join !== undefined) return budgets.join(transaction)
  const where = describe === undefined ? 'a storage' : `a storage (${describe})`
  const message = `transaction: budgets are kept in ${where} that joins none of yours, as @hoosh/sql does; leave it out.`
  throw new HooshError('invalid_options', { message, details: { param: 'transaction' } })
}
