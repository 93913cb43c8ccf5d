/** The app's own tables: amounts are whole tokens and nano-dollars, times milliseconds since the epoch. */
export const TABLES = `
  create table if not exists budget_pools (
    name text primary key,
    template text,                  -- what \`pools\` of the options said last, as JSON
    override text                   -- what an admin has set instead, as JSON
  );
  create table if not exists budget_accounts (
    pool text not null, window_start integer not null, window_end integer,
    used_tokens integer not null, used_nano_usd integer not null,
    held_tokens integer not null, held_nano_usd integer not null,
    drawn_tokens integer not null, drawn_nano_usd integer not null,   -- what credits pay of both
    primary key (pool, window_start)
  );
  create table if not exists budget_credits (
    pool text not null, id text not null, expires_at integer, note text,
    tokens integer not null, nano_usd integer not null,
    left_tokens integer not null, left_nano_usd integer not null,     -- neither spent nor held
    primary key (pool, id)
  );
  create table if not exists budget_reservations (
    number integer primary key,     -- in the order they were made
    id text not null unique, owner text not null, phase text not null, state text not null, lease_until integer not null,
    body text not null              -- all of it, as JSON
  );
  create index if not exists budget_open on budget_reservations (lease_until) where state = 'held';
  create index if not exists budget_owners on budget_reservations (owner) where state = 'held' and phase = 'reserved';
  create table if not exists budget_entries (
    number integer primary key autoincrement,
    pool text not null, window_start integer, reservation text, kind text not null,
    tokens integer not null, nano_usd integer not null, overrun_tokens integer not null, overrun_nano_usd integer not null,
    at integer not null, reference text, note text
  );
  create index if not exists budget_pages on budget_entries (pool, number);
`
