create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

alter table hoosh_accounts add column dropped_tokens bigint not null default 0;

alter table hoosh_accounts add column dropped_nano_usd bigint not null default 0;

create table hoosh_rates (key text collate "C" not null primary key, sum bigint not null, over_at bigint not null);

create index hoosh_rates_over on hoosh_rates (over_at);

create table hoosh_events (
      key text collate "C" not null, slot bigint not null, at bigint not null, cost bigint not null, primary key (key, slot)
    );

create table hoosh_places (key text collate "C" not null, id text collate "C" not null, until bigint not null, primary key (key, id));

insert into hoosh_schema (id, version) values (1, 2)
    on conflict (id) do update set version = excluded.version;
