import { type AuditFilter, type AuditRecord, type AuditStore, HooshError, type StoredEntry } from '@hoosh/core/storage'
import { entryOf } from './audit-tables.js'
import type { Batches } from './batch.js'
import { type Connection, statement } from './connection.js'
import type { Tables } from './schema.js'
import type { Step } from './work.js'

type Row = Record<string, unknown>

const GENESIS = { seq: 0, hash: '0'.repeat(64) }

/** The log in the database: writes share the ledger's commits, reads run outside of them. */
export function sqlAudit(connection: Connection, tables: Tables, batches: Batches<Step>): AuditStore {
  const { staged, audit, writers } = tables
  const findHeads = statement<Row>(`select writer, seq, hash from ${writers} order by writer`)
  const findChain = statement<Row>(`select * from ${audit} where writer = ? and seq > ? order by seq limit ?`)
  const findStaged = statement<Row>(
    `select text from ${staged} where (writer = ? or ?) and (at < ? or ?) order by n limit ?`,
  )
  return {
    stage: async (writer, records) => void (await batches.add({ do: 'stage', writer, records })),
    link: async (writer, after, entries) => (await batches.add({ do: 'link', writer, after, entries })) as boolean,
    async staged({ writer, before, limit }) {
      const rows = await connection.read((runner) =>
        findStaged(
          runner,
          writer ?? '',
          writer === undefined ? 1 : 0,
          before ?? 0,
          before === undefined ? 1 : 0,
          limit,
        ),
      )
      return rows.map(({ text }) => JSON.parse(String(text)) as AuditRecord)
    },
    async heads() {
      const rows = await connection.read((runner) => findHeads(runner))
      return rows.map(({ writer, seq, hash }) => ({
        writer: String(writer),
        seq: Number(seq),
        hash: String(hash),
        anchor: GENESIS,
      }))
    },
    async chain(writer, after, limit) {
      return (await connection.read((runner) => findChain(runner, writer, after, limit))).map(entryOf)
    },
    query: (filter) => query(connection, tables, filter),
  }
}

/** The newest page of both tables, merged, and how many match. Only the page is read. */
async function query(
  connection: Connection,
  { staged, audit }: Tables,
  filter: AuditFilter,
): Promise<{ entries: StoredEntry[]; total: number }> {
  const { dialect } = connection
  const [matching, values] = conditions(filter)
  const [fromCursor, cursor] = cursorOf(filter.cursor)
  const waiting = `(select at, id, text, ${dialect.field('text', 'event', 'text')} as event,
    coalesce(${dialect.field('text', 'model', 'text')}, '') as model, ${dialect.field('text', 'subject', 'text')} as subject from ${staged}) as s`
  const page = (from: string, columns: string) =>
    statement<Row>(
      `select ${columns} from ${from} where ${matching} and ${fromCursor} order by at desc, id desc limit ?`,
    )
  const count = statement<Row>(
    `select (select count(*) from ${audit} where ${matching}) + (select count(*) from ${waiting} where ${matching}) as total`,
  )
  return connection.read(async (runner) => {
    const linked = await page(audit, '*')(runner, ...values, ...cursor, filter.limit)
    const unlinked = await page(waiting, 'at, id, text')(runner, ...values, ...cursor, filter.limit)
    const [counted] = await count(runner, ...values, ...values)
    const rows = [
      ...linked.map((row) => ({ row, entry: entryOf(row) })),
      ...unlinked.map((row) => ({
        row,
        entry: { record: JSON.parse(String(row.text)) as AuditRecord, cursor: `${String(row.at)}.${String(row.id)}` },
      })),
    ]
    const entries = rows
      .sort(newestFirst)
      .slice(0, filter.limit)
      .map(({ entry }) => entry)
    return { entries, total: Number(counted!.total) }
  })
}

function newestFirst(a: { row: Row }, b: { row: Row }): number {
  return Number(b.row.at) - Number(a.row.at) || (String(a.row.id) < String(b.row.id) ? 1 : -1)
}

function conditions({ event, subject, model, from, to }: AuditFilter): [string, unknown[]] {
  const parts: [string, unknown][] = []
  if (event !== undefined) parts.push(['event = ?', event])
  if (subject !== undefined) parts.push(['subject = ?', subject])
  if (model !== undefined) parts.push(['model = ?', model])
  if (from !== undefined) parts.push(['at >= ?', from])
  if (to !== undefined) parts.push(['at <= ?', to])
  return [parts.length === 0 ? '1 = 1' : parts.map(([text]) => text).join(' and '), parts.map(([, value]) => value)]
}

function cursorOf(cursor: string | undefined): [string, unknown[]] {
  if (cursor === undefined) return ['1 = 1', []]
  const match = /^(\d+)\.(.*)$/s.exec(cursor)
  if (match === null)
    throw new HooshError('invalid_request', {
      message: 'cursor: is none that this log gave',
      details: { param: 'cursor' },
    })
  const at = Number(match[1])
  return ['(at < ? or (at = ? and id < ?))', [at, at, match[2]]]
}
