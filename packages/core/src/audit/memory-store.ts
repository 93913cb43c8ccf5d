import { HooshError } from '../errors.js'
import { GENESIS, headOf } from './chain.js'
import type {
  AuditFilter,
  AuditIntegrity,
  AuditRecord,
  AuditStore,
  ChainHead,
  CheckpointQuery,
  LinkedRecord,
  NewCheckpoint,
  StoredCheckpoint,
  StoredEntry,
} from './store.js'

/** Chains and staged records by id, in the order they came; a record keeps its place when it is linked. */
interface Shelf {
  readonly items: Map<string, Item>
  readonly chains: Map<string, ChainShelf>
  /** By writer. */
  readonly checkpoints: Map<string, StoredCheckpoint[]>
  readonly maxEntries: number
  arrivals: number
  linked: number
}

interface Item {
  readonly order: number
  readonly writer: string
  record: AuditRecord
  body?: string
  integrity?: AuditIntegrity
}

interface ChainShelf {
  anchor: ChainHead
  head: ChainHead
  /** Up to `head.seq`, in order; those up to `anchor.seq` are gaps that go by the thousand. */
  entries: (Item | undefined)[]
  /** Sequence number of the first place. */
  first: number
  epoch: number
}

/** Checkpoints kept of a writer: a week of them, one a minute. */
const MAX_CHECKPOINTS = 10_000

/** Gaps that a chain's array may begin with: to close each would move all that follows. */
const MAX_GAPS = 1_024

/**
 * The log of one process, in memory: it answers at once and is gone with the process.
 *
 * Keeps the newest `maxEntries` linked entries (10,000); an older one is dropped and its chain's anchor takes its
 * place. Staged records are never dropped.
 */
export function memoryAudit({ maxEntries = 10_000 }: { maxEntries?: number } = {}): AuditStore {
  const shelf: Shelf = {
    items: new Map(),
    chains: new Map(),
    checkpoints: new Map(),
    maxEntries,
    arrivals: 0,
    linked: 0,
  }
  return {
    stage: (writer, records) => stage(shelf, writer, records),
    staged: (query) => staged(shelf, query),
    link: (writer, after, entries) => link(shelf, writer, after, entries),
    checkpoint: (writer, at, checkpoint) => keepCheckpoint(shelf, writer, at, checkpoint),
    checkpoints: (query) => checkpoints(shelf, query),
    heads: () => [...shelf.chains].map(([writer, { head, anchor, epoch }]) => ({ writer, ...head, epoch, anchor })),
    chain: (writer, after, limit) => chain(shelf, writer, after, limit),
    query: (filter) => query(shelf, filter),
  }
}

function stage(shelf: Shelf, writer: string, records: readonly AuditRecord[]): void {
  for (const record of records) {
    if (!shelf.items.has(record.id)) shelf.items.set(record.id, { order: shelf.arrivals++, writer, record })
  }
}

function staged(shelf: Shelf, query: { writer?: string; before?: number; limit: number }): AuditRecord[] {
  const { writer, before = Number.POSITIVE_INFINITY, limit } = query
  const found: AuditRecord[] = []
  for (const item of shelf.items.values()) {
    if (found.length >= limit) break
    if (item.integrity !== undefined || item.record.timestamp >= before) continue
    if (writer === undefined || item.writer === writer) found.push(item.record)
  }
  return found
}

function link(shelf: Shelf, writer: string, after: ChainHead, entries: readonly LinkedRecord[]): boolean {
  const home = shelf.chains.get(writer)
  const head = home?.head ?? GENESIS
  if (head.seq !== after.seq || head.hash !== after.hash) return false
  if (entries.length > 0 && entries[0]!.integrity.epoch !== (home?.epoch ?? 0)) return false
  if (entries.some(({ record }) => shelf.items.get(record.id)?.integrity !== undefined)) return false
  const target = home ?? { anchor: GENESIS, head: GENESIS, entries: [], first: 1, epoch: 0 }
  shelf.chains.set(writer, target)
  for (const { record, body, integrity } of entries) {
    const item: Item = shelf.items.get(record.id) ?? { order: shelf.arrivals++, writer, record }
    item.record = record
    item.body = body
    item.integrity = integrity
    shelf.items.set(record.id, item)
    target.entries.push(item)
  }
  target.head = headOf(entries, head)
  shelf.linked += entries.length
  while (shelf.linked > shelf.maxEntries) evict(shelf)
  return true
}

function keepCheckpoint(shelf: Shelf, writer: string, at: ChainHead, checkpoint: NewCheckpoint): boolean {
  const home = shelf.chains.get(writer)
  if (home === undefined || home.head.seq !== at.seq || home.head.hash !== at.hash) return false
  if (home.epoch !== checkpoint.epoch) return false
  const kept = shelf.checkpoints.get(writer) ?? []
  shelf.checkpoints.set(writer, kept)
  kept.push({ ...checkpoint, writer })
  if (kept.length > MAX_CHECKPOINTS) kept.splice(0, kept.length - MAX_CHECKPOINTS)
  home.epoch += 1
  return true
}

function checkpoints(shelf: Shelf, { writer, after = -1, newest, limit }: CheckpointQuery): StoredCheckpoint[] {
  const wanted = writer === undefined ? [...shelf.checkpoints.values()] : [shelf.checkpoints.get(writer) ?? []]
  const found = newest === true ? wanted.map((kept) => kept.slice(-1)) : wanted
  return found
    .flat()
    .filter(({ epoch }) => epoch > after)
    .slice(0, limit)
}

/** Drops the entry that came first of those its chain can begin without. */
function evict(shelf: Shelf): void {
  let chosen: { chain: ChainShelf; item: Item } | undefined
  for (const chain of shelf.chains.values()) {
    const item = chain.entries[chain.anchor.seq + 1 - chain.first]
    if (item !== undefined && (chosen === undefined || item.order < chosen.item.order)) chosen = { chain, item }
  }
  if (chosen === undefined) return
  const { chain, item } = chosen
  const { seq, hash } = item.integrity!
  chain.anchor = { seq, hash }
  chain.entries[seq - chain.first] = undefined
  if (seq - chain.first >= MAX_GAPS) {
    chain.entries = chain.entries.slice(seq + 1 - chain.first)
    chain.first = seq + 1
  }
  shelf.items.delete(item.record.id)
  shelf.linked -= 1
}

function chain(shelf: Shelf, writer: string, after: number, limit: number): StoredEntry[] {
  const home = shelf.chains.get(writer)
  if (home === undefined) return []
  const found: StoredEntry[] = []
  for (let seq = Math.max(after, home.anchor.seq) + 1; seq <= home.head.seq && found.length < limit; seq += 1) {
    const item = home.entries[seq - home.first]
    if (item !== undefined) found.push(shown(item))
  }
  return found
}

/** Walks all that is kept, newest first: bounded by `maxEntries`, and `total` has to count them anyway. */
function query(shelf: Shelf, filter: AuditFilter): { entries: StoredEntry[]; total: number } {
  const items = [...shelf.items.values()]
  const before = filter.cursor === undefined ? Number.POSITIVE_INFINITY : orderOf(filter.cursor)
  const entries: StoredEntry[] = []
  let total = 0
  for (let at = items.length - 1; at >= 0; at -= 1) {
    const item = items[at]!
    if (!matches(item.record, filter)) continue
    total += 1
    if (item.order < before && entries.length < filter.limit) entries.push(shown(item))
  }
  return { entries, total }
}

function orderOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new HooshError('invalid_request', { message: 'The cursor is none of this log.', details: { param: 'cursor' } })
}

function matches(record: AuditRecord, { event, subject, model, from, to }: AuditFilter): boolean {
  return (
    (event === undefined || record.event === event) &&
    (subject === undefined || record.subject === subject) &&
    (model === undefined || record.model === model) &&
    (from === undefined || record.timestamp >= from) &&
    (to === undefined || record.timestamp <= to)
  )
}

function shown({ record, body, integrity, order }: Item): StoredEntry {
  return integrity === undefined
    ? { record, cursor: String(order) }
    : { record, body: body!, integrity, cursor: String(order) }
}
