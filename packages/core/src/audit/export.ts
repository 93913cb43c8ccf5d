import { setImmediate as nextTurn } from 'node:timers/promises'
import { HooshError } from '../errors.js'
import { readCheckpoint } from './checkpoint.js'
import { ALL_WRITERS } from './covered.js'
import { anchorLine, lineOfEntry } from './entry-line.js'
import type { AuditStore, ChainHead, StoredEntry, WriterHead } from './store.js'

/** Which part of the log goes out. */
export interface ExportFilter {
  /** One writer's chain instead of all. */
  readonly writer?: string
  /**
   * Milliseconds since the epoch. Where there are checkpoints, a chain begins at the newest one made at or before `from` and
   * ends at the first one made at or after `to`: what goes out is whole between checkpoints, so that it verifies, with `to`
   * against the checkpoints made before. Chains that began after `to` are left out.
   */
  readonly from?: number
  readonly to?: number
  /** With one of these it is an extract: the entries that match, which are no chain. */
  readonly event?: string
  readonly subject?: string
  readonly model?: string
}

/** Entries of a chain that go out: those after `after`, up to `through`. */
interface Stretch {
  readonly writer: string
  readonly after: ChainHead
  readonly through: number
}

/** Entries read at a time. */
const PAGE = 256

/**
 * The linked entries as lines of canonical JSON, chain by chain, up to where each stood at the beginning. Comes in pieces of
 * whole lines, each read when it is asked for.
 *
 * @throws HooshError `store_unavailable`; also where entries are dropped before they were read, as a full memory store does
 */
export async function exportOf(store: AuditStore, filter: ExportFilter): Promise<AsyncGenerator<string>> {
  const { writer: only } = filter
  const stored = await store.heads(only === undefined ? {} : { writer: only })
  const heads = stored.filter(({ writer }) => only === undefined || writer === only)
  heads.sort((a, b) => (a.writer < b.writer ? -1 : 1))
  return piecesOf(store, heads, filter)
}

async function* piecesOf(store: AuditStore, heads: readonly WriterHead[], filter: ExportFilter) {
  const isExtract = filter.event !== undefined || filter.subject !== undefined || filter.model !== undefined
  for (const head of heads) {
    // Its boot would name what was signed of other chains behind where they end here.
    if (!isExtract && filter.to !== undefined && (await beginsAfter(store, head, filter.to))) continue
    // Of an extract nothing has to be whole, and what was staged then may have been linked much later.
    const { writer, after, through } = isExtract ? wholeOf(head) : await stretchOf(store, head, filter)
    // Of a chain that ended before `from` only that is told, where a checkpoint vouches for it.
    const isEmpty = after.seq === through && (filter.from === undefined || head.epoch === 0)
    if (!isExtract && after.seq > 0 && !isEmpty) yield `${anchorLine(writer, after)}\n`
    for (let seq = after.seq; seq < through; ) {
      const entries = await store.chain(writer, seq, Math.min(PAGE, through - seq))
      if (entries.length === 0 || (entries[0]!.integrity?.seq !== seq + 1 && entries[0]!.damaged === undefined))
        throw new HooshError('store_unavailable', { message: 'Entries were dropped while the log was exported.' })
      seq += entries.length
      const piece = (isExtract ? entries.filter((entry) => matches(entry, filter)) : entries).map(lineOfEntry)
      if (piece.length > 0) yield `${piece.join('\n')}\n`
    }
  }
}

async function beginsAfter(store: AuditStore, { writer, anchor }: WriterHead, to: number): Promise<boolean> {
  const [first] = await store.chain(writer, anchor.seq, 1)
  return first !== undefined && first.record.timestamp > to
}

function wholeOf({ writer, anchor, seq }: WriterHead): Stretch {
  return { writer, after: anchor, through: seq }
}

/** Where a chain's export begins and ends. An anchor that no checkpoint vouches for gives way to the next one that one does. */
async function stretchOf(store: AuditStore, head: WriterHead, { from, to }: ExportFilter): Promise<Stretch> {
  const { writer, anchor } = head
  const whole = wholeOf(head)
  if (head.epoch === 0 || (anchor.seq === 0 && from === undefined && to === undefined)) return whole
  let { after, through } = whole
  let isVouched = anchor.seq === 0
  for (let epoch = -1; ; ) {
    const page = await store.checkpoints({ writer, after: epoch, limit: PAGE })
    for (const { line } of page) {
      const checkpoint = readCheckpoint(line)
      if (checkpoint === null || checkpoint.seq < anchor.seq || checkpoint.seq > head.seq) continue
      if (!isVouched || (from !== undefined && checkpoint.time <= from)) after = checkpoint
      isVouched = true
      if (to !== undefined && checkpoint.time >= to) {
        through = checkpoint.seq
        return { writer, after, through: Math.max(after.seq, through) }
      }
    }
    if (page.length < PAGE) return { writer, after, through }
    epoch = page.at(-1)!.epoch
    await nextTurn()
  }
}

function matches({ record }: StoredEntry, { event, subject, model, from, to }: ExportFilter): boolean {
  return (
    (event === undefined || record.event === event) &&
    (subject === undefined || record.subject === subject) &&
    (model === undefined || record.model === model) &&
    (from === undefined || record.timestamp >= from) &&
    (to === undefined || record.timestamp <= to)
  )
}

/** Stored checkpoints of one writer or of all, in the order they were made: also where nothing else is left of a chain. */
export async function* checkpointLines(store: AuditStore, { writer }: { writer?: string }): AsyncGenerator<string> {
  const only = writer === undefined ? {} : { writer }
  for (const { writer: one, epoch: last } of await store.checkpoints({ ...only, newest: true, limit: ALL_WRITERS })) {
    for (let epoch = -1; epoch < last; ) {
      const page = await store.checkpoints({ writer: one, after: epoch, limit: PAGE })
      if (page.length === 0) break
      epoch = page.at(-1)!.epoch
      yield page.map(({ line }) => `${line}\n`).join('')
    }
  }
}
