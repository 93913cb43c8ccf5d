create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

alter table hoosh_pools add column credit_entry bigint not null default 0;

alter table hoosh_accounts add column drawn_tokens bigint not null default 0;

alter table hoosh_accounts add column drawn_nano_usd bigint not null default 0;

alter table hoosh_holds add column beside text;

alter table hoosh_corrections add column kind text not null default 'correction';

alter table hoosh_corrections add column reference text;

alter table hoosh_corrections add column note text;

create table hoosh_credits (
      pool text not null, credit text not null,
      tokens bigint not null, nano_usd bigint not null, left_tokens bigint not null, left_nano_usd bigint not null,
      until bigint, note text,
      primary key (pool, credit)
    );

create index hoosh_credits_left on hoosh_credits (pool) where left_tokens > 0 or left_nano_usd > 0;

create index hoosh_credits_until on hoosh_credits (until) where left_tokens > 0 or left_nano_usd > 0;

insert into hoosh_schema (id, version) values (1, 6)
    on conflict (id) do update set version = excluded.version;
