import { isUtf8 } from 'node:buffer'
import {
  type AuditIntegrity,
  type AuditRecord,
  type ChainHead,
  GENESIS,
  type LinkedRecord,
  type NewCheckpoint,
  type StoredEntry,
} from '@hoosh/core/storage'
import { type Runner, rowsStatement, statement } from './connection.js'
import type { Columns, Dialect } from './dialect.js'
import type { Tables } from './schema.js'

export type AuditTables = ReturnType<typeof auditTables>

type Row = Record<string, unknown>

const STAGED: Columns = { writer: 'text', text: 'text', at: 'integer', id: 'text' }
const LINKED: Columns = {
  writer: 'text',
  seq: 'integer',
  epoch: 'integer',
  previous_hash: 'text',
  hash: 'text',
  signature: 'text',
  text: 'text',
  at: 'integer',
  id: 'text',
  event: 'text',
  model: 'text',
  subject: 'text',
}

/** The writes of the log. They run inside the transaction they are given. */
export function auditTables(dialect: Dialect, { staged, audit, writers, checkpoints }: Tables) {
  const insertStaged = rowsStatement(
    dialect,
    STAGED,
    (rows) => `insert into ${staged} (writer, text) select writer, text from ${rows} as r
      where not exists (select 1 from ${audit} as a where a.at = r.at and a.id = r.id) on conflict do nothing`,
  )
  const headOf = statement<Row>(`select seq, ${dialect.bytes('hash')} as hash, epoch from ${writers} where writer = ?`)
  const saveHead = statement<never>(
    `insert into ${writers} (writer, seq, hash) values (?, ?, ?)
      on conflict (writer) do update set seq = excluded.seq, hash = excluded.hash`,
  )
  const insertCheckpoint = statement<never>(`insert into ${checkpoints} (writer, epoch, seq, line) values (?, ?, ?, ?)`)
  const saveEpoch = statement<never>(`update ${writers} set epoch = ? where writer = ?`)
  const linked = Object.keys(LINKED).join(', ')
  const insertLinked = rowsStatement(
    dialect,
    LINKED,
    (rows) => `insert into ${audit} (${linked}) select ${linked} from ${rows} as r where true`,
  )
  const keys = dialect.rows({ at: 'integer', id: 'text' })
  const countLinked = statement<Row>(
    `select count(*) as found from ${keys} as k join ${audit} as a on a.at = k.at and a.id = k.id`,
  )
  const deleteStaged = statement<never>(
    `delete from ${staged} where n in (select s.n from ${keys} as k join ${staged} as s on s.at = k.at and s.id = k.id)`,
  )
  const findText = statement<Row>(
    `select ${dialect.bytes('text')} as text from ${staged} where at = ? and id = ?
      union all select ${dialect.bytes('text')} from ${audit} where at = ? and id = ? limit 1`,
  )
  return {
    async stage(runner: Runner, records: readonly { writer: string; record: AuditRecord }[]): Promise<void> {
      const rows = records.map(({ writer, record }) => [writer, JSON.stringify(record), record.timestamp, record.id])
      await insertStaged(runner, rows)
    },

    async link(runner: Runner, writer: string, after: ChainHead, entries: readonly LinkedRecord[]): Promise<boolean> {
      const head = placeOf((await headOf(runner, writer))[0])
      const last = entries.at(-1)
      if (last === undefined) return isAt(head, after)
      if (!isAt(head, after) || head.epoch !== entries[0]!.integrity.epoch) return false
      const places = JSON.stringify(entries.map(({ record }) => [record.timestamp, record.id]))
      const [known] = await countLinked(runner, places)
      if (Number(known!.found) > 0) return false
      await insertLinked(runner, entries.map(rowOf))
      await deleteStaged(runner, places)
      await saveHead(runner, writer, last.integrity.seq, last.integrity.hash)
      return true
    },

    async checkpoint(runner: Runner, writer: string, at: ChainHead, checkpoint: NewCheckpoint): Promise<boolean> {
      const head = placeOf((await headOf(runner, writer))[0])
      const { epoch, seq, line } = checkpoint
      if (head.seq === 0 || !isAt(head, at) || head.epoch !== epoch) return false
      await insertCheckpoint(runner, writer, epoch, seq, line)
      await saveEpoch(runner, epoch + 1, writer)
      return true
    },

    /** A record by what its reservation remembers of it; null where it is not here, or not what it was. */
    async recordOf(runner: Runner, at: number, id: string): Promise<AuditRecord | null> {
      const [row] = await findText(runner, at, id, at, id)
      try {
        return row === undefined ? null : (JSON.parse(textOf(row.text) ?? '') as AuditRecord)
      } catch {
        return null
      }
    },
  }
}

/** Where a chain stands: a row of `writers`, or none yet. */
function placeOf(row: Row | undefined): ChainHead & { readonly epoch: number } {
  if (row === undefined) return { ...GENESIS, epoch: 0 }
  return { seq: Number(row.seq), hash: textOf(row.hash) ?? '', epoch: Number(row.epoch) }
}

function isAt({ seq, hash }: ChainHead, place: ChainHead): boolean {
  return seq === place.seq && hash === place.hash
}

function rowOf({ record, body, integrity }: LinkedRecord): unknown[] {
  const { writer, seq, epoch, previous_hash, hash, signature } = integrity
  const { timestamp, id, event, model = null, subject = null } = record
  return [writer, seq, epoch, previous_hash, hash, signature, body, timestamp, id, event, model, subject]
}

/**
 * A row of the chain as `entryOf` reads it. Bytes cost drivers more than text, so hashes and signature come as one, and
 * whether the entry is found by what its text says is the database's to tell.
 */
export function entryColumns({ bytes, field, isJson }: Dialect): string {
  const told = [
    ['timestamp', 'at'],
    ['id', 'id'],
    ['event', 'event'],
    ['model', 'model'],
    ['subject', 'subject'],
  ] as const
  const same = told.map(([name, column]) => `${column} is not distinct from ${field('text', name, LINKED[column]!)}`)
  return `${bytes('writer')} as writer, seq, epoch, at, ${bytes('previous_hash || hash || signature')} as hashes,
    ${bytes('text')} as text, case when ${isJson('text')} then ${same.join(' and ')} else false end as same`
}

/** A text that was read as bytes; null where it is none, or none any more. */
export function textOf(stored: unknown): string | null {
  // libsql gives blobs as ArrayBuffers, better-sqlite3 as Buffers.
  const bytes = stored instanceof ArrayBuffer ? new Uint8Array(stored) : stored
  if (!(bytes instanceof Uint8Array) || !isUtf8(bytes)) return null
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

/** A row of the chain as it stands. What is no JSON any more is damaged, and so is what filters would find it by otherwise. */
export function entryOf(row: Row): StoredEntry {
  const hashes = textOf(row.hashes) ?? ''
  const integrity: AuditIntegrity = {
    version: '2',
    writer: textOf(row.writer) ?? '',
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    previous_hash: hashes.slice(0, 64),
    hash: hashes.slice(64, 128),
    signature: hashes.slice(128),
  }
  const body = textOf(row.text) ?? ''
  try {
    const { integrity: _place, ...record } = JSON.parse(body) as AuditRecord & { integrity: unknown }
    const entry = { record, body, integrity, cursor: `${String(row.at)}.${record.id}` }
    return Number(row.same) === 1 ? entry : { ...entry, damaged: 'what it is found by is not what its text says' }
  } catch {
    const record: AuditRecord = { id: '', timestamp: 0, event: '', level: 'error', message: '' }
    return { record, body, integrity, cursor: `${String(row.at)}.`, damaged: 'the stored text is no JSON' }
  }
}
