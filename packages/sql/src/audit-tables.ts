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
import type { Columns, Dialect } from './dialect.js'
import { type Runner, rowsStatement, statement } from './statement.js'
import type { Tables } from './tables.js'

export type AuditTables = ReturnType<typeof auditTables>

type Row = Record<string, unknown>

const STAGED: Columns = {
  writer: 'text',
  text: 'text',
  at: 'integer',
  id: 'text',
  event: 'text',
  model: 'text',
  subject: 'text',
}
const PLACE: Columns = { at: 'integer', id: 'text' }
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
export function auditTables(dialect: Dialect, tables: Tables) {
  const sql = auditStatements(dialect, tables)
  return {
    async stage(runner: Runner, records: readonly { writer: string; record: AuditRecord }[]): Promise<void> {
      const rows = records.map(({ writer, record }) => [writer, JSON.stringify(record), ...toldOf(dialect, record)])
      await sql.insertStaged(runner, rows)
    },

    async link(runner: Runner, writer: string, after: ChainHead, entries: readonly LinkedRecord[]): Promise<boolean> {
      const head = placeOf((await sql.headOf(runner, writer))[0])
      const last = entries.at(-1)
      if (last === undefined) return isAt(head, after)
      if (!isAt(head, after) || head.epoch !== entries[0]!.integrity.epoch) return false
      const places = entries.map(({ record }) => [record.timestamp, record.id])
      const keys = dialect.rowsParameters(PLACE, places)
      const [known] = await sql.countLinked(runner, ...keys)
      if (Number(known!.found) > 0) {
        // Staged once more at the very moment it was linked: nobody needs it again.
        await sql.deleteStagedTwice(runner, ...keys)
        return false
      }
      const rows = entries.map((entry) => rowOf(dialect, entry))
      await sql.insertLinked(runner, rows)
      await sql.deleteStaged(runner, ...keys)
      await sql.saveHead(runner, writer, last.integrity.seq, last.integrity.hash)
      return true
    },

    async checkpoint(runner: Runner, writer: string, at: ChainHead, checkpoint: NewCheckpoint): Promise<boolean> {
      const head = placeOf((await sql.headOf(runner, writer))[0])
      const { epoch, seq, line } = checkpoint
      if (head.seq === 0 || !isAt(head, at) || head.epoch !== epoch) return false
      await sql.insertCheckpoint(runner, writer, epoch, seq, line)
      await sql.saveEpoch(runner, epoch + 1, writer)
      return true
    },

    async trim(runner: Runner, writer: string, { seq, hash }: ChainHead): Promise<boolean> {
      await sql.headOf(runner, writer)
      const [entry] = await sql.hashOf(runner, writer, seq)
      if (entry === undefined || textOf(entry.hash) !== hash) return false
      await sql.deleteUpTo(runner, writer, seq)
      await sql.saveAnchor(runner, seq, hash, writer)
      return true
    },

    /** A record by what its reservation remembers of it; null where it is not here, or not what it was. */
    async recordOf(runner: Runner, at: number, id: string): Promise<AuditRecord | null> {
      const [row] = await sql.findText(runner, at, id, at, id)
      try {
        return row === undefined ? null : (JSON.parse(textOf(row.text) ?? '') as AuditRecord)
      } catch {
        return null
      }
    },
  }
}

function auditStatements(dialect: Dialect, { staged, audit, writers, checkpoints }: Tables) {
  const stagedNames = Object.keys(STAGED).join(', ')
  const linkedNames = Object.keys(LINKED).join(', ')
  const { bytes } = dialect
  // A chain of several writers moves by whoever has its head.
  const locked = dialect.locksRows ? ' for update' : ''
  const keys = dialect.rows(PLACE)
  const stagedAt = `select s.n from ${keys} as k join ${staged} as s on s.at = k.at and s.id = k.id`
  const isLinked = `from ${audit} as a where a.at = s.at and a.id = s.id`
  const unlessLinked = `where not exists (select 1 ${isLinked}) on conflict do nothing`
  return {
    insertStaged: rowsStatement(
      dialect,
      STAGED,
      (rows) => `insert into ${staged} (${stagedNames}) select ${stagedNames} from ${rows} as s ${unlessLinked}`,
    ),
    headOf: statement<Row>(
      dialect,
      `select seq, ${bytes('hash')} as hash, epoch from ${writers} where writer = ?${locked}`,
    ),
    saveHead: statement<never>(
      dialect,
      `insert into ${writers} (writer, seq, hash) values (?, ?, ?)
        on conflict (writer) do update set seq = excluded.seq, hash = excluded.hash`,
    ),
    insertCheckpoint: statement<never>(
      dialect,
      `insert into ${checkpoints} (writer, epoch, seq, line) values (?, ?, ?, ?)`,
    ),
    hashOf: statement<Row>(dialect, `select ${bytes('hash')} as hash from ${audit} where writer = ? and seq = ?`),
    deleteUpTo: statement<never>(dialect, `delete from ${audit} where writer = ? and seq <= ?`),
    saveAnchor: statement<never>(dialect, `update ${writers} set anchor_seq = ?, anchor_hash = ? where writer = ?`),
    saveEpoch: statement<never>(dialect, `update ${writers} set epoch = ? where writer = ?`),
    insertLinked: rowsStatement(
      dialect,
      LINKED,
      (rows) => `insert into ${audit} (${linkedNames}) select ${linkedNames} from ${rows} as r where true`,
    ),
    countLinked: statement<Row>(
      dialect,
      `select count(*) as found from ${keys} as k join ${audit} as a on a.at = k.at and a.id = k.id`,
    ),
    deleteStaged: statement<never>(dialect, `delete from ${staged} where n in (${stagedAt})`),
    deleteStagedTwice: statement<never>(
      dialect,
      `delete from ${staged} where n in (${stagedAt} where exists (select 1 ${isLinked}))`,
    ),
    findText: statement<Row>(
      dialect,
      `select ${bytes('text')} as text from ${staged} where at = ? and id = ?
        union all select ${bytes('text')} from ${audit} where at = ? and id = ? limit 1`,
    ),
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

function rowOf(dialect: Dialect, { record, body, integrity }: LinkedRecord): unknown[] {
  const { writer, seq, epoch, previous_hash, hash, signature } = integrity
  return [writer, seq, epoch, previous_hash, hash, signature, body, ...toldOf(dialect, record)]
}

/** What a record is found by: `at`, `id`, `event`, `model`, `subject`. */
function toldOf({ told }: Dialect, { timestamp, id, event, model, subject }: AuditRecord): unknown[] {
  const orNull = (text: string | undefined) => (text === undefined ? null : told(text))
  return [timestamp, id, told(event), orNull(model), orNull(subject)]
}

/**
 * A row of the chain as `entryOf` reads it. Bytes cost drivers more than text, so hashes and signature come as one, and
 * whether the entry is found by what its text says is the database's to tell where it can.
 */
export function entryColumns({ bytes, isSame }: Dialect): string {
  const same = isSame('text', [
    ['timestamp', 'at'],
    ['id', 'id'],
    ['event', 'event'],
    ['model', 'model'],
    ['subject', 'subject'],
  ])
  return `${bytes('writer')} as writer, seq, epoch, at, ${bytes('previous_hash || hash || signature')} as hashes,
    ${bytes('text')} as text, ${same} as same${same === 'null' ? ', id, event, model, subject' : ''}`
}

/** A text that was read as bytes; null where it is none, or none any more. */
export function textOf(stored: unknown): string | null {
  if (typeof stored === 'string') return stored
  // libsql gives blobs as ArrayBuffers, better-sqlite3 as Buffers.
  const bytes = stored instanceof ArrayBuffer ? new Uint8Array(stored) : stored
  if (!(bytes instanceof Uint8Array) || !isUtf8(bytes)) return null
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

/** A row of the chain as it stands. What is no JSON any more is damaged, and so is what filters would find it by otherwise. */
export function entryOf(dialect: Dialect, row: Row): StoredEntry {
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
    const isSame = row.same === null ? isFoundBy(dialect, record, row) : Number(row.same) === 1
    return isSame ? entry : { ...entry, damaged: 'what it is found by is not what its text says' }
  } catch {
    const record: AuditRecord = { id: '', timestamp: 0, event: '', level: 'error', message: '' }
    return { record, body, integrity, cursor: `${String(row.at)}.`, damaged: 'the stored text is no JSON' }
  }
}

function isFoundBy(dialect: Dialect, record: AuditRecord, row: Row): boolean {
  const found = [Number(row.at), row.id, row.event, row.model, row.subject]
  return toldOf(dialect, record).every((value, place) => value === found[place])
}
