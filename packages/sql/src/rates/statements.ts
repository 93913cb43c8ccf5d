import type { Columns, Dialect } from '../dialect.js'
import { limits } from '../moment.js'
import { rowsStatement, statement } from '../statement.js'
import type { Tables } from '../tables.js'

type Row = Record<string, unknown>

export const BOUNDS: Columns = {
  key: 'text',
  low_slot: 'integer',
  low_at: 'integer',
  high_slot: 'integer',
  high_at: 'integer',
}
export const SLOT: Columns = { key: 'text', slot: 'integer' }
export const PLACE: Columns = { key: 'text', id: 'text' }
const EVENT: Columns = { ...SLOT, at: 'integer', cost: 'integer' }
const RATE: Columns = { key: 'text', sum: 'integer', over_at: 'integer' }
const STAY: Columns = { ...PLACE, until: 'integer' }

export type RateStatements = ReturnType<typeof rateStatements>

export function rateStatements(dialect: Dialect, { rates, events, places }: Tables, lockWaitMs: number) {
  const { strings } = dialect
  const within = dialect.rows(BOUNDS)
  // Two ranges, each found by the key: one that had to fit either would be looked for among all events of a window.
  const over = `select e.key, e.slot from ${within} as w join ${events} as e
    on e.key = w.key and e.slot <= w.low_slot and e.at <= w.low_at`
  const ahead = `select e.key, e.slot from ${within} as w join ${events} as e
    on e.key = w.key and e.slot >= w.high_slot and e.at > w.high_at`
  const keys = dialect.rows(PLACE)
  return {
    /** Rates need not survive a power cut, so no commit waits for the disk. */
    begin: dialect.locksRows
      ? statement<never>(dialect, `select ${limits(lockWaitMs)}, set_config('synchronous_commit', 'off', true)`)
      : null,
    lock: statement<Row>(
      dialect,
      `select key, sum, over_at from ${rates} where key in ${strings} order by key${dialect.locksRows ? ' for update' : ''}`,
    ),
    create: statement<Row>(
      dialect,
      `insert into ${rates} as r (key, sum, over_at) select value, 0, 0 from ${strings} as names where true order by value
        on conflict (key) do update set sum = r.sum returning key, sum, over_at`,
    ),
    drop: statement<Row>(
      dialect,
      `delete from ${events} where (key, slot) in (${over} union all ${ahead}) returning key, slot, at, cost`,
    ),
    eventsOf: statement<Row>(
      dialect,
      `select e.key, e.slot, e.at, e.cost from ${dialect.rows(SLOT)} as s
        join ${events} as e on e.key = s.key and e.slot = s.slot`,
    ),
    keptUntil: statement<Row>(
      dialect,
      `select min(case when gone >= ? then at end) as at, max(gone) as sum
        from (select at, sum(cost) over (order by slot) as gone from ${events} where key = ?) as e`,
    ),
    addEvents: rowsStatement(
      dialect,
      EVENT,
      (
        rows,
      ) => `insert into ${events} as e (key, slot, at, cost) select key, slot, at, cost from ${rows} as r where true
        on conflict (key, slot) do update set cost = e.cost + excluded.cost,
          at = case when excluded.at > e.at then excluded.at else e.at end`,
    ),
    saveRates: rowsStatement(
      dialect,
      RATE,
      (rows) => `update ${rates} as t set sum = r.sum, over_at = r.over_at from ${rows} as r where t.key = r.key`,
    ),
    placesIn: statement<Row>(dialect, `select key, id, until from ${places} where key in ${strings}`),
    enter: rowsStatement(
      dialect,
      STAY,
      (rows) => `insert into ${places} (key, id, until) select key, id, until from ${rows} as r where true
        on conflict (key, id) do update set until = excluded.until`,
    ),
    stay: rowsStatement(
      dialect,
      STAY,
      (rows) => `update ${places} as p set until = r.until from ${rows} as r where p.key = r.key and p.id = r.id`,
    ),
    leave: statement<never>(dialect, `delete from ${places} where (key, id) in (select key, id from ${keys} as k)`),
  }
}
