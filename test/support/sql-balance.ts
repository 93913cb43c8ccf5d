import { expect } from 'vitest'
import type { TestDatabase } from './databases.js'

/** What every account has and what its holds and entries add up to, all of one moment. */
const BOOKS = `select a.pool, a.used_tokens as used, a.held_tokens as held,
    (select coalesce(sum(held_tokens), 0) from $.hoosh_holds where pool = a.pool and state = 'held') as open,
    (select coalesce(sum(charged_tokens), 0) from $.hoosh_holds where pool = a.pool and state <> 'held') as entries
  from $.hoosh_accounts as a`

/** An account in tokens, which is what its open holds and its ended ones come to, and no more than its cap. */
export interface Balanced {
  readonly pool: string
  readonly used: number
  readonly held: number
}

/** Every account as it is now, whatever goes on meanwhile. */
export async function balancedBooks(database: Pick<TestDatabase, 'read'>, cap: number): Promise<Balanced[]> {
  const rows = await database.read<Record<string, unknown>>(BOOKS)
  return rows.map((row) => {
    const { pool, used, held } = { pool: String(row.pool), used: Number(row.used), held: Number(row.held) }
    expect([held, used], pool).toEqual([Number(row.open), Number(row.entries)])
    expect(used + held, pool).toBeLessThanOrEqual(cap)
    return { pool, used, held }
  })
}
