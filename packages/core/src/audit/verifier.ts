import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../options.js'
import type { Clock } from '../time.js'
import { check, type Walk, walkFrom } from './check.js'
import type { AuditStore, ChainHead, WriterHead } from './store.js'

/** Entries read at a time: about two milliseconds of checking, after which the event loop has its turn. */
const BATCH = 256

export interface VerifierOptions {
  readonly store: AuditStore
  /** The configured key; without it tags are not checked. */
  readonly key?: string
  readonly clock: Clock
  readonly logger?: Logger
}

export interface Fault {
  readonly writer: string
  readonly seq: number
  readonly reason: string
}

export interface VerifierState {
  /** No fault so far. Once false it stays so for the life of the process: damage that goes away was damage too. */
  readonly valid: boolean
  readonly verifiedThrough: Readonly<Record<string, number>>
  /** When a look at every chain last ended; null before the first has. */
  readonly verifiedAt: number | null
  readonly firstBad?: Fault
  /** Every chain seen has tags, and they were checked. */
  readonly signed: boolean
}

/**
 * Checks what the store holds: every entry once, and all of it again and again.
 *
 * Chains of other processes are followed too. A chain that begins at an anchor is checked from there on.
 */
export interface Verifier {
  /** Tells of entries that were made here a moment ago: their hashes need no second look before the next pass. */
  linked(writer: string, after: ChainHead, head: ChainHead & { readonly epoch: number }): void
  /** Checks what no earlier call has: at first everything. Ends after a batch where the signal is aborted. */
  follow(signal?: AbortSignal): Promise<void>
  /** Checks the next few stored entries again; after the last it begins anew. */
  step(): Promise<void>
  /** One whole pass over everything stored, new or not. Rejects where the store fails; a fault is in `state`. */
  scrub(): Promise<void>
  state(): VerifierState
}

interface State extends VerifierOptions {
  /** Verified so far, by writer. */
  readonly walks: Map<string, Walk>
  /** Writers with a fault, which are not read further. */
  readonly broken: Set<string>
  firstBad?: Fault
  verifiedAt: number | null
}

export function createVerifier(options: VerifierOptions): Verifier {
  const state: State = { ...options, walks: new Map(), broken: new Set(), verifiedAt: null }
  let pass = scrubbing(state)
  let last: Promise<void> = Promise.resolve()
  // One reader at a time: a scrub compares with what `follow` has seen.
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
  const step = async () => {
    try {
      if ((await pass.next()).done === true) pass = scrubbing(state)
    } catch (error) {
      pass = scrubbing(state)
      throw error
    }
  }
  return {
    linked(writer, after, head) {
      const walk = state.walks.get(writer)
      if (walk === undefined || walk.seq !== after.seq || walk.hash !== after.hash || state.broken.has(writer)) return
      walk.seq = head.seq
      walk.hash = head.hash
      walk.epoch = head.epoch
    },
    follow: (signal) => inTurn(() => follow(state, signal)),
    step: () => inTurn(step),
    scrub: () => inTurn(() => scrub(state)),
    state: () => stateOf(state),
  }
}

function stateOf({ walks, firstBad, verifiedAt, key }: State): VerifierState {
  const chains = [...walks.values()]
  return {
    valid: firstBad === undefined,
    verifiedThrough: Object.fromEntries(chains.map(({ writer, seq }) => [writer, seq])),
    verifiedAt,
    ...(firstBad === undefined ? {} : { firstBad }),
    signed: key !== undefined && chains.every(({ signed }) => signed !== false),
  }
}

async function scrub(state: State): Promise<void> {
  await follow(state)
  for await (const _ of scrubbing(state)) await nextTurn()
}

async function follow(state: State, signal?: AbortSignal): Promise<void> {
  const heads = await state.store.heads()
  for (const head of heads) {
    const walk = state.walks.get(head.writer) ?? walkFrom(head.writer, head.anchor, state.key)
    state.walks.set(head.writer, walk)
    while (walk.seq < head.seq && !state.broken.has(head.writer)) {
      await advance(state, walk, head.seq)
      await nextTurn()
      if (signal?.aborted) return
    }
    await compare(state, walk, head)
  }
  missing(state, heads)
  state.verifiedAt = state.clock()
}

/** One pass over all that `follow` has seen, a batch a step. */
async function* scrubbing(state: State): AsyncGenerator<void> {
  const heads = await state.store.heads()
  missing(state, heads)
  for (const head of heads) {
    const seen = state.walks.get(head.writer)
    if (seen === undefined) continue
    const known = { seq: seen.seq, hash: seen.hash }
    const walk = { ...walkFrom(head.writer, head.anchor, state.key), signed: seen.signed }
    while (walk.seq < known.seq && !state.broken.has(head.writer)) {
      await advance(state, walk, known.seq)
      yield
    }
    if (walk.seq === known.seq && walk.hash !== known.hash) fault(state, walk, known.seq, 'the chain was written anew')
    await beyond(state, head)
    // Of chains that were archived nothing is left, and there may be thousands.
    await nextTurn()
  }
  state.verifiedAt = state.clock()
}

/** Checks at most a batch of the entries after a walk. */
async function advance(state: State, walk: Walk, through: number): Promise<void> {
  const from = walk.seq
  const entries = await state.store.chain(walk.writer, from, Math.min(BATCH, through - from))
  if (entries[0]?.integrity?.seq !== from + 1 && entries[0]?.damaged === undefined && (await skipped(state, walk)))
    return
  if (walk.seq !== from) return // what was being read has been told of in the meantime
  if (entries.length === 0) fault(state, walk, walk.seq + 1, 'the entry is missing')
  for (const entry of entries) {
    const wrong = check(walk, entry)
    if (wrong !== null) return fault(state, walk, walk.seq + 1, wrong)
  }
}

/** Moves a walk to its chain's anchor where the entries up to there are gone, as a full memory store lets them go. */
async function skipped(state: State, walk: Walk): Promise<boolean> {
  const anchor = (await headOf(state, walk.writer))?.anchor
  if (anchor === undefined || anchor.seq <= walk.seq) return false
  walk.seq = anchor.seq
  walk.hash = anchor.hash
  return true
}

/** The stored head must be the entry it names, and not lie behind what was verified. */
async function compare(state: State, walk: Walk, head: WriterHead): Promise<void> {
  if (state.broken.has(walk.writer)) return
  if (walk.seq === head.seq) {
    if (walk.hash !== head.hash) fault(state, walk, head.seq, 'the head is not the last entry')
    return
  }
  // Read before some of the entries came, or cut back: only a second look can tell.
  const now = await headOf(state, walk.writer)
  if (now === undefined || now.seq < walk.seq) fault(state, walk, walk.seq, 'the chain was cut')
}

/** Nothing may stand after the head. */
async function beyond(state: State, head: WriterHead): Promise<void> {
  const [extra] = await state.store.chain(head.writer, head.seq, 1)
  if (extra === undefined || state.broken.has(head.writer)) return
  const now = await headOf(state, head.writer)
  if (now === undefined || now.seq <= head.seq) fault(state, head, head.seq + 1, 'an entry stands after the head')
}

async function headOf(state: State, writer: string): Promise<WriterHead | undefined> {
  return (await state.store.heads()).find((head) => head.writer === writer)
}

function missing(state: State, heads: readonly WriterHead[]): void {
  const stored = new Set(heads.map(({ writer }) => writer))
  for (const walk of state.walks.values()) {
    if (!stored.has(walk.writer)) fault(state, walk, walk.seq, 'the whole chain is missing')
  }
}

function fault(state: State, { writer }: { writer: string } & ChainHead, seq: number, reason: string): void {
  if (state.broken.has(writer)) return
  state.broken.add(writer)
  state.firstBad ??= { writer, seq, reason }
  state.logger?.error({ writer, seq, reason }, 'the audit log is damaged or was tampered with')
}
