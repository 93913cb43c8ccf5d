create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

create table hoosh_payloads (
      id text collate "C" not null primary key, subject text collate "C" not null, key text collate "C" not null, at bigint not null,
      sealed bytea not null
    );

create index hoosh_payloads_at on hoosh_payloads (at);

create table hoosh_subjects (
      subject text collate "C" not null primary key, id text collate "C" not null, wrapped_by text collate "C" not null, wrapped bytea not null
    );

insert into hoosh_schema (id, version) values (1, 5)
    on conflict (id) do update set version = excluded.version;
