create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

drop index hoosh_staged_at;

alter table hoosh_staged rename to hoosh_staged_1;

create table hoosh_staged (
      n integer primary key, writer text not null, text text not null,
      at bigint not null, id text not null, event text not null, model text, subject text
    );

insert into hoosh_staged select n, writer, text, at, id, text ->> '$.event', text ->> '$.model', text ->> '$.subject' from hoosh_staged_1;

drop table hoosh_staged_1;

create unique index hoosh_staged_at on hoosh_staged (at, id);

alter table hoosh_accounts add column dropped_tokens bigint not null default 0;

alter table hoosh_accounts add column dropped_nano_usd bigint not null default 0;

create table hoosh_rates (key text not null primary key, sum bigint not null, over_at bigint not null);

create index hoosh_rates_over on hoosh_rates (over_at);

create table hoosh_events (
      key text not null, slot bigint not null, at bigint not null, cost bigint not null, primary key (key, slot)
    );

create table hoosh_places (key text not null, id text not null, until bigint not null, primary key (key, id));

insert into hoosh_schema (id, version) values (1, 2)
    on conflict (id) do update set version = excluded.version;
