create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

create table hoosh_pools (name text not null primary key, template text, override text);

create table hoosh_accounts (
      pool text not null, window_start bigint not null, window_end bigint,
      used_tokens bigint not null, used_nano_usd bigint not null,
      held_tokens bigint not null, held_nano_usd bigint not null,
      last_entry bigint not null,
      primary key (pool, window_start)
    );

create table hoosh_holds (
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
    );

create unique index hoosh_holds_reservation on hoosh_holds (reservation, pool);

create index hoosh_holds_lease on hoosh_holds (lease_until, pool) where state = 'held';

create index hoosh_holds_owner on hoosh_holds (owner, since) where state = 'held' and phase = 'reserved';

create index hoosh_holds_entry on hoosh_holds (pool, entry) where entry is not null;

create table hoosh_corrections (
      pool text not null, entry bigint not null, reservation text not null, window_start bigint not null,
      tokens bigint not null, nano_usd bigint not null,
      overrun_tokens bigint not null, overrun_nano_usd bigint not null,
      at bigint not null,
      primary key (pool, entry, reservation)
    );

create table hoosh_staged (n integer primary key, writer text not null, text text not null,
      at bigint generated always as (text ->> '$.timestamp') stored, id text generated always as (text ->> '$.id') stored);

create unique index hoosh_staged_at on hoosh_staged (at, id);

create table hoosh_audit (
      writer text not null, seq bigint not null, epoch bigint not null,
      previous_hash text not null, hash text not null, signature text not null,
      text text not null,
      at bigint not null, id text not null, event text not null, model text, subject text
    );

create unique index hoosh_audit_chain on hoosh_audit (writer, seq);

create unique index hoosh_audit_at on hoosh_audit (at, id);

create index hoosh_audit_subject on hoosh_audit (subject, at, model, event);

create index hoosh_audit_model on hoosh_audit (model, at, event);

create index hoosh_audit_event on hoosh_audit (event, at);

create table hoosh_writers (writer text not null primary key, seq bigint not null, hash text not null);

create table hoosh_usage (at bigint not null, id text not null, record text not null, primary key (at, id));

create table hoosh_totals (
      day text not null, provider text not null, route text not null, model text not null,
      "user" text not null, pool text not null, local integer not null,
      requests bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null,
      nano_usd bigint not null,
      primary key (day, provider, route, model, "user", pool)
    );

insert into hoosh_schema (id, version) values (1, 1)
    on conflict (id) do update set version = excluded.version;
