import type { Logger } from '../options.js'
import type { Clock } from '../time.js'
import { check, type Walk, walkFrom } from './check.js'
import { headPages, storedHead } from './heads.js'
import { createPass, type Steps } from './pass.js'
import type { AuditStore, ChainHead, WriterHead } from './store.js'

/** Entries read at a time: about two milliseconds of checking, after which the event loop has its turn. */
const BATCH = 256
/** Chains that have nothing to check in one step of a scrub: of those that were archived there may be thousands. */
const ENDS = 32
/** Chains whose hashing tools are kept at hand; those of one that is read again after so many others are made anew. */
const AT_HAND = 1_000

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
  /** Of each chain of which something is stored. */
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
  /** The same of the next hundred chains only; after the last it begins anew. */
  look(signal?: AbortSignal): Promise<void>
  /** Checks the next few stored entries again; after the last it begins anew. */
  step(): Promise<void>
  /** One whole pass over everything stored, new or not. Rejects where the store fails; a fault is in `state`. */
  scrub(): Promise<void>
  state(): VerifierState
}

interface State extends VerifierOptions {
  /** Verified so far, by writer. */
  readonly walks: Map<string, Walk>
  /** Those that read an entry last, the newest at the end: they have their tools. */
  readonly atHand: Set<Walk>
  /** Writers of whom nothing is stored any more. */
  readonly archived: Set<string>
  /** Writers with a fault, which are not read further. */
  readonly broken: Set<string>
  firstBad?: Fault
  verifiedAt: number | null
}

export function createVerifier(options: VerifierOptions): Verifier {
  const state: State = {
    ...options,
    walks: new Map(),
    atHand: new Set(),
    archived: new Set(),
    broken: new Set(),
    verifiedAt: null,
  }
  const looks = createPass(() => looking(state))
  const scrubs = createPass(() => scrubbing(state))
  let last: Promise<unknown> = Promise.resolve()
  // One reader at a time: a scrub compares with what `follow` has seen.
  const inTurn = async (work: () => Promise<unknown>): Promise<void> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    await turn
  }
  return {
    linked(writer, after, head) {
      const walk = state.walks.get(writer)
      if (walk === undefined || walk.seq !== after.seq || walk.hash !== after.hash || state.broken.has(writer)) return
      walk.seq = head.seq
      walk.hash = head.hash
      walk.epoch = head.epoch
    },
    follow: (signal) => inTurn(() => looks.whole(signal)),
    look: (signal) => inTurn(() => looks.step(signal)),
    step: () => inTurn(() => scrubs.step()),
    scrub: () =>
      inTurn(async () => {
        await looks.whole()
        await scrubs.whole()
      }),
    state: () => stateOf(state),
  }
}

function stateOf({ walks, archived, firstBad, verifiedAt, key }: State): VerifierState {
  const chains = [...walks.values()].filter(({ writer }) => !archived.has(writer))
  return {
    valid: firstBad === undefined,
    verifiedThrough: Object.fromEntries(chains.map(({ writer, seq }) => [writer, seq])),
    verifiedAt,
    ...(firstBad === undefined ? {} : { firstBad }),
    signed: key !== undefined && chains.every(({ signed }) => signed !== false),
  }
}

/** What is new of all chains: a step is a page of them, and all that is new there. */
async function* looking(state: State): Steps {
  const known = [...state.walks.keys()]
  const stored = new Set<string>()
  for await (const heads of headPages(state.store)) {
    for (const head of heads) {
      stored.add(head.writer)
      yield* lookAt(state, head)
    }
    yield true
  }
  for (const writer of known) if (!stored.has(writer)) await missing(state, writer)
  state.verifiedAt = state.clock()
}

async function* lookAt(state: State, head: WriterHead): Steps {
  const { writer, seq, anchor } = head
  const walk = state.walks.get(writer) ?? walkFrom(writer, anchor, state.key)
  state.walks.set(writer, walk)
  if (anchor.seq === seq) state.archived.add(writer)
  else state.archived.delete(writer)
  while (walk.seq < seq && !state.broken.has(writer)) {
    await advance(state, walk, seq)
    keepAtHand(state, walk)
    yield false
  }
  await compare(state, walk, head)
}

function keepAtHand({ atHand }: State, walk: Walk): void {
  atHand.delete(walk)
  atHand.add(walk)
  if (atHand.size <= AT_HAND) return
  const [oldest] = atHand
  atHand.delete(oldest!)
  oldest!.tools = null
}

/** One pass over all that `looking` has seen: a step is a batch, or the ends of some chains. */
async function* scrubbing(state: State): Steps {
  let ends = 0
  for await (const heads of headPages(state.store)) {
    for (const head of heads) {
      const seen = state.walks.get(head.writer)
      if (seen === undefined) continue
      const known = { seq: seen.seq, hash: seen.hash }
      const walk = { ...walkFrom(head.writer, head.anchor, state.key), signed: seen.signed }
      while (walk.seq < known.seq && !state.broken.has(head.writer)) {
        await advance(state, walk, known.seq)
        yield true
      }
      if (walk.seq === known.seq && walk.hash !== known.hash)
        fault(state, walk, known.seq, 'the chain was written anew')
      await beyond(state, head)
      ends += 1
      yield ends % ENDS === 0
    }
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
  const anchor = (await storedHead(state.store, walk.writer))?.anchor
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
  const now = await storedHead(state.store, walk.writer)
  if (now === undefined || now.seq < walk.seq) fault(state, walk, walk.seq, 'the chain was cut')
}

/** Nothing may stand after the head. */
async function beyond(state: State, head: WriterHead): Promise<void> {
  const [extra] = await state.store.chain(head.writer, head.seq, 1)
  if (extra === undefined || state.broken.has(head.writer)) return
  const now = await storedHead(state.store, head.writer)
  if (now === undefined || now.seq <= head.seq) fault(state, head, head.seq + 1, 'an entry stands after the head')
}

async function missing(state: State, writer: string): Promise<void> {
  const walk = state.walks.get(writer)
  if (walk === undefined || (await storedHead(state.store, writer)) !== undefined) return
  fault(state, walk, walk.seq, 'the whole chain is missing')
}

function fault(state: State, { writer }: { writer: string } & ChainHead, seq: number, reason: string): void {
  if (state.broken.has(writer)) return
  state.broken.add(writer)
  state.firstBad ??= { writer, seq, reason }
  state.logger?.error({ writer, seq, reason }, 'the audit log is damaged or was tampered with')
}
