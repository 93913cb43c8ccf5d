import {
  type Amount,
  type CallFacts,
  type Credit,
  type Draw,
  type Entry,
  HooshError,
  liveCredits,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  type Reservation,
  type Standing,
  type UsageRecord,
  windowAt,
} from '@hoosh/core/storage'
import type Database from 'libsql'
import { TABLES } from './tables.js'

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] }

/** A reservation, as it is kept in `body`. */
export interface Held extends Mutable<Standing> {
  owner: string
  phase: Reservation['phase']
  leaseUntil: number
  outputTokens: number
  accounts: HeldAccount[]
  call?: CallFacts | undefined
  lost?: UsageRecord | undefined
}

/** Where a reservation is held, and what it takes from the credits there. */
export interface HeldAccount {
  pool: string
  windowStart: number
  draws: readonly Draw[]
}

/** Rows of the tables, read and written inside of whatever transaction is open. */
export function booksOf(db: Database.Database) {
  db.exec(TABLES)
  const sql = {
    pool: db.prepare('select * from budget_pools where name = ?'),
    pools: db.prepare(`select name, template, override from budget_pools
      where name > ? and (template is not null or override is not null) order by name limit ?`),
    overrides: db.prepare('select name, override from budget_pools where override is not null order by name'),
    saveTemplate: db.prepare(`insert into budget_pools (name, template) values (?, ?)
      on conflict (name) do update set template = excluded.template`),
    dropPool: db.prepare('delete from budget_pools where name = ?'),
    dropAccounts: db.prepare('delete from budget_accounts where pool = ?'),
    dropCredits: db.prepare('delete from budget_credits where pool = ?'),
    heldIn: db.prepare(`select 1 from budget_reservations, json_each(body, '$.accounts') as account
      where state = 'held' and account.value ->> 'pool' = ? limit 1`),
    saveOverride: db.prepare(`insert into budget_pools (name, override) values (?, ?)
      on conflict (name) do update set override = excluded.override`),
    account: db.prepare('select * from budget_accounts where pool = ? and window_start = ?'),
    saveAccount: db.prepare('insert or replace into budget_accounts values (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    credits: db.prepare('select * from budget_credits where pool = ?'),
    over: db.prepare(`select * from budget_credits
      where expires_at <= ? and (left_tokens > 0 or left_nano_usd > 0) order by expires_at limit ?`),
    saveCredit: db.prepare('insert or replace into budget_credits values (?, ?, ?, ?, ?, ?, ?, ?)'),
    reservation: db.prepare('select body from budget_reservations where id = ?'),
    late: db.prepare(`select body from budget_reservations
      where state = 'held' and lease_until <= ? order by lease_until, number limit ?`),
    open: db.prepare(`select body from budget_reservations
      where state = 'held' and phase = 'reserved' and owner = ? order by number`),
    saveReservation: db.prepare(`insert into budget_reservations (id, owner, phase, state, lease_until, body)
      values (?, ?, ?, ?, ?, ?) on conflict (id)
      do update set state = excluded.state, lease_until = excluded.lease_until, body = excluded.body`),
    entries: db.prepare('select * from budget_entries where pool = ? and number < ? order by number desc limit ?'),
    addEntry: db.prepare(`insert into budget_entries
      (pool, window_start, reservation, kind, tokens, nano_usd, overrun_tokens, overrun_nano_usd, at, reference, note)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
  }
  const overrideOf = (name: string) => termsOf((sql.pool.get(name) as Row | undefined)?.override)
  const templateOf = (name: string) => termsOf((sql.pool.get(name) as Row | undefined)?.template)
  const credits = (pool: string): Credit[] => (sql.credits.all(pool) as Row[]).map(creditOf)
  const stateOf = (name: string, terms: PoolTerms, windowStart: number, at: number): PoolState => {
    const row = (sql.account.get(name, windowStart) ?? {}) as Row
    return {
      ...{ name, terms, windowStart },
      windowEnd: (row.window_end as number | null | undefined) ?? null,
      used: amountOf(row.used_tokens, row.used_nano_usd),
      held: amountOf(row.held_tokens, row.held_nano_usd),
      drawn: amountOf(row.drawn_tokens, row.drawn_nano_usd),
      credits: liveCredits(credits(name), at),
    }
  }

  return {
    /** The account that pays at a moment, as it stands; one that is not there yet is blank. */
    accountNow({ name, terms: template }: PoolAsk, now: number, at: number): PoolState {
      const terms = overrideOf(name) ?? template
      if (terms === null) {
        throw new HooshError('unknown_pool', { message: `There is no pool "${name}".`, details: { pool: name } })
      }
      const { start, end } = windowAt(terms, now)
      return { ...stateOf(name, terms, start, at), windowEnd: end }
    },

    /** The accounts a reservation is held in, whatever window counts now; those of pools that are gone are left out. */
    accountsOf: ({ accounts }: Held, at: number): PoolState[] =>
      accounts.flatMap(({ pool, windowStart }) => {
        const terms = overrideOf(pool) ?? templateOf(pool)
        return terms === null ? [] : [stateOf(pool, terms, windowStart, at)]
      }),

    isHeldIn: (pool: string): boolean => sql.heldIn.get(pool) !== undefined,

    /** All of a pool but its entries. */
    drop(pool: string): void {
      for (const statement of [sql.dropPool, sql.dropAccounts, sql.dropCredits]) statement.run(pool)
    },

    saveAccount({ name, windowStart, windowEnd, used, held, drawn }: PoolState): void {
      const figures = [used, held, drawn].flatMap(({ tokens, nanoUsd }) => [tokens, nanoUsd])
      sql.saveAccount.run(name, windowStart, windowEnd, ...figures)
    },

    /** All of a pool, whatever became of them. */
    credits,

    /** Those of any pool that have expired and had something left. */
    overCredits: (at: number, limit: number) =>
      (sql.over.all(at, limit) as Row[]).map((row) => ({ pool: String(row.pool), credit: creditOf(row) })),

    saveCredit(pool: string, { id, expiresAt, note, amount, left }: Credit): void {
      sql.saveCredit.run(pool, id, expiresAt, note, amount.tokens, amount.nanoUsd, left.tokens, left.nanoUsd)
    },

    /** What the host's template says, or where it says nothing the override: what a hold is judged by once neither is left. */
    saveTemplate({ name, terms }: PoolAsk): void {
      sql.saveTemplate.run(name, JSON.stringify(terms ?? overrideOf(name)))
    },

    overrideOf,

    saveOverride: (name: string, terms: PoolTerms | null) =>
      void sql.saveOverride.run(name, terms && JSON.stringify(terms)),

    overrides: () =>
      (sql.overrides.all() as Row[]).map(({ name, override }) => ({ name: String(name), terms: termsOf(override)! })),

    pools: (after: string, limit: number): PoolAsk[] =>
      (sql.pools.all(after, limit) as Row[]).map(({ name, template }) => ({
        name: String(name),
        terms: termsOf(template),
      })),

    reservation: (id: string): Held | undefined => heldIn([sql.reservation.get(id)])[0],

    /** Held past their lease, the oldest first. */
    late: (at: number, limit: number): Held[] => heldIn(sql.late.all(at, limit)),

    /** Those of an owner in phase `reserved`, the oldest first. */
    open: (owner: string): Held[] => heldIn(sql.open.all(owner)),

    saveReservation(held: Held): void {
      const { id, owner, phase, state, leaseUntil } = held
      sql.saveReservation.run(id, owner, phase, state, leaseUntil, JSON.stringify(held))
    },

    addEntry(entry: Omit<Entry, 'id'>): void {
      const { pool, windowStart, reservation, kind, amount, overrun, at, reference, note } = entry
      const figures = [amount.tokens, amount.nanoUsd, overrun.tokens, overrun.nanoUsd]
      sql.addEntry.run(pool, windowStart, reservation, kind, ...figures, at, reference, note)
    },

    entries: (pool: string, before: number, limit: number): Entry[] =>
      (sql.entries.all(pool, before, limit) as Row[]).map((row) => ({
        id: String(row.number),
        reservation: row.reservation as string | null,
        pool,
        windowStart: row.window_start as number | null,
        kind: row.kind as Entry['kind'],
        amount: amountOf(row.tokens, row.nano_usd),
        overrun: amountOf(row.overrun_tokens, row.overrun_nano_usd),
        at: Number(row.at),
        reference: row.reference as string | null,
        note: row.note as string | null,
      })),
  }
}

type Row = Record<string, unknown>

function creditOf(row: Row): Credit {
  return {
    id: String(row.id),
    expiresAt: row.expires_at as number | null,
    note: row.note as string | null,
    amount: amountOf(row.tokens, row.nano_usd),
    left: amountOf(row.left_tokens, row.left_nano_usd),
  }
}

function amountOf(tokens: unknown = 0, nanoUsd: unknown = 0): Amount {
  return { tokens: Number(tokens), nanoUsd: Number(nanoUsd) }
}

function termsOf(text: unknown): PoolTerms | null {
  return typeof text === 'string' ? (JSON.parse(text) as PoolTerms) : null
}

function heldIn(rows: unknown[]): Held[] {
  return rows.flatMap((row) => (row === undefined ? [] : [JSON.parse((row as { body: string }).body) as Held]))
}
