create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

create table hoosh_payloads (
      id text not null primary key, subject text not null, key text not null, at bigint not null,
      sealed blob not null
    );

create index hoosh_payloads_at on hoosh_payloads (at);

create table hoosh_subjects (
      subject text not null primary key, id text not null, wrapped_by text not null, wrapped blob not null
    );

insert into hoosh_schema (id, version) values (1, 5)
    on conflict (id) do update set version = excluded.version;
