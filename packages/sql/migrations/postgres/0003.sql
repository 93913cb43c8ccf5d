create table if not exists hoosh_schema (id integer primary key check (id = 1), version integer not null);

alter table hoosh_writers add column epoch bigint not null default 0;

alter table hoosh_writers add column anchor_seq bigint not null default 0;

alter table hoosh_writers add column anchor_hash text collate "C" not null default '0000000000000000000000000000000000000000000000000000000000000000';

create table hoosh_checkpoints (
      writer text collate "C" not null, epoch bigint not null, seq bigint not null, line text collate "C" not null,
      primary key (writer, epoch)
    );

insert into hoosh_schema (id, version) values (1, 3)
    on conflict (id) do update set version = excluded.version;
