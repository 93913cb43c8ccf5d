import { type AuditFilter, type AuditRecord, type AuditStore, HooshError, type StoredEntry } from '@hoosh/core/storage'
import { entryColumns, entryOf, textOf } from './audit-tables.js'
import type { Batches } from './batch.js'
import type { Connection } from './connection.js'
import type { Dialect } from './dialect.js'
import { statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Step } from './work.js'

type Row = Record<string, unknown>

/** The log in the database: writes share the ledger's commits, reads run outside of them. */
export function sqlAudit(connection: Connection, tables: Tables, batches: Batches<Step>): AuditStore {
  const { staged, audit, writers } = tables
  const { dialect } = connection
  const { bytes } = dialect
  const heads = `select ${bytes('writer')} as writer, seq, ${bytes('hash')} as hash, epoch,
    anchor_seq, ${bytes('anchor_hash')} as anchor_hash from ${writers} as w`
  const findHeads = statement<Row>(dialect, `${heads} where w.writer > ? order by w.writer limit ?`)
  const findHead = statement<Row>(dialect, `${heads} where w.writer = ?`)
  const findChain = statement<Row>(
    dialect,
    `select ${entryColumns(dialect)} from ${audit} where writer = ? and seq > ? order by seq limit ?`,
  )
  const findStaged = statement<Row>(
    dialect,
    `select text from ${staged} where (writer = ? or ? = 1) and (at < ? or ? = 1) order by n limit ?`,
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
    async heads({ writer: only, afterWriter = '', limit = ALL_HEADS } = {}) {
      const rows = await connection.read((runner) =>
        only === undefined ? findHeads(runner, afterWriter, limit) : findHead(runner, only),
      )
      return rows.map(({ writer, seq, hash, epoch, anchor_seq, anchor_hash }) => ({
        writer: textOf(writer) ?? '',
        seq: Number(seq),
        hash: textOf(hash) ?? '',
        epoch: Number(epoch),
        anchor: { seq: Number(anchor_seq), hash: textOf(anchor_hash) ?? '' },
      }))
    },
    checkpoint: async (writer, at, checkpoint) =>
      (await batches.add({ do: 'checkpoint', writer, at, checkpoint })) as boolean,
    trim: async (writer, through) => (await batches.add({ do: 'trim', writer, through })) as boolean,
    checkpoints: checkpointsOf(connection, tables),
    async chain(writer, after, limit) {
      const rows = await connection.read((runner) => findChain(runner, writer, after, limit), READ_PATIENCE_MS)
      return rows.map((row) => entryOf(dialect, row))
    },
    query: (filter) => query(connection, tables, filter),
  }
}

/** More than there are. */
const ALL_HEADS = 1_000_000

/** Pages of a long log may take a while, and no call waits for them. */
const READ_PATIENCE_MS = 10_000

function checkpointsOf(connection: Connection, { checkpoints }: Tables): AuditStore['checkpoints'] {
  const { dialect } = connection
  const { bytes } = dialect
  const columns = `${bytes('c.writer')} as writer, c.epoch, c.seq, ${bytes('c.line')} as line`
  const select = `select ${columns} from ${checkpoints} as c where`
  // One writer or all in one text would be a walk over those of all, whatever writer is asked for.
  const findOf = statement<Row>(dialect, `${select} c.writer = ? and c.epoch > ? order by c.epoch limit ?`)
  const findNewestOf = statement<Row>(dialect, `${select} c.writer = ? and c.epoch > ? order by c.epoch desc limit 1`)
  const findAll = statement<Row>(dialect, `${select} c.epoch > ? order by c.writer, c.epoch limit ?`)
  // From one writer to the next by the index, not over all that each of them signed.
  const findNewest = statement<Row>(
    dialect,
    `with recursive names (writer) as (
        select min(writer) from ${checkpoints}
        union all
        select (select min(n.writer) from ${checkpoints} as n where n.writer > names.writer) from names
          where names.writer is not null
      )
      select ${columns} from names join ${checkpoints} as c on c.writer = names.writer
        where c.epoch > ? and c.epoch = (select max(m.epoch) from ${checkpoints} as m where m.writer = names.writer)
        order by c.writer limit ?`,
  )
  return async ({ writer, after = -1, newest = false, limit }) => {
    const rows = await connection.read((runner) => {
      if (writer === undefined) return (newest ? findNewest : findAll)(runner, after, limit)
      return newest ? findNewestOf(runner, writer, after) : findOf(runner, writer, after, limit)
    })
    return rows.map((row) => ({
      writer: textOf(row.writer) ?? '',
      epoch: Number(row.epoch),
      seq: Number(row.seq),
      line: textOf(row.line) ?? '',
    }))
  }
}

/** Most that is counted: beyond, nobody asks how many exactly, and counting would take longer with each entry. */
const MAX_COUNTED = 10_000

/** The newest page of both tables, merged, and how many match. Only the page is read, each from the end of an index. */
async function query(
  connection: Connection,
  { staged, audit, writers }: Tables,
  filter: AuditFilter,
): Promise<{ entries: StoredEntry[]; total: number }> {
  const { dialect } = connection
  const [matching, values] = conditions(dialect, filter)
  const [onPage, pageValues] = conditions(dialect, filter, cursorOf(filter.cursor))
  const page = (from: string, columns: string) =>
    statement<Row>(dialect, `select ${columns} from ${from} where ${onPage} order by at desc, id desc limit ?`)
  const countLinked = isOpen(filter)
    ? statement<Row>(dialect, `select coalesce(sum(seq - anchor_seq), 0) as total from ${writers}`)
    : statement<Row>(
        dialect,
        `select count(*) as total from (select 1 from ${audit} where ${matching} limit ${MAX_COUNTED}) as m`,
      )
  const countStaged = statement<Row>(dialect, `select count(*) as total from ${staged} where ${matching}`)
  return connection.read(async (runner) => {
    const id = `${dialect.bytes('id')} as id`
    // Staged ones first: what is linked in between is seen twice rather than not at all.
    const unlinked = await page(staged, `${id}, at, text`)(runner, ...pageValues, filter.limit)
    const uncounted = Number((await countStaged(runner, ...values))[0]!.total)
    const linked = await page(audit, `${id}, ${entryColumns(dialect)}`)(runner, ...pageValues, filter.limit)
    const counted = Number((await countLinked(runner, ...values))[0]!.total)
    const places = new Set(linked.map((row) => placeOf(row).cursor))
    const entries = [
      ...linked.map((row) => ({ ...entryOf(dialect, row), ...placeOf(row) })),
      ...unlinked
        .filter((row) => !places.has(placeOf(row).cursor))
        .map((row) => ({ record: JSON.parse(String(row.text)) as AuditRecord, ...placeOf(row) })),
    ]
    const newest = entries.sort(newestFirst).slice(0, filter.limit)
    const total = counted + uncounted
    return {
      entries: newest.map(({ at: _at, ...entry }) => entry),
      total: isOpen(filter) ? total : Math.min(total, MAX_COUNTED),
    }
  }, READ_PATIENCE_MS)
}

/** Chains have no gaps, so all their entries need no counting. */
function isOpen({ event, subject, model, from, to }: AuditFilter): boolean {
  return [event, subject, model, from, to].every((field) => field === undefined)
}

/** Where an entry stands among the others, whatever its text says. */
function placeOf(row: Row): { at: number; cursor: string } {
  return { at: Number(row.at), cursor: `${String(row.at)}.${textOf(row.id) ?? ''}` }
}

function newestFirst(a: { at: number; cursor: string }, b: { at: number; cursor: string }): number {
  return b.at - a.at || (a.cursor < b.cursor ? 1 : -1)
}

/** One field, the rarest as a rule, chooses the index; the others are compared in a way that cannot. */
function conditions(
  { told }: Dialect,
  { event, subject, model, from, to }: AuditFilter,
  cursor: { readonly at: number; readonly id: string } | null = null,
): [string, unknown[]] {
  const parts: [text: string, ...values: unknown[]][] = []
  for (const [name, value] of Object.entries({ subject, model, event })) {
    if (value === undefined) continue
    parts.push([parts.length === 0 ? `${name} = ?` : `${name} || '' = ?`, told(value)])
  }
  if (from !== undefined) parts.push(['at >= ?', from])
  const end = Math.min(to ?? Number.POSITIVE_INFINITY, cursor?.at ?? Number.POSITIVE_INFINITY)
  if (end !== Number.POSITIVE_INFINITY) parts.push(['at <= ?', end])
  if (cursor !== null && cursor.at === end) parts.push(['(at < ? or id < ?)', cursor.at, cursor.id])
  const text = parts.length === 0 ? '1 = 1' : parts.map(([part]) => part).join(' and ')
  return [text, parts.flatMap(([, ...those]) => those)]
}

function cursorOf(cursor: string | undefined): { at: number; id: string } | null {
  if (cursor === undefined) return null
  const match = /^(\d+)\.(.*)$/s.exec(cursor)
  if (match === null)
    throw new HooshError('invalid_request', {
      message: 'cursor: is none that this log gave',
      details: { param: 'cursor' },
    })
  return { at: Number(match[1]), id: match[2]! }
}
