import type { KeyObject } from 'node:crypto'
import type { Clock } from '../time.js'
import { hashOfLine, readCheckpoint, signCheckpoint } from './checkpoint.js'
import { createRatchet, type Ratchet } from './ratchet.js'
import type { AuditStore, ChainHead } from './store.js'

/** How often a chain with nothing new is signed again, so that a copy elsewhere shows that the writer lives, ms. */
const IDLE_MS = 3_600_000

export interface CheckpointsOptions {
  readonly store: Pick<AuditStore, 'checkpoint' | 'checkpoints'>
  readonly writer: string
  /** The configured key; undefined: only the epoch counts. */
  readonly key: string | undefined
  /** Ed25519, private. */
  readonly signingKey: KeyObject
  /** Most entries, and most ms, that new entries stay without a checkpoint. */
  readonly every: { readonly entries: number; readonly ms: number }
  readonly clock: Clock
  /** Told of each one that is stored. */
  readonly onStored: () => void
}

/** Signs where a chain stands. Asked by its appender between two batches, so that an epoch ends where it says. */
export interface Checkpoints {
  readonly ratchet: Ratchet
  /** How many entries may be linked before the next one is due. */
  room(head: ChainHead): number
  isDue(head: ChainHead): boolean
  /** Whether the chain was signed where it stands. */
  covers(head: ChainHead): boolean
  /**
   * Signs the head, stores that, and turns the key. Until it is stored the same line is tried again, since the answer
   * may be what was lost.
   *
   * @returns false where another process moved the chain or signed it: look again
   */
  make(head: ChainHead): Promise<boolean>
  /**
   * Takes over what other processes have signed of a chain they share, or what is left where the store has lost its newest
   * commits, as a replica may have that takes over.
   *
   * @param epoch of the chain as it is stored; absent: what its newest checkpoint says
   */
  follow(epoch?: number): Promise<void>
}

interface State extends CheckpointsOptions {
  ratchet: Ratchet
  /** The newest stored one. */
  last: { readonly line: string; readonly seq: number; readonly hash: string; readonly time: number } | null
  /** Signed, and perhaps stored. */
  pending: { readonly line: string; readonly head: ChainHead } | null
}

export function createCheckpoints(options: CheckpointsOptions): Checkpoints {
  const ratchet = createRatchet(options.key, options.writer)
  const state: State = { ...options, ratchet, last: null, pending: null }
  return {
    get ratchet() {
      return state.ratchet
    },
    room: ({ seq }) => Math.max(0, options.every.entries - (seq - (state.last?.seq ?? 0))),
    isDue: (head) => isDue(state, head),
    covers: ({ seq, hash }) => seq === 0 || (state.last?.seq === seq && state.last.hash === hash),
    make: (head) => make(state, head),
    follow: (epoch) => follow(state, epoch),
  }
}

function isDue({ last, pending, every, clock }: State, { seq }: ChainHead): boolean {
  if (pending !== null) return true
  if (last === null) return seq > 0
  const isNew = seq > last.seq
  if (isNew && seq - last.seq >= every.entries) return true
  const sinceMs = clock() - last.time
  // A clock that was set back must not silence a chain for as long.
  return sinceMs < 0 ? isNew : sinceMs >= (isNew ? every.ms : IDLE_MS)
}

async function make(state: State, head: ChainHead): Promise<boolean> {
  const { store, writer, ratchet } = state
  state.pending ??= { line: signed(state, head), head: { seq: head.seq, hash: head.hash } }
  const { line, head: at } = state.pending
  const isStored = await store.checkpoint(writer, at, { epoch: ratchet.epoch, seq: at.seq, line })
  if (!isStored && (await newest(state))?.line !== line) {
    state.pending = null
    return false
  }
  take(state, line)
  ratchet.turn()
  state.onStored()
  return true
}

function signed({ writer, ratchet, last, clock, signingKey }: State, { seq, hash }: ChainHead): string {
  const previous = last === null ? '' : hashOfLine(last.line)
  return signCheckpoint({ writer, seq, hash, previous, time: clock(), epoch: ratchet.epoch }, signingKey)
}

async function follow(state: State, at?: number): Promise<void> {
  const stored = await newest(state)
  const epoch = at ?? (stored?.epoch ?? -1) + 1
  if (epoch === state.ratchet.epoch) return
  state.last = null
  state.pending = null
  if (stored !== undefined) take(state, stored.line)
  // A key cannot be turned back, so it starts anew.
  if (epoch < state.ratchet.epoch) state.ratchet = createRatchet(state.key, state.writer)
  state.ratchet.turnTo(epoch)
  state.onStored()
}

async function newest({ store, writer }: State) {
  return (await store.checkpoints({ writer, newest: true, limit: 1 }))[0]
}

function take(state: State, line: string): void {
  const { seq = 0, hash = '', time = 0 } = readCheckpoint(line) ?? {}
  state.last = { line, seq, hash, time }
  state.pending = null
}
