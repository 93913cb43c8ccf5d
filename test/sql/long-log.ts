import type { ChainHead } from '@hoosh/core/storage'
import type Database from 'libsql'
import { GENESIS, headOf, link, writerKey } from '../../packages/core/src/audit/chain.js'
import type { AuditRecord } from '../../packages/core/src/audit/store.js'

const WRITER = 'node/1'
/** Many times a second, so that entries share a millisecond. */
const START = 1_700_000_000_000

/** The record at a place of a log: three users in turn, three models, one call's intent and outcome after the other. */
export function recordAt(index: number): AuditRecord {
  return {
    id: `r${String(index).padStart(6, '0')}`,
    timestamp: START + Math.floor(index / 3),
    event: index === 0 ? 'audit.boot' : index % 2 === 0 ? 'inference.request' : 'inference.response',
    level: 'info',
    message: 'The call ended: ok. ünïcode \u2028',
    ...(index > 0 && { model: `model-${index % 3}`, subject: `user-${index % 7}` }),
    metadata: index === 0 ? { node: 'node', predecessors: [], signed: true } : { charged_tokens: index, outcome: 'ok' },
  }
}

/** Appends to the chain of a dead process, past the store: row by row into a table without its indexes. */
export function appendLinked(database: InstanceType<typeof Database>, key: string, count: number): void {
  const ours = `type = 'index' and tbl_name = 'hoosh_audit'`
  const indexes = database.prepare(`select name, sql from sqlite_schema where ${ours}`).all([]) as Record<
    string,
    string
  >[]
  database.exec('begin')
  for (const { name } of indexes) database.exec(`drop index ${name}`)
  const insert = database.prepare(
    `insert into hoosh_audit (writer, seq, epoch, previous_hash, hash, signature, text, at, id, event, model, subject)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  let head: ChainHead = GENESIS
  for (let at = 0; at < count; at += 1_000) {
    const records = Array.from({ length: Math.min(1_000, count - at) }, (_, index) => recordAt(at + index))
    const entries = link(records, { writer: WRITER, head, key: writerKey(key, WRITER) })
    for (const { record, body, integrity } of entries) {
      const { seq, epoch, previous_hash, hash, signature } = integrity
      const { timestamp, id, event, model = null, subject = null } = record
      insert.run([WRITER, seq, epoch, previous_hash, hash, signature, body, timestamp, id, event, model, subject])
    }
    head = headOf(entries, head)
  }
  for (const { sql } of indexes) database.exec(sql!)
  database.prepare('insert into hoosh_writers (writer, seq, hash) values (?, ?, ?)').run([WRITER, head.seq, head.hash])
  database.exec('commit')
}
