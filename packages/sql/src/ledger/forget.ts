import type { Dialect } from '../dialect.js'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'

/**
 * Takes a pool off the list, in a transaction that has locked it. Where something was ever held in it its rows stay until
 * retention has dropped its entries: a pool that nobody knows the terms of is listed nowhere, and takes nothing.
 *
 * @returns whether nothing is held in it; else only its override has gone
 */
export function poolForgetter(dialect: Dialect, { pools, holds, accounts }: Tables) {
  const end = statement<{ template: unknown }>(
    dialect,
    `update ${pools} set override = null,
      template = case when exists (select 1 from ${holds} where pool = ? and state = 'held') then template end
      where name = ? returning template`,
  )
  const dropUnused = statement<never>(
    dialect,
    `delete from ${pools} where name = ? and template is null and override is null and credit_entry = 0
      and not exists (select 1 from ${accounts} where pool = ?)`,
  )
  return async (runner: Runner, pool: string): Promise<boolean> => {
    const [row] = await end(runner, pool, pool)
    if (row !== undefined && row.template !== null) return false
    await dropUnused(runner, pool, pool)
    return true
  }
}
