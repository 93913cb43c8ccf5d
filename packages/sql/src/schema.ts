import type { Dialect } from './dialect.js'
import { indexOn, type Tables } from './tables.js'

type Step = (dialect: Dialect, tables: Tables) => readonly string[]

/** Steps of the schema, forward only: a database's version is how many of them it has been through. */
export const steps: readonly Step[] = [
  (dialect, tables) => [...ledger(dialect, tables), ...audit(dialect, tables), ...usage(dialect, tables)],
  (dialect, tables) => [...toldColumns(dialect, tables), ...dropped(tables), ...rates(dialect, tables)],
  (dialect, tables) => checkpoints(dialect, tables),
  (dialect, tables) => keysAndCache(dialect, tables),
  (dialect, tables) => payloads(dialect, tables),
  (dialect, tables) => creditsAndRefunds(dialect, tables),
]

/** Where the version stands: one row. */
export function versionTable({ schema }: Tables): string {
  return `create table if not exists ${schema} (id integer primary key check (id = 1), version integer not null)`
}

/**
 * A pool is what was last said of it, an account what it used and holds in one window. A row of `holds` is a reservation
 * in one pool and, once `entry` numbers it, its terminal entry too; what mends it later stands in `corrections`. Its first row
 * says in `call` what its usage record will, should nobody settle it.
 */
function ledger(
  { name: database, types: { text } }: Dialect,
  { pools, accounts, holds, corrections }: Tables,
): string[] {
  // Side by side, two reservations of one id are told apart by their first rows, whatever pools they name.
  const one = database === 'postgres' ? 'place' : 'pool'
  return [
    `create table ${pools} (name ${text} not null primary key, template ${text}, override ${text})`,
    `create table ${accounts} (
      pool ${text} not null, window_start bigint not null, window_end bigint,
      used_tokens bigint not null, used_nano_usd bigint not null,
      held_tokens bigint not null, held_nano_usd bigint not null,
      last_entry bigint not null,
      primary key (pool, window_start)
    )`,
    `create table ${holds} (
      reservation ${text} not null, place integer not null, pool ${text} not null, window_start bigint not null,
      owner ${text} not null, phase ${text} not null, state ${text} not null,
      held_tokens bigint not null, held_nano_usd bigint not null,
      counted_tokens bigint not null, counted_nano_usd bigint not null,
      charged_tokens bigint not null, charged_nano_usd bigint not null,
      overrun_tokens bigint not null, overrun_nano_usd bigint not null,
      corrected_tokens bigint, corrected_nano_usd bigint,
      output_tokens bigint not null, since bigint not null, lease_until bigint not null,
      entry bigint, ended_at bigint,
      intent_id ${text}, intent_at bigint, call ${text}
    )`,
    `create unique index ${indexOn(holds, 'reservation')} on ${holds} (reservation, ${one})`,
    `create index ${indexOn(holds, 'lease')} on ${holds} (lease_until, pool) where state = 'held'`,
    `create index ${indexOn(holds, 'owner')} on ${holds} (owner, since) where state = 'held' and phase = 'reserved'`,
    `create index ${indexOn(holds, 'entry')} on ${holds} (pool, entry) where entry is not null`,
    `create table ${corrections} (
      pool ${text} not null, entry bigint not null, reservation ${text} not null, window_start bigint not null,
      tokens bigint not null, nano_usd bigint not null,
      overrun_tokens bigint not null, overrun_nano_usd bigint not null,
      at bigint not null,
      primary key (pool, entry, reservation)
    )`,
  ]
}

/**
 * A record is in `staged` until it has its place in a chain, and in `audit` from then on: as the very text that was hashed,
 * its place beside it, and what filters look at, which is compared with the text whenever that is verified. (A column that
 * the database derives is never read from an index alone, so that counting would touch every row.)
 *
 * Rows are keyed by time first. Keys at random would touch a page of their own with each record, which costs as much
 * as all the rest of storing it (measured on SQLite: 8 us against 16). Of several fields to filter by, one index is
 * walked, and has the others in it.
 */
function audit(dialect: Dialect, { staged, audit, writers }: Tables): string[] {
  const { text } = dialect.types
  return [
    dialect.name === 'postgres' ? stagedTable(dialect, staged) : derivingStagedTable(dialect, staged),
    `create unique index ${indexOn(staged, 'at')} on ${staged} (at, id)`,
    `create table ${audit} (
      writer ${text} not null, seq bigint not null, epoch bigint not null,
      previous_hash ${text} not null, hash ${text} not null, signature ${text} not null,
      text ${text} not null,
      at bigint not null, id ${text} not null, event ${text} not null, model ${text}, subject ${text}
    )`,
    `create unique index ${indexOn(audit, 'chain')} on ${audit} (writer, seq)`,
    `create unique index ${indexOn(audit, 'at')} on ${audit} (at, id)`,
    `create index ${indexOn(audit, 'subject')} on ${audit} (subject, at, model, event)`,
    `create index ${indexOn(audit, 'model')} on ${audit} (model, at, event)`,
    `create index ${indexOn(audit, 'event')} on ${audit} (event, at)`,
    `create table ${writers} (writer ${text} not null primary key, seq bigint not null, hash ${text} not null)`,
  ]
}

/** As version 1 had it on SQLite. */
function derivingStagedTable({ types: { text, counter } }: Dialect, staged: string): string {
  const told = (name: string, type: string, field: string) =>
    `${name} ${type} generated always as (text ->> '$.${field}') stored`
  return `create table ${staged} (n ${counter} primary key, writer ${text} not null, text ${text} not null,
      ${told('at', 'bigint', 'timestamp')}, ${told('id', text, 'id')})`
}

function stagedTable({ types: { text, counter } }: Dialect, staged: string): string {
  return `create table ${staged} (
      n ${counter} primary key, writer ${text} not null, text ${text} not null,
      at bigint not null, id ${text} not null, event ${text} not null, model ${text}, subject ${text}
    )`
}

/** What filters look at is written beside a staged record as well, since Postgres reads no field of a text with a NUL in it. */
function toldColumns(dialect: Dialect, { staged }: Tables): string[] {
  if (dialect.name === 'postgres') return []
  const fields = ['event', 'model', 'subject'].map((field) => `text ->> '$.${field}'`)
  return [
    `drop index ${indexOn(staged, 'at')}`,
    `alter table ${staged} rename to ${staged}_1`,
    stagedTable(dialect, staged),
    `insert into ${staged} select n, writer, text, at, id, ${fields.join(', ')} from ${staged}_1`,
    `drop table ${staged}_1`,
    `create unique index ${indexOn(staged, 'at')} on ${staged} (at, id)`,
  ]
}

/** What entries of an account came to that were dropped for their age: the rest is still to be found one by one. */
function dropped({ accounts }: Tables): string[] {
  return ['tokens', 'nano_usd'].map(
    (unit) => `alter table ${accounts} add column dropped_${unit} bigint not null default 0`,
  )
}

/**
 * What happened in sliding windows: an event for each step of a window in which something did, and for each window what its
 * events add up to. Nothing of it counts any more once `over_at` has come. What runs at the same time has a place each,
 * in rooms that are locked by a row of `rates` as well.
 */
function rates({ types: { text } }: Dialect, { rates, events, places }: Tables): string[] {
  return [
    `create table ${rates} (key ${text} not null primary key, sum bigint not null, over_at bigint not null)`,
    `create index ${indexOn(rates, 'over')} on ${rates} (over_at)`,
    `create table ${events} (
      key ${text} not null, slot bigint not null, at bigint not null, cost bigint not null, primary key (key, slot)
    )`,
    `create table ${places} (key ${text} not null, id ${text} not null, until bigint not null, primary key (key, id))`,
  ]
}

/**
 * A writer's row says how many checkpoints there are of it, and behind which entry the chain begins that is still here;
 * a checkpoint is the line that was signed.
 */
function checkpoints({ types: { text } }: Dialect, { writers, checkpoints }: Tables): string[] {
  return [
    `alter table ${writers} add column epoch bigint not null default 0`,
    `alter table ${writers} add column anchor_seq bigint not null default 0`,
    `alter table ${writers} add column anchor_hash ${text} not null default '${'0'.repeat(64)}'`,
    `create table ${checkpoints} (
      writer ${text} not null, epoch bigint not null, seq bigint not null, line ${text} not null,
      primary key (writer, epoch)
    )`,
  ]
}

/** Records as they were told, keyed by time first as those of the log are, and what they add up to each day. */
function usage({ types: { text } }: Dialect, { usage, totals }: Tables): string[] {
  return [
    `create table ${usage} (at bigint not null, id ${text} not null, record ${text} not null, primary key (at, id))`,
    `create table ${totals} (
      day ${text} not null, provider ${text} not null, route ${text} not null, model ${text} not null,
      "user" ${text} not null, pool ${text} not null, local integer not null,
      requests bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null,
      nano_usd bigint not null,
      primary key (day, provider, route, model, "user", pool)
    )`,
  ]
}

/** Keys as they were told, and bytes under a name until their time is over. */
function keysAndCache({ types: { text, bytes } }: Dialect, { keys, cache }: Tables): string[] {
  return [
    `create table ${keys} (id ${text} not null primary key, version bigint not null, "user" ${text} not null, record ${text} not null)`,
    `create index ${indexOn(keys, 'user')} on ${keys} ("user", id)`,
    `create table ${cache} (key ${text} not null primary key, value ${bytes} not null, until bigint not null)`,
    `create index ${indexOn(cache, 'until')} on ${cache} (until)`,
  ]
}

/**
 * A credit is a row of its pool, which knows its last entry about one, 0 where it never had any. What credits pay of an
 * account is `drawn` there, and credit by credit in the holds (`beside`), as are a reservation's refunds: null for nearly
 * all. Entries of both stand among the corrections; those of a credit have its id for a reservation.
 */
function creditsAndRefunds({ types: { text } }: Dialect, tables: Tables): string[] {
  const { pools, accounts, holds, corrections, credits } = tables
  return [
    `alter table ${pools} add column credit_entry bigint not null default 0`,
    ...['tokens', 'nano_usd'].map(
      (unit) => `alter table ${accounts} add column drawn_${unit} bigint not null default 0`,
    ),
    `alter table ${holds} add column beside ${text}`,
    `alter table ${corrections} add column kind ${text} not null default 'correction'`,
    ...['reference', 'note'].map((column) => `alter table ${corrections} add column ${column} ${text}`),
    `create table ${credits} (
      pool ${text} not null, credit ${text} not null,
      tokens bigint not null, nano_usd bigint not null, left_tokens bigint not null, left_nano_usd bigint not null,
      until bigint, note ${text},
      primary key (pool, credit)
    )`,
    `create index ${indexOn(credits, 'left')} on ${credits} (pool) where left_tokens > 0 or left_nano_usd > 0`,
    `create index ${indexOn(credits, 'until')} on ${credits} (until) where left_tokens > 0 or left_nano_usd > 0`,
  ]
}

/** Payloads of calls as they were encrypted, and the key of each subject, without which they are noise. */
function payloads({ types: { text, bytes } }: Dialect, { payloads, subjects }: Tables): string[] {
  return [
    `create table ${payloads} (
      id ${text} not null primary key, subject ${text} not null, key ${text} not null, at bigint not null,
      sealed ${bytes} not null
    )`,
    `create index ${indexOn(payloads, 'at')} on ${payloads} (at)`,
    `create table ${subjects} (
      subject ${text} not null primary key, id ${text} not null, wrapped_by ${text} not null, wrapped ${bytes} not null
    )`,
  ]
}
