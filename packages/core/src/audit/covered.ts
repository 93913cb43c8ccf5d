import { createPublicKey, type KeyObject } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { hashOfLine, isSignedBy, readCheckpoint, type SignedCheckpoint } from './checkpoint.js'
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
  follow(signal?: AbortSignal): Promise<void>
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
  readonly seen: Map<string, StoredCheckpoint>
  firstBad: Fault | null
}

/** @param signingKey our own; what another key signed covers nothing, but its entry has to be there all the same */
export function createCoverCheck(store: AuditStore, signingKey: KeyObject | undefined): CoverCheck {
  const publicKey = signingKey === undefined ? null : createPublicKey(signingKey)
  const state: State = { store, publicKey, covered: new Map(), seen: new Map(), firstBad: null }
  return {
    covered: state.covered,
    get firstBad() {
      return state.firstBad
    },
    follow: (signal) => follow(state, signal),
  }
}

async function follow(state: State, signal: AbortSignal | undefined): Promise<void> {
  const { store, seen } = state
  for (const { writer, epoch } of await store.checkpoints({ newest: true, limit: ALL_WRITERS })) {
    await read(state, writer, epoch, signal)
    if (signal?.aborted) return
  }
  // Read after the checkpoints: what they sign was linked before.
  const heads = new Map((await store.heads()).map((head) => [head.writer, head]))
  for (const [writer, newest] of seen) compare(state, newest, heads.get(writer))
  for (const { writer, epoch } of heads.values()) {
    await read(state, writer, epoch - 1, signal)
    if (signal?.aborted) return
    const made = (seen.get(writer)?.epoch ?? -1) + 1
    if (made < epoch) fault(state, writer, seen.get(writer)?.seq ?? 1, `the checkpoint of epoch ${made} is missing`)
  }
}

/** Checks what is new of a writer, up to an epoch. */
async function read(state: State, writer: string, epoch: number, signal: AbortSignal | undefined): Promise<void> {
  const { store, seen } = state
  while ((seen.get(writer)?.epoch ?? -1) < epoch && !signal?.aborted) {
    const page = await store.checkpoints({ writer, after: seen.get(writer)?.epoch ?? -1, limit: PAGE })
    if (page.length === 0) return
    const sound: SignedCheckpoint[] = []
    for (const [index, stored] of page.entries()) {
      const checkpoint = readCheckpoint(stored.line)
      const reason = await wrong(state, stored, checkpoint, seen.get(writer))
      if (reason !== null) fault(state, writer, stored.seq, reason)
      else if (checkpoint !== null) sound.push(checkpoint)
      seen.set(writer, stored)
      if (index % A_TURN === 0) await nextTurn()
    }
    await cover(state, sound)
  }
}

/** The newest that our key signed covers what all before it do. */
async function cover({ publicKey, covered }: State, sound: readonly SignedCheckpoint[]): Promise<void> {
  for (const checkpoint of sound.toReversed()) {
    const { writer, seq, epoch, time } = checkpoint
    if (publicKey === null) return
    if (isSignedBy(checkpoint, publicKey)) return void covered.set(writer, { seq, epoch, time })
    // A writer of another key: an earlier one of ours, or another host on the same storage.
    await nextTurn()
  }
}

async function wrong(
  { store }: State,
  stored: StoredCheckpoint,
  checkpoint: SignedCheckpoint | null,
  before: StoredCheckpoint | undefined,
): Promise<string | null> {
  const { writer } = stored
  if (checkpoint === null || checkpoint.writer !== writer) return 'the stored checkpoint is damaged'
  const { seq, hash, epoch } = checkpoint
  if (seq !== stored.seq || epoch !== stored.epoch) return 'the stored checkpoint is damaged'
  if (!follows(checkpoint, before, store.evicts === true)) return 'the checkpoint does not follow the one before it'
  const [entry] = await store.chain(writer, seq - 1, 1)
  return entry?.integrity?.seq === seq && entry.integrity.hash !== hash ? 'the entry is not what was signed' : null
}

function follows({ seq, epoch, previous }: SignedCheckpoint, before: StoredCheckpoint | undefined, evicts: boolean) {
  if (before === undefined) return (epoch === 0 || evicts) && (epoch === 0) === (previous === '')
  return epoch === before.epoch + 1 && seq >= before.seq && previous === hashOfLine(before.line)
}

/** What was signed is stored, or was taken out from the beginning. */
function compare(state: State, newest: StoredCheckpoint, head: WriterHead | undefined): void {
  const { writer, seq, epoch } = newest
  if (head === undefined) fault(state, writer, seq, 'the whole chain is missing')
  else if (head.seq < seq) fault(state, writer, head.seq + 1, `entries up to ${seq} were signed and are missing`)
  else if (head.epoch <= epoch) fault(state, writer, seq, 'the epoch was set back')
}

function fault(state: State, writer: string, seq: number, reason: string): void {
  state.firstBad ??= { writer, seq, reason }
}
