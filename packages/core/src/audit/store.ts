import type { Awaitable } from '../time.js'

/**
 * Where the log is kept. A record is first *staged*, durable but in no chain yet, and then *linked* by its writer's
 * appender. Nothing that was staged is ever dropped.
 */
export interface AuditStore {
  /** Whether it drops old entries by itself and keeps no record of it, as memory does: a chain that begins late is no fault then. */
  readonly evicts?: boolean

  /** Keeps records of a writer until they are linked. All or none, durable before it resolves; a known id changes nothing. */
  stage(writer: string, records: readonly AuditRecord[]): Awaitable<void>

  /**
   * Staged records in the order they were staged: those of one writer, or with `before` those of any writer with an
   * earlier timestamp (left by a process that died).
   */
  staged(query: { writer?: string; before?: number; limit: number }): Awaitable<AuditRecord[]>

  /**
   * Appends entries to a writer's chain and takes their records off the staged ones, in one step. A record that was
   * never staged is appended all the same.
   *
   * Returns false, having done nothing, where the writer's head is not `after` any more, the entries are not of its epoch,
   * or one of the records has been linked by somebody else.
   */
  link(writer: string, after: ChainHead, entries: readonly LinkedRecord[]): Awaitable<boolean>

  /**
   * The newest entry of every writer, and where its stored chain begins; or of one writer, or of the next writers in an order of
   * the store's own that stays the same.
   */
  heads(query?: HeadQuery): Awaitable<WriterHead[]>

  /**
   * Keeps a checkpoint of a writer's chain and begins its next epoch, in one step.
   *
   * Returns false, having done nothing, where the writer's head is not `at` any more or its epoch another.
   */
  checkpoint(writer: string, at: ChainHead, checkpoint: NewCheckpoint): Awaitable<boolean>

  /** Checkpoints in the order they were made, of one writer with `epoch > after`, or of all; or the newest of each writer. */
  checkpoints(query: CheckpointQuery): Awaitable<StoredCheckpoint[]>

  /**
   * Drops a writer's entries up to and including `through`, which becomes its anchor. Checkpoints stay.
   *
   * Returns false, having done nothing, where that is not an entry of the chain as it is stored now.
   */
  trim(writer: string, through: ChainHead): Awaitable<boolean>

  /** Linked entries of a writer with `seq > after`, in order. What cannot be read as it was written says `damaged`. */
  chain(writer: string, after: number, limit: number): Awaitable<StoredEntry[]>

  /**
   * Newest first, staged ones included (they have no `integrity`), and how many match in all; where a field is given, a
   * store may stop counting at 10,000. Its cost does not grow with the chain: no entry is verified here.
   *
   * @throws HooshError `invalid_request` for a cursor that it never gave
   */
  query(filter: AuditFilter): Awaitable<{ entries: StoredEntry[]; total: number }>
}

/** Which entries are wanted; every field given must match. */
export interface AuditFilter {
  readonly event?: string
  readonly subject?: string
  readonly model?: string
  /** Milliseconds since the epoch, inclusive. */
  readonly from?: number
  readonly to?: number
  readonly limit: number
  /** Opaque: `cursor` of the last entry of the page before. */
  readonly cursor?: string
}

/** What an entry can keep without loss: numbers are safe integers. */
export type AuditValue =
  | string
  | number
  | boolean
  | null
  | readonly AuditValue[]
  | { readonly [key: string]: AuditValue }

/** What a host may add to an entry: at most 32 levels and 64 KiB with the entry. */
export type AuditDetails = { readonly [key: string]: AuditValue }

/** What happened, before it has its place in a chain. */
export interface AuditRecord {
  readonly id: string
  readonly timestamp: number
  readonly event: string
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly provider?: string
  readonly model?: string
  /** The user it is about. */
  readonly subject?: string
  readonly pool?: string
  readonly reservation?: string
  readonly requestId?: string
  readonly metadata?: AuditDetails
}

/** The place of an entry in its chain; hashes and signature are lower-case hex. */
export interface AuditIntegrity {
  readonly version: '2'
  readonly writer: string
  readonly seq: number
  readonly epoch: number
  readonly previous_hash: string
  readonly hash: string
  /** Empty in an unsigned log. */
  readonly signature: string
}

/** An entry as readers see it. A staged one has no integrity yet. */
export interface AuditEntry extends AuditRecord {
  readonly integrity?: AuditIntegrity
  readonly staged?: true
}

/** A record, the exact canonical text that was hashed (its integrity reduced to version, writer, seq, epoch), its place. */
export interface LinkedRecord {
  readonly record: AuditRecord
  readonly body: string
  readonly integrity: AuditIntegrity
}

/** An entry as the store gives it back. */
export interface StoredEntry {
  readonly record: AuditRecord
  /** Absent for a staged record, as is `integrity`. */
  readonly body?: string
  readonly integrity?: AuditIntegrity
  /** What was found wrong while reading the row. */
  readonly damaged?: string
  readonly cursor: string
}

/** The last entry of a chain; `seq` counts from 1, the hash is lower-case hex. */
export interface ChainHead {
  readonly seq: number
  /** 64 zeros before the first. */
  readonly hash: string
}

/** A signed checkpoint: the epoch it ends, the newest entry it covers, and the line itself. */
export interface NewCheckpoint {
  readonly epoch: number
  readonly seq: number
  readonly line: string
}

/** A checkpoint as the store gives it back. */
export interface StoredCheckpoint extends NewCheckpoint {
  readonly writer: string
}

/** Which chains are wanted: all, unless it says otherwise. */
export interface HeadQuery {
  /** This one only. */
  readonly writer?: string
  /** Only those behind this one, which was the last of the page before. */
  readonly afterWriter?: string
  readonly limit?: number
}

/** Which checkpoints are wanted; `after` goes with a writer. */
export interface CheckpointQuery {
  readonly writer?: string
  /** Only those of later epochs. */
  readonly after?: number
  /** The last one of each writer only. */
  readonly newest?: boolean
  readonly limit: number
}

/** A chain as it is stored: whose it is, where it begins, where it ends. */
export interface WriterHead extends ChainHead {
  readonly writer: string
  /** Checkpoints that were made of it. */
  readonly epoch: number
  /** The head before the first entry still stored: `{ seq: 0, hash: 64 zeros }` unless older ones were archived. */
  readonly anchor: ChainHead
}
