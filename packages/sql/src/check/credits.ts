import type { Finding } from '@hoosh/core/storage'
import { type Asked, type Look, type Row, UNITS } from './look.js'

/**
 * What was given to a pool is what is left of it, what it pays of the pool's accounts, and what had expired. Entries of what
 * expired may have been dropped for their age: as long as all entries of its credits are there, none was.
 */
export function credits({ tables: { credits: table, accounts, corrections } }: Asked): Look {
  const sums = (columns: readonly string[]) =>
    columns.flatMap((column) => UNITS.map(([unit]) => `sum(${column}${unit}) as ${column}${unit}`)).join(', ')
  const books = UNITS.map(
    ([unit]) => `g.${unit} as given_${unit},
      g.left_${unit} + coalesce(d.drawn_${unit}, 0) + coalesce(e.${unit}, 0) as found_${unit}`,
  )
  const wrong = UNITS.map(
    ([unit]) => `found_${unit} > given_${unit} or (found_${unit} < given_${unit} and told >= many)`,
  )
  const beyond = UNITS.map(([unit]) => `left_${unit} < 0 or left_${unit} > ${unit}`).join(' or ')
  return {
    text: `select * from (
        select g.pool, g.many, g.beyond, coalesce(t.told, 0) as told, ${books.join(', ')}
        from (select pool, count(*) as many, max(case when ${beyond} then 1 else 0 end) as beyond,
          ${sums(['', 'left_'])} from ${table} group by pool) as g
        left join (select pool, ${sums(['drawn_'])} from ${accounts} group by pool) as d on d.pool = g.pool
        left join (select pool, ${sums([''])} from ${corrections} where kind = 'credit_expired' group by pool) as e
          on e.pool = g.pool
        left join (select pool, count(*) as told from ${corrections} where kind = 'credit' group by pool) as t on t.pool = g.pool
      ) as c where beyond = 1 or ${wrong.join(' or ')} order by pool`,
    findings: creditFindings,
  }
}

function creditFindings(row: Row): Finding[] {
  const pool = String(row.pool)
  const sums = UNITS.flatMap(([column, unit]): Finding[] => {
    const [found, expected] = [Number(row[`found_${column}`]), Number(row[`given_${column}`])]
    const isWhole = Number(row.told) >= Number(row.many)
    return found > expected || (found < expected && isWhole) ? [{ code: 'credit', pool, unit, found, expected }] : []
  })
  if (Number(row.beyond) === 0) return sums
  return [...sums, { code: 'credit', pool, what: 'of one less than nothing is left, or more than was given' }]
}
