import { HooshError } from '@hoosh/core/storage'
import type { Dialect } from './dialect.js'

const NAMES = [
  'schema',
  'pools',
  'accounts',
  'holds',
  'corrections',
  'staged',
  'audit',
  'writers',
  'checkpoints',
  'usage',
  'totals',
] as const

/** Our tables as statements name them. The prefix is checked, so they need no quotes. */
export type Tables = Readonly<Record<(typeof NAMES)[number], string>>

/** @throws HooshError `invalid_options` for a prefix that is not lower-case letters, digits and underscores, 32 at most */
export function tablesOf(prefix: string): Tables {
  if (!/^[a-z_][a-z0-9_]{0,31}$/.test(prefix)) {
    const message = '`prefix` must be lower-case letters, digits and underscores, 32 at most, the first no digit.'
    throw new HooshError('invalid_options', { message })
  }
  return Object.fromEntries(NAMES.map((name) => [name, prefix + name])) as Tables
}

type Step = (dialect: Dialect, tables: Tables) => readonly string[]

/** Steps of the schema, forward only: a database's version is how many of them it has been through. */
export const steps: readonly Step[] = [
  (dialect, tables) => [...ledger(tables), ...audit(dialect, tables), ...usage(tables)],
  (_, tables) => checkpoints(tables),
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
function ledger({ pools, accounts, holds, corrections }: Tables): string[] {
  return [
    `create table ${pools} (name text not null primary key, template text, override text)`,
    `create table ${accounts} (
      pool text not null, window_start bigint not null, window_end bigint,
      used_tokens bigint not null, used_nano_usd bigint not null,
      held_tokens bigint not null, held_nano_usd bigint not null,
      last_entry bigint not null,
      primary key (pool, window_start)
    )`,
    `create table ${holds} (
      reservation text not null, place integer not null, pool text not null, window_start bigint not null,
      owner text not null, phase text not null, state text not null,
      held_tokens bigint not null, held_nano_usd bigint not null,
      counted_tokens bigint not null, counted_nano_usd bigint not null,
      charged_tokens bigint not null, charged_nano_usd bigint not null,
      overrun_tokens bigint not null, overrun_nano_usd bigint not null,
      corrected_tokens bigint, corrected_nano_usd bigint,
      output_tokens bigint not null, since bigint not null, lease_until bigint not null,
      entry bigint, ended_at bigint,
      intent_id text, intent_at bigint, call text
    )`,
    `create unique index ${holds}_reservation on ${holds} (reservation, pool)`,
    `create index ${holds}_lease on ${holds} (lease_until, pool) where state = 'held'`,
    `create index ${holds}_owner on ${holds} (owner, since) where state = 'held' and phase = 'reserved'`,
    `create index ${holds}_entry on ${holds} (pool, entry) where entry is not null`,
    `create table ${corrections} (
      pool text not null, entry bigint not null, reservation text not null, window_start bigint not null,
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
  const told = (name: string, type: 'text' | 'bigint', of: string) =>
    `${name} ${type} generated always as (${of}) stored`
  const at = told('at', 'bigint', dialect.field('text', 'timestamp', 'integer'))
  const id = told('id', 'text', dialect.field('text', 'id', 'text'))
  return [
    `create table ${staged} (n ${dialect.counter} primary key, writer text not null, text text not null, ${at}, ${id})`,
    `create unique index ${staged}_at on ${staged} (at, id)`,
    `create table ${audit} (
      writer text not null, seq bigint not null, epoch bigint not null,
      previous_hash text not null, hash text not null, signature text not null,
      text text not null,
      at bigint not null, id text not null, event text not null, model text, subject text
    )`,
    `create unique index ${audit}_chain on ${audit} (writer, seq)`,
    `create unique index ${audit}_at on ${audit} (at, id)`,
    `create index ${audit}_subject on ${audit} (subject, at, model, event)`,
    `create index ${audit}_model on ${audit} (model, at, event)`,
    `create index ${audit}_event on ${audit} (event, at)`,
    `create table ${writers} (writer text not null primary key, seq bigint not null, hash text not null)`,
  ]
}

/**
 * A writer's row says how many checkpoints there are of it, and behind which entry the chain begins that is still here;
 * a checkpoint is the line that was signed.
 */
function checkpoints({ writers, checkpoints }: Tables): string[] {
  return [
    `alter table ${writers} add column epoch bigint not null default 0`,
    `alter table ${writers} add column anchor_seq bigint not null default 0`,
    `alter table ${writers} add column anchor_hash text not null default '${'0'.repeat(64)}'`,
    `create table ${checkpoints} (
      writer text not null, epoch bigint not null, seq bigint not null, line text not null,
      primary key (writer, epoch)
    )`,
  ]
}

/** Records as they were told, keyed by time first as those of the log are, and what they add up to each day. */
function usage({ usage, totals }: Tables): string[] {
  return [
    `create table ${usage} (at bigint not null, id text not null, record text not null, primary key (at, id))`,
    `create table ${totals} (
      day text not null, provider text not null, route text not null, model text not null,
      "user" text not null, pool text not null, local integer not null,
      requests bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null,
      nano_usd bigint not null,
      primary key (day, provider, route, model, "user", pool)
    )`,
  ]
}
