import { setImmediate as nextTurn } from 'node:timers/promises'
import { checkOptionNames, HooshError } from '@hoosh/core/storage'
import type { Connection } from './connection.js'
import type { Columns, Dialect } from './dialect.js'
import { type Runner, rowsStatement, statement } from './statement.js'
import type { Tables } from './tables.js'

/** How long single records are kept, in days of 24 hours; what they add up to is kept for good. Absent: for good as well. */
export interface Retention {
  /** Usage records; their daily totals stay. */
  readonly usageDays?: number
  /** What ended or mended reservations; what pools have used stays. A settle after that time is told `not_held`. */
  readonly entryDays?: number
}

type Row = Record<string, unknown>

const DAY_MS = 86_400_000
/** The clocks of gateways and database may differ by so much, and no window, place or cached answer goes before its time. */
const SKEW_MS = 60_000

/** Nobody waits for it. */
const PATIENCE_MS = 10_000

/** Most rows of one step, and most steps of one sweep: the next one goes on from there. */
const STEP = 500
const MOST_STEPS = 20
/** Pools that one step looks at. */
const POOLS = 100

const DROPPED: Columns = { pool: 'text', window_start: 'integer', tokens: 'integer', nano_usd: 'integer' }

/** @throws HooshError `invalid_options` for days that are no whole number from 1 to 36,500, and for names it has not */
export function checkRetention(retention: Retention): void {
  if (typeof retention !== 'object' || retention === null) {
    const message = '`retention` must be an object: `{ usageDays: 90 }`.'
    throw new HooshError('invalid_options', { message, details: { param: 'retention' } })
  }
  checkOptionNames<Retention>(retention, { usageDays: true, entryDays: true }, 'retention')
  for (const [name, days] of Object.entries(retention)) {
    if (days === undefined || (Number.isInteger(days) && days >= 1 && days <= 36_500)) continue
    const message = `\`retention.${name}\` must be a whole number of days from 1 to 36,500; it is ${days}.`
    throw new HooshError('invalid_options', { message, details: { param: `retention.${name}` } })
  }
}

/**
 * Forgets what is older than it need be, one bounded step after the other. Each is a transaction that finds what is left to do by
 * itself: any number of processes may be at it, and one that dies in between has done its last step or not.
 */
export function sweeper(connection: Connection, tables: Tables, { usageDays, entryDays }: Retention) {
  const sql = sweepStatements(connection.dialect, tables)
  let after = ''
  const transaction = async <T>(work: (runner: Runner) => Promise<T>) => {
    // A turn of its own, as all that is written has: see `batches`.
    await nextTurn()
    return connection.transaction(work, PATIENCE_MS)
  }
  const steps = {
    rates: (now: number) => transaction((runner) => dropRates(connection.dialect, sql, runner, now - SKEW_MS)),
    async cache(now: number) {
      const rows = await transaction((runner) => sql.dropCached(runner, now - SKEW_MS, STEP))
      return rows.length
    },
    async usage(now: number) {
      if (usageDays === undefined) return 0
      const rows = await transaction((runner) => sql.dropUsage(runner, now - usageDays * DAY_MS, STEP))
      return rows.length
    },
    /** Some pools at a time, from where the last step ended, and from the first again after the last. */
    async entries(now: number) {
      if (entryDays === undefined) return 0
      const names = (await connection.read((runner) => sql.nextPools(runner, after, POOLS))).map(({ name }) =>
        String(name),
      )
      const before = (now - entryDays * DAY_MS) * 1_000
      const dropped = await transaction((runner) => dropEntries(connection.dialect, sql, runner, { names, before }))
      if (dropped < STEP) after = names.length < POOLS ? '' : names.at(-1)!
      return dropped < STEP && after !== '' ? STEP : dropped
    },
  }
  return async (now: number): Promise<void> => {
    for (const step of Object.values(steps)) {
      for (let done = 0; done < MOST_STEPS && (await step(now)) >= STEP; ) done += 1
    }
  }
}

type SweepStatements = ReturnType<typeof sweepStatements>

function sweepStatements(
  dialect: Dialect,
  { rates, events, places, cache, usage, pools, holds, corrections, accounts }: Tables,
) {
  const { strings } = dialect
  // What another process is at is left to it.
  const free = dialect.locksRows ? ' for update skip locked' : ''
  const inOrder = dialect.locksRows ? ' for update' : ''
  return {
    dropRates: statement<Row>(
      dialect,
      `delete from ${rates} where key in (
        select key from ${rates} where over_at <= ? order by over_at limit ?${free}
      ) returning key`,
    ),
    dropEvents: statement<never>(dialect, `delete from ${events} where key in ${strings}`),
    dropPlaces: statement<never>(dialect, `delete from ${places} where key in ${strings} and until <= ?`),
    dropCached: statement<Row>(
      dialect,
      `delete from ${cache} where key in (
        select key from ${cache} where until <= ? order by until limit ?${free}
      ) returning key`,
    ),
    dropUsage: statement<Row>(
      dialect,
      `delete from ${usage} where (at, id) in (
        select at, id from ${usage} where at < ? order by at, id limit ?${free}
      ) returning id`,
    ),
    nextPools: statement<Row>(dialect, `select name from ${pools} where name > ? order by name limit ?`),
    oldEntries: statement<Row>(
      dialect,
      `select h.reservation from ${strings} as p join ${holds} as h
        on h.pool = p.value and h.entry is not null and h.entry < ? limit ?`,
    ),
    lockPools: statement<Row>(
      dialect,
      `select name from ${pools} where name in (
        select value from ${strings} as p union select pool from ${holds} where reservation in ${strings}
      ) order by name${inOrder}`,
    ),
    dropHolds: statement<Row>(
      dialect,
      `delete from ${holds} where reservation in ${strings} and state <> 'held'
        returning pool, window_start, charged_tokens as tokens, charged_nano_usd as nano_usd`,
    ),
    dropCorrections: statement<Row>(
      dialect,
      `delete from ${corrections} where (pool, entry, reservation) in (
        select c.pool, c.entry, c.reservation from ${strings} as p join ${corrections} as c
          on c.pool = p.value and c.entry < ? limit ?
      ) returning pool, window_start, tokens, nano_usd, kind`,
    ),
    dropPools: statement<Row>(
      dialect,
      `delete from ${pools} as p where p.name in ${strings} and p.template is null and p.override is null and p.credit_entry = 0
        and exists (select 1 from ${accounts} as a where a.pool = p.name)
        and not exists (select 1 from ${holds} as h where h.pool = p.name and h.entry is not null)
        and not exists (select 1 from ${corrections} as c where c.pool = p.name) returning name`,
    ),
    dropAccounts: statement<never>(dialect, `delete from ${accounts} where pool in ${strings}`),
    addDropped: rowsStatement(
      dialect,
      DROPPED,
      (rows) => `update ${accounts} as a set dropped_tokens = a.dropped_tokens + r.tokens,
        dropped_nano_usd = a.dropped_nano_usd + r.nano_usd
        from ${rows} as r where a.pool = r.pool and a.window_start = r.window_start`,
    ),
  }
}

const ROOM = 'places of '

async function dropRates(dialect: Dialect, sql: SweepStatements, runner: Runner, before: number): Promise<number> {
  const keys = (await sql.dropRates(runner, before, STEP)).map(({ key }) => String(key))
  if (keys.length === 0) return 0
  await sql.dropEvents(runner, dialect.list(keys))
  const rooms = keys.filter((key) => key.startsWith(ROOM)).map((key) => key.slice(ROOM.length))
  if (rooms.length > 0) await sql.dropPlaces(runner, dialect.list(rooms), before)
  return keys.length
}

/** What came and went of credits is in no account; the credits themselves stay, spent or not. */
const OF_CREDITS = new Set<unknown>(['credit', 'credit_expired'])

/**
 * What goes is added to what its accounts have dropped, in the same transaction. A pool that was forgotten goes with the
 * last of its entries.
 */
async function dropEntries(
  dialect: Dialect,
  sql: SweepStatements,
  runner: Runner,
  { names, before }: { names: readonly string[]; before: number },
): Promise<number> {
  const pools = dialect.list(names)
  const old = await sql.oldEntries(runner, pools, before, STEP)
  const ids = dialect.list([...new Set(old.map(({ reservation }) => String(reservation)))])
  await sql.lockPools(runner, pools, ids)
  const gone = await sql.dropHolds(runner, ids)
  const mended = await sql.dropCorrections(runner, pools, before, STEP)
  await sql.addDropped(runner, summed([...gone, ...mended.filter(({ kind }) => !OF_CREDITS.has(kind))]))
  const forgotten = (await sql.dropPools(runner, pools)).map(({ name }) => String(name))
  if (forgotten.length > 0) await sql.dropAccounts(runner, dialect.list(forgotten))
  return gone.length + mended.length
}

function summed(rows: readonly Row[]): unknown[][] {
  const sums = new Map<string, [pool: string, start: number, tokens: number, nanoUsd: number]>()
  for (const { pool, window_start, tokens, nano_usd } of rows) {
    const key = `${String(window_start)} ${String(pool)}`
    const sum = sums.get(key) ?? [String(pool), Number(window_start), 0, 0]
    sum[2] += Number(tokens)
    sum[3] += Number(nano_usd)
    sums.set(key, sum)
  }
  return [...sums.values()]
}
