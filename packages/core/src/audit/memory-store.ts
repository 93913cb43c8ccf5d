import { HooshError } from '../errors.js'
import { GENESIS, headOf } from './chain.js'
import type {
  AuditFilter,
  AuditIntegrity,
  AuditRecord,
  AuditStore,
  ChainHead,
  CheckpointQuery,
  HeadQuery,
  LinkedRecord,
  NewCheckpoint,
  StoredCheckpoint,
  StoredEntry,
  WriterHead,
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

/** What filters look at of a record, and the record itself or, once it is linked, the entry that it has become. */
interface Item {
  readonly order: number
  readonly writer: string
  readonly id: string
  readonly timestamp: number
  readonly event: string
  readonly subject: string | undefined
  readonly model: string | undefined
  kept: AuditRecord | Packed
}

/**
 * An entry as bytes, in one buffer with the others of its batch: hashes, signature and text. As objects, ten thousand
 * entries are a hundred thousand things that the garbage collector copies and walks over.
 */
interface Packed {
  readonly batch: Buffer
  readonly start: number
  readonly end: number
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
    evicts: true,
    stage: (writer, records) => stage(shelf, writer, records),
    staged: (query) => staged(shelf, query),
    link: (writer, after, entries) => link(shelf, writer, after, entries),
    checkpoint: (writer, at, checkpoint) => keepCheckpoint(shelf, writer, at, checkpoint),
    checkpoints: (query) => checkpoints(shelf, query),
    trim: (writer, through) => trim(shelf, writer, through),
    heads: (query = {}) => heads(shelf, query),
    chain: (writer, after, limit) => chain(shelf, writer, after, limit),
    query: (filter) => query(shelf, filter),
  }
}

function stage(shelf: Shelf, writer: string, records: readonly AuditRecord[]): void {
  for (const record of records) {
    if (!shelf.items.has(record.id)) enter(shelf, writer, record, record)
  }
}

function enter(shelf: Shelf, writer: string, record: AuditRecord, kept: Item['kept']): Item {
  const { id, timestamp, event, subject, model } = record
  const item: Item = { order: shelf.arrivals++, writer, id, timestamp, event, subject, model, kept }
  shelf.items.set(id, item)
  return item
}

function staged(shelf: Shelf, query: { writer?: string; before?: number; limit: number }): AuditRecord[] {
  const { writer, before = Number.POSITIVE_INFINITY, limit } = query
  const found: AuditRecord[] = []
  for (const { kept, timestamp, writer: owner } of shelf.items.values()) {
    if (found.length >= limit) break
    if (isPacked(kept) || timestamp >= before) continue
    if (writer === undefined || owner === writer) found.push(kept)
  }
  return found
}

function link(shelf: Shelf, writer: string, after: ChainHead, entries: readonly LinkedRecord[]): boolean {
  const home = shelf.chains.get(writer)
  const head = home?.head ?? GENESIS
  if (head.seq !== after.seq || head.hash !== after.hash) return false
  if (entries.length > 0 && entries[0]!.integrity.epoch !== (home?.epoch ?? 0)) return false
  const known = entries.map(({ record }) => shelf.items.get(record.id))
  if (known.some((item) => item !== undefined && isPacked(item.kept))) return false
  const target = home ?? { anchor: GENESIS, head: GENESIS, entries: [], first: 1, epoch: 0 }
  shelf.chains.set(writer, target)
  for (const [at, packed] of pack(entries).entries()) {
    const item = known[at] ?? enter(shelf, writer, entries[at]!.record, packed)
    item.kept = packed
    target.entries.push(item)
  }
  target.head = headOf(entries, head)
  shelf.linked += entries.length
  while (shelf.linked > shelf.maxEntries) evict(shelf)
  return true
}

function heads({ chains }: Shelf, { writer, afterWriter, limit }: HeadQuery): WriterHead[] {
  const names = writer === undefined ? [...chains.keys()].sort() : [writer].filter((name) => chains.has(name))
  const wanted = afterWriter === undefined ? names : names.filter((name) => name > afterWriter)
  return wanted.slice(0, limit).map((name) => {
    const { head, anchor, epoch } = chains.get(name)!
    return { writer: name, ...head, epoch, anchor }
  })
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

function pack(entries: readonly LinkedRecord[]): Packed[] {
  const texts = entries.map(({ body, integrity }) => {
    return `${integrity.previous_hash} ${integrity.hash} ${integrity.signature} ${body}`
  })
  const batch = Buffer.allocUnsafeSlow(texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0))
  let end = 0
  return texts.map((text) => {
    const start = end
    end += batch.write(text, start)
    return { batch, start, end }
  })
}

function unpack({ batch, start, end }: Packed, cursor: string): StoredEntry {
  const text = batch.toString('utf8', start, end)
  const [previous_hash = '', hash = '', signature = ''] = text.split(' ', 3)
  const body = text.slice(previous_hash.length + hash.length + signature.length + 3)
  const { integrity: place, ...record } = JSON.parse(body) as AuditRecord & { integrity: AuditIntegrity }
  const { version, writer, seq, epoch } = place
  // Field by field: on Node 20 spreading a parsed object takes as long as parsing it.
  return { record, body, integrity: { version, writer, seq, epoch, previous_hash, hash, signature }, cursor }
}

function isPacked(kept: Item['kept']): kept is Packed {
  return 'batch' in kept
}

function trim(shelf: Shelf, writer: string, { seq, hash }: ChainHead): boolean {
  const chain = shelf.chains.get(writer)
  const item = chain?.entries[seq - chain.first]
  if (chain === undefined || item === undefined || hashOf(item.kept as Packed) !== hash) return false
  while (chain.anchor.seq < seq) drop(shelf, chain)
  return true
}

/** Drops the entry that came first of those its chain can begin without. */
function evict(shelf: Shelf): void {
  let chosen: { chain: ChainShelf; item: Item } | undefined
  for (const chain of shelf.chains.values()) {
    const item = chain.entries[chain.anchor.seq + 1 - chain.first]
    if (item !== undefined && (chosen === undefined || item.order < chosen.item.order)) chosen = { chain, item }
  }
  if (chosen === undefined) return
  drop(shelf, chosen.chain)
}

/** Drops the first entry of a chain. */
function drop(shelf: Shelf, chain: ChainShelf): void {
  const seq = chain.anchor.seq + 1
  const { id, kept } = chain.entries[seq - chain.first]!
  chain.anchor = { seq, hash: hashOf(kept as Packed) }
  chain.entries[seq - chain.first] = undefined
  if (seq - chain.first >= MAX_GAPS) {
    chain.entries = chain.entries.slice(seq + 1 - chain.first)
    chain.first = seq + 1
  }
  shelf.items.delete(id)
  shelf.linked -= 1
}

function hashOf({ batch, start }: Packed): string {
  const from = batch.indexOf(' ', start) + 1
  return batch.toString('latin1', from, batch.indexOf(' ', from))
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
    if (!matches(item, filter)) continue
    total += 1
    if (item.order < before && entries.length < filter.limit) entries.push(shown(item))
  }
  return { entries, total }
}

function orderOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new HooshError('invalid_request', { message: 'The cursor is none of this log.', details: { param: 'cursor' } })
}

function matches(item: Item, { event, subject, model, from, to }: AuditFilter): boolean {
  return (
    (event === undefined || item.event === event) &&
    (subject === undefined || item.subject === subject) &&
    (model === undefined || item.model === model) &&
    (from === undefined || item.timestamp >= from) &&
    (to === undefined || item.timestamp <= to)
  )
}

function shown({ kept, order }: Item): StoredEntry {
  const cursor = String(order)
  return isPacked(kept) ? unpack(kept, cursor) : { record: kept, cursor }
}
