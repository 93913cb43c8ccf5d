import type { Finding, PoolTerms } from '@hoosh/core/storage'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'
import { type Asked, type Look, MOST, placeOf, type Row, UNITS } from './look.js'

/** Accounts beside what their holds, entries and corrections come to. */
function books({ accounts, holds, corrections }: Tables): string {
  const summed = (columns: readonly string[]) =>
    columns.flatMap((column) => UNITS.map(([unit]) => `sum(${column}${unit}) as ${column}${unit}`)).join(', ')
  const by = 'group by pool, window_start'
  const joined = (name: string) =>
    `left join ${name} on ${name}.pool = a.pool and ${name}.window_start = a.window_start`
  const figures = UNITS.map(
    ([unit]) => `a.used_${unit}, a.held_${unit}, a.drawn_${unit}, coalesce(opened.held_${unit}, 0) as open_${unit},
      a.dropped_${unit} + coalesce(ended.charged_${unit}, 0) + coalesce(mended.${unit}, 0) as entries_${unit},
      coalesce(ended.overrun_${unit}, 0) + coalesce(mended.overrun_${unit}, 0) as overrun_${unit}`,
  )
  return `with
    opened as (select pool, window_start, ${summed(['held_'])} from ${holds} where state = 'held' ${by}),
    ended as (select pool, window_start, ${summed(['charged_', 'overrun_'])} from ${holds} where state <> 'held' ${by}),
    mended as (select pool, window_start, ${summed(['', 'overrun_'])} from ${corrections}
      where kind in ('correction', 'refund') ${by}),
    books as (
      select a.pool, a.window_start, a.window_end, a.dropped_tokens, a.dropped_nano_usd, ${figures.join(', ')}
      from ${accounts} as a ${joined('opened')} ${joined('ended')} ${joined('mended')}
    )`
}

/** Invariant 2: what an account holds and has used is what its holds and entries come to, and never below zero. */
export function sums({ tables }: Asked): Look {
  const wrong = UNITS.map(
    ([unit]) =>
      `held_${unit} <> open_${unit} or used_${unit} <> entries_${unit} or held_${unit} < 0 or used_${unit} < 0`,
  )
  return {
    text: `${books(tables)} select * from books where ${wrong.join(' or ')} order by pool`,
    findings: sumFindings,
  }
}

function sumFindings(row: Row): Finding[] {
  return UNITS.flatMap(([column, unit]) => {
    const place = { ...placeOf(row), unit }
    const [held, open] = [Number(row[`held_${column}`]), Number(row[`open_${column}`])]
    const [used, entries] = [Number(row[`used_${column}`]), Number(row[`entries_${column}`])]
    const found: Finding[] = []
    if (held !== open) found.push({ code: 'held', ...place, found: held, expected: open })
    if (used !== entries) found.push({ code: 'used', ...place, found: used, expected: entries })
    if (held < 0) found.push({ code: 'negative', ...place, found: held, what: 'held' })
    if (used < 0) found.push({ code: 'negative', ...place, found: used, what: 'used' })
    return found
  })
}

/** Invariant 6 of windows that are not over: used and held fit the cap, what credits pay, and what is on record as overrun. */
export function capacities({ dialect, tables, at }: Asked, caps: readonly (readonly unknown[])[]): Look {
  const over = UNITS.map(
    ([unit]) => `b.used_${unit} + b.held_${unit} > c.${unit} + b.drawn_${unit} + b.overrun_${unit}`,
  )
  const rows = dialect.rows({ terms: 'text', tokens: 'integer', nano_usd: 'integer' })
  // Of entries that were dropped nobody knows the overrun any more.
  const whole = 'b.dropped_tokens = 0 and b.dropped_nano_usd = 0'
  return {
    text: `${books(tables)} select b.*, c.tokens as cap_tokens, c.nano_usd as cap_nano_usd from books as b
      join ${tables.pools} as p on p.name = b.pool join ${rows} as c on c.terms = coalesce(p.override, p.template)
      where ${whole} and (b.window_end is null or b.window_end > ?) and (${over.join(' or ')}) order by b.pool`,
    parameters: [...dialect.rowsParameters({ terms: 'text', tokens: 'integer', nano_usd: 'integer' }, caps), at],
    findings: (row) =>
      UNITS.flatMap(([column, unit]): Finding[] => {
        if (row[`cap_${column}`] === null) return []
        const found = Number(row[`used_${column}`]) + Number(row[`held_${column}`])
        const expected = ['cap', 'drawn', 'overrun'].reduce((sum, part) => sum + Number(row[`${part}_${column}`]), 0)
        return found > expected ? [{ code: 'capacity', ...placeOf(row), unit, found, expected }] : []
      }),
  }
}

/** The caps of all terms there are, by their text, and what cannot be read of them. */
export async function capsOf(runner: Runner, { dialect, tables: { pools } }: Asked) {
  const find = statement<Row>(
    dialect,
    `select coalesce(override, template) as terms, min(name) as pool from ${pools}
      where template is not null or override is not null group by 1 order by 2`,
  )
  const caps: unknown[][] = []
  const findings: Finding[] = []
  for (const { terms, pool } of await find(runner)) {
    try {
      const { capacity } = JSON.parse(String(terms)) as PoolTerms
      caps.push([terms, capacity.tokens ?? null, capacity.nanoUsd ?? null])
    } catch {
      if (findings.length < MOST)
        findings.push({ code: 'terms', pool: String(pool), found: String(terms).slice(0, 100) })
    }
  }
  return { caps, findings }
}
