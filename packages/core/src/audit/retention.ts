import { HooshError } from '../errors.js'
import type { Logger } from '../options.js'
import type { Awaitable, Clock } from '../time.js'
import { readCheckpoint } from './checkpoint.js'
import { anchorLine, endLine, lineOfEntry } from './entry-line.js'
import { headPages, storedHead } from './heads.js'
import type { RecordFields } from './refusals.js'
import type { AuditDetails, AuditStore, ChainHead, WriterHead } from './store.js'

/** A run of one writer's entries that leaves the storage whole. */
export interface AuditSegment {
  readonly writer: string
  /** Number of its first and its last entry. */
  readonly from: number
  readonly through: number
  /** Names it among all segments, and sorts those of a writer; fit for a file. */
  readonly name: string
  /** What is to be kept: pieces of whole lines, as an export has them. May be read once. */
  text(): AsyncIterable<string>
}

/** How long entries stay in the storage, and where they go then. */
export interface RetentionOptions {
  /** Ms that an entry stays at least. */
  readonly keepMs: number
  /** Entries of one segment, 10,000; where a chain is signed, up to its next checkpoint. */
  readonly segmentEntries?: number
  /** Takes a segment; resolves when it is safe. May be called again with the same one. */
  readonly archive: (segment: AuditSegment) => Awaitable<void>
}

const SEGMENT = 10_000
/** A signed chain that shows no life for so long has ended, though it has no seal: it is signed hourly when idle. */
const DEAD_MS = 86_400_000
const PAGE = 256
/** How often old entries are looked for, ms. */
const EVERY_MS = 3_600_000

const CLOSED = {
  event: 'audit.segment_closed',
  level: 'info',
  message: 'Old entries were archived and taken out of the storage.',
} as const

/** Archives what is old, segment by segment. */
export interface Retention {
  /** Looks for old entries if that is due. Never throws. */
  tick(): void
  /** Archives all that is old enough. */
  run(): Promise<void>
}

interface State {
  readonly store: AuditStore
  readonly retention: RetentionOptions
  readonly clock: Clock
  readonly logger?: Logger
  /** Keeps a record, and resolves when it is linked. */
  readonly record: (fields: RecordFields) => Promise<void>
}

export function createRetention(state: State): Retention {
  let dueAt = 0
  let running: Promise<void> | null = null
  const run = () => {
    running ??= archiveAll(state).finally(() => {
      running = null
    })
    return running
  }
  return {
    tick() {
      const now = state.clock()
      if (now < dueAt || running !== null) return
      dueAt = now + EVERY_MS
      run().catch((err) => state.logger?.error({ err }, 'old audit entries were not archived; will retry'))
    },
    run,
  }
}

async function archiveAll(state: State): Promise<void> {
  for await (const heads of headPages(state.store)) {
    for (const head of heads) {
      let anchor: ChainHead | null = head.anchor
      while (anchor !== null) anchor = await archiveNext(state, head, anchor)
    }
  }
}

/**
 * Archives the next segment of a chain. First it is safe, then a record says so, and only then is it taken out: whatever
 * ends the process in between, nothing is lost, and the next run does it again.
 *
 * @returns where the chain begins then; null where there is nothing more to do
 */
async function archiveNext(state: State, head: WriterHead, after: ChainHead): Promise<ChainHead | null> {
  const { writer } = head
  const through = await endOf(state, head, after.seq)
  const old = through === null ? null : await oldUpTo(state, writer, after.seq, through)
  if (old === null) return null
  const { last, closed } = old
  const from = after.seq + 1
  await state.retention.archive({
    writer,
    from,
    through: last.seq,
    name: `${encodeURIComponent(writer)}.${String(from).padStart(12, '0')}-${String(last.seq).padStart(12, '0')}`,
    text: () => textOf(state.store, writer, after, last),
  })
  await state.record({ ...CLOSED, metadata: { from, hash: last.hash, seq: last.seq, writer } })
  for (const metadata of await standing(state, writer, closed)) await state.record({ ...CLOSED, metadata })
  return (await state.store.trim(writer, last)) ? last : null
}

/**
 * Where the next segment ends, whoever asks and whenever, so that a segment that is archived twice is twice the same: after so many
 * entries; in a signed chain with the next checkpoint, which vouches for what is left; in one that has ended, with it.
 */
async function endOf({ store, retention, clock }: State, head: WriterHead, after: number): Promise<number | null> {
  const { writer, seq: newest, epoch } = head
  if (after >= newest) return null
  const least = after + (retention.segmentEntries ?? SEGMENT)
  const end = epoch === 0 ? least : await firstSigned(store, head, least)
  if (end !== null && end < newest) return end
  const [last] = await store.chain(writer, newest - 1, 1)
  if (last?.record.event === 'audit.seal') return newest
  const [checkpoint] = epoch === 0 ? [] : await store.checkpoints({ writer, newest: true, limit: 1 })
  const signedAt = checkpoint === undefined ? null : (readCheckpoint(checkpoint.line)?.time ?? null)
  return signedAt !== null && signedAt < clock() - Math.max(DEAD_MS, retention.keepMs) ? newest : null
}

/** Found by halving, since a chain may have half a million checkpoints a year. */
async function firstSigned(store: AuditStore, { writer, epoch }: WriterHead, least: number): Promise<number | null> {
  let found: number | null = null
  for (let [low, high] = [0, epoch]; low < high; ) {
    const middle = (low + high) >>> 1
    const [checkpoint] = await store.checkpoints({ writer, after: middle - 1, limit: 1 })
    if (checkpoint !== undefined && checkpoint.seq < least) low = checkpoint.epoch + 1
    else {
      found = checkpoint?.seq ?? found
      high = middle
    }
  }
  return found
}

/** The entry a segment ends with, and what it says of other segments, if all of it is there, sound and old enough. */
async function oldUpTo(
  state: State,
  writer: string,
  after: number,
  through: number,
): Promise<{ last: ChainHead; closed: AuditDetails[] } | null> {
  const before = state.clock() - state.retention.keepMs
  const closed: AuditDetails[] = []
  let last: ChainHead | null = null
  for (let seq = after; seq < through; ) {
    const page = await state.store.chain(writer, seq, Math.min(PAGE, through - seq))
    for (const { record, integrity, damaged } of page) {
      if (integrity?.seq !== ++seq || damaged !== undefined || record.timestamp >= before) return null
      last = { seq, hash: integrity.hash }
      if (record.event === CLOSED.event && record.metadata !== undefined) closed.push(record.metadata)
    }
    if (page.length === 0) return null
  }
  return last === null ? null : { last, closed }
}

/**
 * Those records that another chain's beginning still rests on. They are written anew before they leave, so that the storage
 * itself can tell what was archived from what was cut off.
 */
async function standing({ store }: State, writer: string, closed: readonly AuditDetails[]): Promise<AuditDetails[]> {
  const left: AuditDetails[] = []
  for (const details of closed) {
    const { writer: of, hash } = details
    if (of !== writer && (await storedHead(store, String(of)))?.anchor.hash === hash) left.push(details)
  }
  return left
}

async function* textOf(store: AuditStore, writer: string, after: ChainHead, last: ChainHead): AsyncGenerator<string> {
  if (after.seq > 0) yield `${anchorLine(writer, after)}\n`
  for (let seq = after.seq; seq < last.seq; ) {
    const page = await store.chain(writer, seq, Math.min(PAGE, last.seq - seq))
    // Another process has archived it meanwhile: a part of it must not stand in for the whole.
    if (page[0]?.integrity?.seq !== seq + 1)
      throw new HooshError('store_unavailable', { message: 'The segment was taken out while it was read.' })
    yield page.map((entry) => `${lineOfEntry(entry)}\n`).join('')
    seq += page.length
  }
  yield `${endLine(writer, last)}\n`
}
