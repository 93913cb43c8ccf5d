create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

create table hoosh_keys (id text not null primary key, version bigint not null, "user" text not null, record text not null);

create index hoosh_keys_user on hoosh_keys ("user", id);

create table hoosh_cache (key text not null primary key, value blob not null, until bigint not null);

create index hoosh_cache_until on hoosh_cache (until);

insert into hoosh_schema (id, version) values (1, 4)
    on conflict (id) do update set version = excluded.version;
