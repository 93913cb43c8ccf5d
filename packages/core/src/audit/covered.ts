import { createPublicKey, type KeyObject } from 'node:crypto'
import { hashOfLine, isSignedBy, readCheckpoint, type SignedCheckpoint } from './checkpoint.js'
import { headPages, storedHead } from './heads.js'
import type { Steps } from './pass.js'
import type { AuditStore, StoredCheckpoint, WriterHead } from './store.js'
import type { Fault } from './verifier.js'

/** How far checkpoints of a writer are checked. */
export interface Covered {
  readonly seq: number
  readonly epoch: number
  readonly time: number
}

/**
 * Checks the chains against the stored checkpoints: that each follows the one before, that its entry is there and is the one
 * that was signed, and that none is missing. Each is read once.
 */
export interface CoverCheck {
  /** One look at all chains, a page of them a step, and at what is new of their checkpoints. */
  look(): Steps
  readonly covered: ReadonlyMap<string, Covered>
  /** The first that was wrong; it stays. */
  readonly firstBad: Fault | null
}

/** Checkpoints read at a time. */
const PAGE = 100
/** Checked in one turn of the event loop: a millisecond. */
const A_TURN = 8
/** More writers than there are. */
export const ALL_WRITERS = 1_000_000

interface State {
  readonly store: AuditStore
  readonly publicKey: KeyObject | null
  readonly covered: Map<string, Covered>
  /** The newest one read of each writer, whoever signed it. */
  readonly seen: Map<string, Seen>
  /** Checkpoints of chains that are gone were looked for. */
  isStarted: boolean
  firstBad: Fault | null
}

/** What is kept of a checkpoint, for the next one to follow. */
interface Seen {
  readonly seq: number
  readonly epoch: number
  /** Of its entry; empty where it was damaged. */
  readonly hash: string
  readonly lineHash: string
}

/** @param signingKey our own; what another key signed covers nothing, but its entry has to be there all the same */
export function createCoverCheck(store: AuditStore, signingKey: KeyObject | undefined): CoverCheck {
  const publicKey = signingKey === undefined ? null : createPublicKey(signingKey)
  const state: State = { store, publicKey, covered: new Map(), seen: new Map(), isStarted: false, firstBad: null }
  return {
    covered: state.covered,
    get firstBad() {
      return state.firstBad
    },
    look: () => looking(state),
  }
}

async function* looking(state: State): Steps {
  const { store, seen } = state
  // Later on heads tell of all that is new.
  const newest = state.isStarted ? [] : await store.checkpoints({ newest: true, limit: ALL_WRITERS })
  for (const { writer, epoch } of newest) yield* read(state, writer, epoch)
  state.isStarted = true
  const known = [...seen.keys()]
  const stored = new Set<string>()
  for await (const heads of headPages(store)) {
    // Read after the checkpoints: what they sign was linked before.
    for (const head of heads) {
      stored.add(head.writer)
      compare(state, head)
    }
    for (const { writer, epoch } of heads) {
      yield* read(state, writer, epoch - 1)
      const made = (seen.get(writer)?.epoch ?? -1) + 1
      if (made < epoch) fault(state, writer, seen.get(writer)?.seq ?? 1, `the checkpoint of epoch ${made} is missing`)
    }
    yield true
  }
  for (const writer of known) {
    if (stored.has(writer) || (await storedHead(store, writer)) !== undefined) continue
    fault(state, writer, seen.get(writer)!.seq, 'the whole chain is missing')
  }
}

/** Checks what is new of a writer, up to an epoch. */
async function* read(state: State, writer: string, epoch: number): Steps {
  const { store, seen } = state
  if ((seen.get(writer)?.epoch ?? -1) >= epoch) return
  // What was archived has no entries to compare with.
  const anchor = (await storedHead(store, writer))?.anchor.seq ?? 0
  while ((seen.get(writer)?.epoch ?? -1) < epoch) {
    const page = await store.checkpoints({ writer, after: seen.get(writer)?.epoch ?? -1, limit: PAGE })
    if (page.length === 0) return
    const sound: SignedCheckpoint[] = []
    for (const [index, stored] of page.entries()) {
      const checkpoint = readCheckpoint(stored.line)
      const reason = await wrong(state, stored, checkpoint, anchor)
      if (reason !== null) fault(state, writer, stored.seq, reason)
      else if (checkpoint !== null) sound.push(checkpoint)
      const { seq, epoch: read, line } = stored
      seen.set(writer, { seq, epoch: read, hash: checkpoint?.hash ?? '', lineHash: hashOfLine(line) })
      if (index % A_TURN === 0) yield false
    }
    yield* cover(state, sound)
  }
}

/** The newest that our key signed covers what all before it do. */
async function* cover({ publicKey, covered }: State, sound: readonly SignedCheckpoint[]): Steps {
  for (const checkpoint of sound.toReversed()) {
    const { writer, seq, epoch, time } = checkpoint
    if (publicKey === null) return
    if (isSignedBy(checkpoint, publicKey)) return void covered.set(writer, { seq, epoch, time })
    // A writer of another key: an earlier one of ours, or another host on the same storage.
    yield false
  }
}

async function wrong(
  { store, seen }: State,
  stored: StoredCheckpoint,
  checkpoint: SignedCheckpoint | null,
  anchor: number,
): Promise<string | null> {
  const { writer } = stored
  if (checkpoint === null || checkpoint.writer !== writer) return 'the stored checkpoint is damaged'
  const { seq, hash, epoch } = checkpoint
  if (seq !== stored.seq || epoch !== stored.epoch) return 'the stored checkpoint is damaged'
  const before = seen.get(writer)
  if (!follows(checkpoint, before, store.evicts === true)) return 'the checkpoint does not follow the one before it'
  const known = seq === before?.seq ? before.hash : seq > anchor ? await hashOfEntry(store, writer, seq) : null
  return known === null || known === hash ? null : 'the entry is not what was signed'
}

async function hashOfEntry(store: AuditStore, writer: string, seq: number): Promise<string | null> {
  const [entry] = await store.chain(writer, seq - 1, 1)
  return entry?.integrity?.seq === seq ? entry.integrity.hash : null
}

function follows({ seq, epoch, previous }: SignedCheckpoint, before: Seen | undefined, evicts: boolean) {
  if (before === undefined) return (epoch === 0 || evicts) && (epoch === 0) === (previous === '')
  return epoch === before.epoch + 1 && seq >= before.seq && previous === before.lineHash
}

/** What was signed is stored, or was taken out from the beginning. */
function compare(state: State, head: WriterHead): void {
  const { writer } = head
  const newest = state.seen.get(writer)
  if (newest === undefined) return
  const { seq, epoch } = newest
  if (head.seq < seq) fault(state, writer, head.seq + 1, `entries up to ${seq} were signed and are missing`)
  else if (head.epoch <= epoch) fault(state, writer, seq, 'the epoch was set back')
}

function fault(state: State, writer: string, seq: number, reason: string): void {
  state.firstBad ??= { writer, seq, reason }
}
