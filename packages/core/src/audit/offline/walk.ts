import { GENESIS } from '../chain.js'
import { mayFollow, toolsOf, type Walk, walkFrom } from '../check.js'
import type { SignedCheckpoint } from '../checkpoint.js'
import { isPlace, type Line } from '../entry-line.js'
import type { ChainHead } from '../store.js'
import type { Findings } from './findings.js'
import { firstWhere } from './first-where.js'
import { createHashRuns, type HashRuns } from './hash-runs.js'

/** What was read of one writer's chain. */
export interface WriterWalk {
  readonly walk: Walk
  readonly hashes: HashRuns
  /** Where its entries begin: a place that somebody has to vouch for. Null: with the first one there ever was. */
  anchor: ({ readonly line: number } & ChainHead) | null
  readonly first: number
  /** Of its first entry: the line, and ms since the epoch. */
  begin: { readonly line: number; readonly time: number } | null
  entries: number
  isSealed: boolean
  /** Behind the end of a segment: up to where its chain is told again. Null elsewhere. */
  again: number | null
  /** Where that telling began. */
  told: { readonly line: number; readonly seq: number } | null
}

/** A place in some chain that an entry of the log names. */
export interface Claim extends ChainHead {
  readonly writer: string
  /** `successor`: a later boot took over from there. `segment`: what came before was archived. */
  readonly by: 'successor' | 'segment'
}

type EntryLine = Extract<Line, { kind: 'entry' }>
type PlaceLine = Extract<Line, { kind: 'anchor' | 'end' }>

export interface Reader {
  readonly writers: ReadonlyMap<string, WriterWalk>
  readonly claims: readonly Claim[]
  entry(line: number, entry: EntryLine): void
  place(line: number, place: PlaceLine): void
}

interface State {
  readonly key: string | undefined
  readonly witnesses: ReadonlyMap<string, readonly SignedCheckpoint[]>
  readonly findings: Findings
  readonly writers: Map<string, WriterWalk>
  readonly claims: Claim[]
  /** A wrong tag or a fork was found: no more keys are turned, since every line could have them turned for seconds. */
  isSettled: boolean
}

export function createReader(options: Pick<State, 'key' | 'witnesses' | 'findings'>): Reader {
  const state: State = { ...options, writers: new Map(), claims: [], isSettled: false }
  return {
    writers: state.writers,
    claims: state.claims,
    entry: (line, entry) => readEntry(state, line, entry),
    place: (line, place) => readPlace(state, line, place),
  }
}

function readEntry(state: State, line: number, entry: EntryLine): void {
  const { seq, writer, previous_hash, hash } = entry.integrity
  const own = state.writers.get(writer) ?? begin(state, line, writer, seq, previous_hash)
  const { walk, hashes } = own
  const fault = (kind: 'tampered' | 'fork', reason: string, at = seq) =>
    state.findings.add(kind, { line, writer, seq: at, reason })
  if (seq <= walk.seq) {
    const [known, parent] = [hashes.at(seq), hashes.at(seq - 1) ?? GENESIS.hash]
    if (known === hash && own.again === seq - 1 && wrongBySelf(entry, walk) === null) {
      own.told ??= { line, seq }
      own.again = seq
      return
    }
    const isOther = known !== null && known !== hash && previous_hash === parent
    if (isOther && isFork(state, own, entry)) fault('fork', 'another entry has this number and follows the same one')
    else fault('tampered', known === hash ? 'the entry is there twice' : 'the entry is not in its place')
    return
  }
  endTelling(state.findings, writer, own)
  if (own.isSealed) fault('tampered', 'an entry stands behind the seal')
  if (seq > walk.seq + 1) fault('tampered', 'an entry is missing', walk.seq + 1)
  else if (previous_hash !== walk.hash) fault('tampered', 'it does not follow the entry before it')
  else {
    const wrong = wrongEpoch(state, own, entry) ?? wrongBySelf(entry, walk) ?? wrongTag(state, entry, walk)
    if (wrong !== null) fault('tampered', wrong)
  }
  own.begin ??= { line, time: entry.record.timestamp }
  moveOn(state, own, entry)
}

function begin(state: State, line: number, writer: string, seq: number, previous: string): WriterWalk {
  if (seq === 1) return opened(state, writer, GENESIS, null)
  state.findings.add('truncated', { line, writer, seq: 1, reason: 'the beginning of this chain is missing' })
  return opened(state, writer, { seq: seq - 1, hash: previous }, null)
}

function opened(state: State, writer: string, at: ChainHead, anchorLine: number | null): WriterWalk {
  const own: WriterWalk = {
    walk: walkFrom(writer, at, state.key),
    hashes: createHashRuns(),
    anchor: anchorLine === null ? null : { ...at, line: anchorLine },
    first: at.seq + 1,
    begin: null,
    entries: 0,
    isSealed: false,
    again: null,
    told: null,
  }
  if (at.seq > 0) own.hashes.add(at.seq, at.hash)
  state.writers.set(writer, own)
  return own
}

/** A chain that is told again is told up to where it stands: of a part of it alone the entries are there twice. */
export function endTelling(findings: Findings, writer: string, own: WriterWalk): void {
  const { told, again, walk } = own
  if (told !== null && again !== walk.seq)
    findings.add('tampered', { ...told, writer, reason: 'the entry is there twice' })
  own.told = null
}

/** The hash of an entry, and whether it has a tag, whatever its place. */
function wrongBySelf({ body, integrity, record }: EntryLine, walk: Walk): string | null {
  const { seq, previous_hash, hash, signature } = integrity
  if (toolsOf(walk).hashOf(seq, previous_hash, body) !== hash) return 'its hash is not that of its text'
  const isSigned = signature !== ''
  if (record.event === 'audit.boot' && seq === 1 && record.metadata?.signed !== isSigned)
    return 'its tag is not what the boot entry says of the chain'
  if (walk.signed !== null && walk.signed !== isSigned) return 'some entries of this chain have tags and some have none'
  return null
}

function wrongTag(state: State, { integrity: { epoch, hash, signature } }: EntryLine, walk: Walk): string | null {
  const { tagOf } = toolsOf(walk)
  if (signature === '' || tagOf === null || state.isSettled) return null
  if (tagOf(epoch, hash) === signature) return null
  state.isSettled = true
  return 'its tag is not of this key'
}

/**
 * Whether an entry in another's place is as good as that one. The key may have been turned since, so that one starts anew;
 * no further than the chain went.
 */
function isFork(state: State, { walk }: WriterWalk, entry: EntryLine): boolean {
  const { writer, seq, epoch } = entry.integrity
  if (state.isSettled || epoch > (walk.epoch ?? 0)) return false
  const start = walkFrom(writer, { seq, hash: '' }, state.key)
  if ((wrongBySelf(entry, walk) ?? wrongTag(state, entry, start)) !== null) return false
  state.isSettled = true
  return true
}

/** Checkpoints say where each epoch ended. */
function wrongEpoch({ witnesses }: State, { walk }: WriterWalk, { integrity }: EntryLine): string | null {
  const { writer, seq, epoch } = integrity
  if (!mayFollow(walk, epoch)) return 'its epoch cannot follow that of the entry before it'
  const row = witnesses.get(writer) ?? []
  const index = firstWhere(row.length, (at) => row[at]!.seq >= seq)
  const [ends, before] = [row[index], row[index - 1]]
  if (ends !== undefined && epoch > ends.epoch) return 'its epoch is later than the checkpoint that covers it'
  if (before !== undefined && epoch <= before.epoch) return 'its epoch had ended before it'
  return null
}

/** Also past an entry that is wrong: what follows is compared with what it claims to be. */
function moveOn(state: State, own: WriterWalk, { integrity, record }: EntryLine): void {
  const { walk, hashes } = own
  const { seq, hash, epoch, signature } = integrity
  hashes.add(seq, hash)
  walk.seq = seq
  walk.hash = hash
  walk.signed ??= signature !== ''
  if (mayFollow({ seq: seq - 1, epoch: walk.epoch }, epoch)) walk.epoch = epoch
  own.entries += 1
  own.again = null
  if (record.event === 'audit.seal') own.isSealed = true
  if (record.event === 'audit.segment_closed') claim(state, record.metadata, 'segment')
  if (record.event !== 'audit.boot') return
  const named = record.metadata?.predecessors
  if (Array.isArray(named)) for (const place of named) claim(state, place, 'successor')
}

function claim(state: State, value: unknown, by: Claim['by']): void {
  const { writer, seq, hash } = (value ?? {}) as Partial<Claim>
  const place = { writer, seq, hash }
  if (isPlace(place)) state.claims.push({ ...place, by })
}

function readPlace(state: State, line: number, { kind, writer, at }: PlaceLine): void {
  const own = state.writers.get(writer)
  if (own === undefined && kind === 'anchor') return void opened(state, writer, at, line)
  if (own !== undefined && own.walk.seq === at.seq && own.walk.hash === at.hash) {
    if (kind === 'anchor') return
    endTelling(state.findings, writer, own)
    own.again = 0
    return
  }
  // Who archived a segment may have died before it was taken out.
  const mayBegin = own !== undefined && own.again !== null && own.told === null
  if (kind === 'anchor' && mayBegin && own.hashes.at(at.seq) === at.hash) {
    own.told = { line, seq: at.seq }
    own.again = at.seq
    return
  }
  const what = kind === 'anchor' ? 'the segment does not begin' : 'the segment does not end'
  state.findings.add('tampered', {
    line,
    writer,
    seq: at.seq,
    reason: `${what} where the entries before it stopped`,
  })
}
