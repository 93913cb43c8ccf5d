import type { AuditIntegrity, AuditRecord, ChainHead, LinkedRecord, StoredEntry } from '@hoosh/core/storage'
import { type Runner, statement } from './connection.js'
import type { Columns, Dialect } from './dialect.js'
import type { Tables } from './schema.js'

export type AuditTables = ReturnType<typeof auditTables>

type Row = Record<string, unknown>

const STAGED: Columns = { writer: 'text', text: 'text' }
const LINKED: Columns = {
  writer: 'text',
  seq: 'integer',
  epoch: 'integer',
  previous_hash: 'text',
  hash: 'text',
  signature: 'text',
  text: 'text',
}

/** The writes of the log. They run inside the transaction they are given. */
export function auditTables(dialect: Dialect, { staged, audit, writers }: Tables) {
  const insertStaged = statement<never>(
    `insert into ${staged} (writer, text) select writer, text from ${dialect.rows(STAGED)} as r where true on conflict do nothing`,
  )
  const headOf = statement<Row>(`select seq, hash from ${writers} where writer = ?`)
  const saveHead = statement<never>(
    `insert into ${writers} (writer, seq, hash) values (?, ?, ?)
      on conflict (writer) do update set seq = excluded.seq, hash = excluded.hash`,
  )
  const insertLinked = statement<never>(
    `insert into ${audit} (${Object.keys(LINKED).join(', ')}) select ${Object.keys(LINKED).join(', ')} from ${dialect.rows(LINKED)} as r where true`,
  )
  const keys = dialect.rows({ at: 'integer', id: 'text' })
  const countLinked = statement<Row>(
    `select count(*) as found from ${keys} as k join ${audit} as a on a.at = k.at and a.id = k.id`,
  )
  const deleteStaged = statement<never>(
    `delete from ${staged} where n in (select s.n from ${keys} as k join ${staged} as s on s.at = k.at and s.id = k.id)`,
  )
  const findText = statement<Row>(
    `select text from ${staged} where at = ? and id = ? union all select text from ${audit} where at = ? and id = ? limit 1`,
  )
  return {
    async stage(runner: Runner, records: readonly { writer: string; record: AuditRecord }[]): Promise<void> {
      if (records.length === 0) return
      await insertStaged(runner, JSON.stringify(records.map(({ writer, record }) => [writer, JSON.stringify(record)])))
    },

    async link(runner: Runner, writer: string, after: ChainHead, entries: readonly LinkedRecord[]): Promise<boolean> {
      const [head] = await headOf(runner, writer)
      const seq = head === undefined ? 0 : Number(head.seq)
      const hash = head === undefined ? '0'.repeat(64) : String(head.hash)
      if (seq !== after.seq || hash !== after.hash) return false
      const places = JSON.stringify(entries.map(({ record }) => [record.timestamp, record.id]))
      const [linked] = await countLinked(runner, places)
      if (Number(linked!.found) > 0) return false
      await insertLinked(runner, JSON.stringify(entries.map(rowOf)))
      await deleteStaged(runner, places)
      const last = entries.at(-1)
      if (last !== undefined) await saveHead(runner, writer, last.integrity.seq, last.integrity.hash)
      return true
    },

    /** A record by what its reservation remembers of it; null where it is not here. */
    async recordOf(runner: Runner, at: number, id: string): Promise<AuditRecord | null> {
      const [row] = await findText(runner, at, id, at, id)
      return row === undefined ? null : (JSON.parse(String(row.text)) as AuditRecord)
    },
  }
}

function rowOf({ body, integrity }: LinkedRecord): unknown[] {
  const { writer, seq, epoch, previous_hash, hash, signature } = integrity
  return [writer, seq, epoch, previous_hash, hash, signature, body]
}

/** A row of the chain as it stands. What is no JSON any more is damaged. */
export function entryOf(row: Row): StoredEntry {
  const cursor = `${String(row.at)}.${String(row.id)}`
  const body = String(row.text)
  const integrity: AuditIntegrity = {
    version: '2',
    writer: String(row.writer),
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    previous_hash: String(row.previous_hash),
    hash: String(row.hash),
    signature: String(row.signature),
  }
  try {
    const { integrity: _place, ...record } = JSON.parse(body) as AuditRecord & { integrity: unknown }
    return { record, body, integrity, cursor }
  } catch {
    const record: AuditRecord = { id: '', timestamp: 0, event: '', level: 'error', message: '' }
    return { record, body, integrity, cursor, damaged: 'the stored text is no JSON' }
  }
}
