import type { Finding } from '@hoosh/core/storage'
import { type Asked, type Look, placeOf, type Row, UNITS } from './look.js'

/** Of a gateway's sweeps every 15 s, so many may have failed before a lease that ran out is worth a word, ms. */
const OVERDUE_MS = 60_000
/** Clocks of machines differ, and a process may have been stopped between its look at the clock and its hold, ms. */
const SKEW_MS = 300_000

/** Invariant 3: each reservation ends by exactly one entry in each pool, none before that. */
export function endings({ tables: { holds } }: Asked): Look {
  const some = (column: string) => UNITS.map(([unit]) => `${column}_${unit} <> 0`).join(' or ')
  const over = UNITS.map(
    ([unit]) =>
      `overrun_${unit} <> case when charged_${unit} > held_${unit} then charged_${unit} - held_${unit} else 0 end`,
  )
  const cases = [
    ["state not in ('held', 'settled', 'released', 'expired')", 'its state is none that a reservation can have'],
    ["state = 'held' and (entry is not null or ended_at is not null)", 'it is open and has an entry that ends it'],
    ["state <> 'held' and (entry is null or ended_at is null)", 'it has ended, and no entry tells of that'],
    [`state = 'held' and (${some('charged')})`, 'it is open and charged already'],
    [`state = 'released' and (${some('charged')})`, 'it was released and charged all the same'],
    [`state = 'settled' and (${over.join(' or ')})`, 'its overrun is not what it was charged beyond its hold'],
  ] as const
  const which = cases.map(([wrong], at) => `when ${wrong} then ${at}`).join(' ')
  return {
    text: `select * from (select reservation, pool, case ${which} end as wrong from ${holds}) as h where wrong is not null
      order by reservation, pool`,
    findings: (row) => [{ code: 'entry', ...ofHold(row), what: cases[Number(row.wrong)]![1] }],
  }
}

/** Rows of one reservation agree; none is missing, none is there twice. */
export function parts({ tables: { holds } }: Asked): Look {
  const same = ['state', 'owner', 'phase', 'lease_until', ...amounts('held'), ...amounts('charged')]
  const cases = [
    ['max(place) + 1 <> count(*) or count(distinct pool) <> count(*)', 'a pool is missing, or there twice'],
    ...same.map((column) => [`min(${column}) <> max(${column})`, `${column} differs`] as const),
  ] as const
  const which = cases.map(([wrong], at) => `when ${wrong} then ${at}`).join(' ')
  return {
    text: `select * from (select reservation, case ${which} end as wrong from ${holds} group by reservation) as h
      where wrong is not null order by reservation`,
    findings: (row) => [{ code: 'parts', reservation: String(row.reservation), what: cases[Number(row.wrong)]![1] }],
  }
}

function amounts(column: string): string[] {
  return UNITS.map(([unit]) => `${column}_${unit}`)
}

/** At most one correction of a reservation in a pool, of one that has expired, in its window, and to the figure it names. */
export function corrections({ tables: { holds, corrections: table } }: Asked): Look {
  const sums = UNITS.map(([unit]) => `sum(${unit}) as ${unit}`).join(', ')
  const cases = [
    ['c.many > 1', 'it was corrected more than once'],
    ["h.state <> 'expired'", 'it was corrected, and has not expired'],
    ['h.window_start <> c.window_start', 'its correction stands in another window'],
    // What was refunded before it bounds a correction.
    [`h.beside is null and (${UNITS.map(mended).join(' or ')})`, SUM],
  ] as const
  const which = cases.map(([wrong], at) => `when ${wrong} then ${at}`).join(' ')
  return {
    text: `select * from (
        select c.reservation, c.pool, case ${which} end as wrong from (
          select reservation, pool, min(window_start) as window_start, count(*) as many, ${sums} from ${table}
          where kind = 'correction' group by reservation, pool
        ) as c join ${holds} as h on h.reservation = c.reservation and h.pool = c.pool
      ) as w where wrong is not null order by reservation, pool`,
    findings: (row) => [{ code: 'correction', ...ofHold(row), what: cases[Number(row.wrong)]![1] }],
  }
}

function mended([unit]: readonly [string, ...unknown[]]): string {
  return `h.corrected_${unit} is distinct from h.charged_${unit} + c.${unit}`
}

const SUM = 'its correction and its first charge do not come to what it was settled with'

/** Rows that belong to others which are gone. What retention has dropped is known by what its account says of it. */
export function orphans({ tables }: Asked): Look {
  const { pools, accounts, holds, corrections: table } = tables
  const account = (row: string) =>
    `select 1 from ${accounts} as a where a.pool = ${row}.pool and a.window_start = ${row}.window_start`
  const dropped = 'and (a.dropped_tokens <> 0 or a.dropped_nano_usd <> 0)'
  const cases = [
    'its account is gone',
    'it is charged, and no row says what the pool is',
    'its correction is gone',
    'it is gone, and its correction is still there',
  ]
  return {
    text: `select reservation, pool, window_start, 0 as wrong from ${holds} as h where not exists (${account('h')})
      union all
      select null, pool, window_start, 1 from ${accounts} as b
        where not exists (select 1 from ${pools} as p where p.name = b.pool)
      union all
      select reservation, pool, window_start, 2 from ${holds} as h where corrected_tokens is not null
        and not exists (select 1 from ${table} as c
          where c.reservation = h.reservation and c.pool = h.pool and c.kind = 'correction')
        and not exists (${account('h')} ${dropped})
      union all
      select reservation, pool, window_start, 3 from ${table} as c where kind in ('correction', 'refund')
        and not exists (select 1 from ${holds} as h where h.reservation = c.reservation and h.pool = c.pool)
        and not exists (${account('c')} ${dropped})
      order by 4, 2, 3`,
    findings: (row) => [
      {
        code: 'orphan',
        ...placeOf(row),
        ...(row.reservation !== null && { reservation: String(row.reservation) }),
        what: cases[Number(row.wrong)]!,
      },
    ],
  }
}

/** Holds that somebody should have ended. */
export function overdue({ tables: { holds }, at }: Asked): Look {
  return {
    text: `select reservation, min(lease_until) as lease_until from ${holds} where state = 'held' and lease_until < ?
      group by reservation order by 2`,
    parameters: [at - OVERDUE_MS],
    findings: ({ reservation, lease_until }) => [
      {
        code: 'overdue',
        reservation: String(reservation),
        found: `${Math.round((at - Number(lease_until)) / 1_000)} s`,
      },
    ],
  }
}

/** Each hold is in the window it was made in; `since` counts in thousandths of the store's milliseconds. */
export function windows({ tables: { holds, accounts } }: Asked): Look {
  return {
    text: `select h.reservation, h.pool, h.window_start, a.window_end, h.since from ${holds} as h
      join ${accounts} as a on a.pool = h.pool and a.window_start = h.window_start
      where a.window_end is not null
        and (h.since < (h.window_start - ${SKEW_MS}) * 1000 or h.since > (a.window_end + ${SKEW_MS}) * 1000)
      order by h.since`,
    findings: (row) => [
      {
        code: 'window',
        ...placeOf(row),
        reservation: String(row.reservation),
        found: new Date(Number(row.since) / 1_000).toISOString(),
      },
    ],
  }
}

/**
 * What a call cost by its usage records is what its pools were charged: a record of the call, of its loss, and what takes
 * that one back. Records older than the oldest that is there may have been dropped for their age.
 */
export function costs({ dialect, tables: { holds, usage } }: Asked): Look {
  const sign = "case when id like '%.reversal' then -1 else 1 end"
  const name = `case when id like '%.lost' then substr(id, 1, length(id) - 5)
    when id like '%.reversal' then substr(id, 1, length(id) - 9) else id end`
  const tokens = ['input', 'cachedInput', 'cacheWrite', 'audioInput', 'output', 'reasoning', 'audioOutput']
    .map((key) => `coalesce(${dialect.numberIn('record', key)}, 0)`)
    .join(' + ')
  const charged = UNITS.map(([unit]) => `coalesce(corrected_${unit}, charged_${unit}) as ${unit}`)
  const wrong = UNITS.map(([unit]) => `h.${unit} <> coalesce(u.${unit}, 0)`)
  return {
    text: `select h.reservation, h.tokens, h.nano_usd, coalesce(u.tokens, 0) as told_tokens,
        coalesce(u.nano_usd, 0) as told_nano_usd
      from (
        select reservation, ${charged.join(', ')} from ${holds}
        where place = 0 and call is not null and state <> 'held'
          and ended_at > (select min(at) from ${usage}) + ${SKEW_MS}
      ) as h left join (
        select ${name} as reservation, sum(${sign} * (${tokens})) as tokens,
          sum(${sign} * coalesce(${dialect.numberIn('record', 'nanoUsd')}, 0)) as nano_usd
        from ${usage} group by 1
      ) as u on u.reservation = h.reservation
      where ${wrong.join(' or ')} order by h.reservation`,
    findings: costFindings,
  }
}

function costFindings(row: Row): Finding[] {
  return UNITS.flatMap(([column, unit]): Finding[] => {
    const [found, expected] = [Number(row[`told_${column}`]), Number(row[column])]
    return found === expected ? [] : [{ code: 'cost', reservation: String(row.reservation), unit, found, expected }]
  })
}

function ofHold({ reservation, pool }: Row): Pick<Finding, 'reservation' | 'pool'> {
  return { reservation: String(reservation), pool: String(pool) }
}
