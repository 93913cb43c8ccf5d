import { bodyOf } from '../../../packages/core/src/audit/canonical.js'
import { hasher, tagger } from '../../../packages/core/src/audit/chain.js'
import { type Line, lineOfEntry, readLine } from '../../../packages/core/src/audit/entry-line.js'
import { type Draw, type SampleChain, type SampleLog, sampleLog, textOf } from './sample-log.js'

/** A log after somebody was at it, and whether it may go unseen: only behind the newest outside checkpoint. */
export interface Mutated {
  readonly name: string
  readonly log: Buffer
  readonly checkpoints: Buffer
  readonly mayPass: boolean
}

type Entry = Extract<Line, { kind: 'entry' }>
type Change = (sample: SampleLog, draw: Draw) => Mutated | null

const entryAt = (lines: readonly string[], at: number): Entry | null => {
  const line = readLine(lines[at]!)
  return line.kind === 'entry' ? line : null
}
const indexes = (lines: readonly string[], writer?: string) =>
  lines.flatMap((_, at) => {
    const entry = entryAt(lines, at)
    return entry !== null && (writer === undefined || entry.integrity.writer === writer) ? [at] : []
  })
const oneOf = <T>(items: readonly T[], draw: Draw): T | undefined => items[draw(Math.max(1, items.length))]
const result = (name: string, sample: SampleLog, lines: readonly string[], mayPass = false): Mutated => ({
  name,
  log: Buffer.from(textOf(lines)),
  checkpoints: Buffer.from(textOf(sample.checkpoints)),
  mayPass,
})
const chainOf = ({ chains }: SampleLog, writer: string): SampleChain => chains.find((chain) => chain.writer === writer)!
/** Whether an entry stands behind all that checkpoints, and boots that are still there, say of its chain. */
const isLater = (sample: SampleLog, { integrity: { writer, seq } }: Entry, left: readonly string[]) =>
  seq > chainOf(sample, writer).covered && !isNamed(left, writer, seq)
const isNamed = (lines: readonly string[], writer: string, seq: number) =>
  lines.some((line) => {
    const named = (JSON.parse(line).metadata?.predecessors ?? []) as { writer: string; seq: number }[]
    return named.some((one) => one.writer === writer && one.seq >= seq)
  })

const flip: Change = (sample, draw) => {
  const log = Buffer.from(textOf(sample.lines))
  const at = draw(log.length)
  log[at]! ^= 1 << draw(8)
  return { name: 'flip', log, checkpoints: Buffer.from(textOf(sample.checkpoints)), mayPass: false }
}

const remove: Change = (sample, draw) => {
  const at = oneOf(indexes(sample.lines), draw)!
  const entry = entryAt(sample.lines, at)!
  const isLast = entry.integrity.seq === chainOf(sample, entry.integrity.writer).last
  const lines = sample.lines.toSpliced(at, 1)
  return result('delete', sample, lines, isLast && isLater(sample, entry, lines))
}

const insert: Change = (sample, draw) => {
  const at = oneOf(indexes(sample.lines), draw)!
  const { record, integrity } = entryAt(sample.lines, at)!
  const forged = linked(
    { ...record, id: `forged-${draw(1_000)}` },
    { ...integrity, seq: integrity.seq + 1, previous_hash: integrity.hash },
    null,
  )
  return result('insert', sample, sample.lines.toSpliced(at + 1, 0, forged))
}

const swap: Change = (sample, draw) => {
  const { writer } = oneOf(sample.chains, draw)!
  const own = indexes(sample.lines, writer)
  if (own.length < 2) return null
  const [a, b] = [oneOf(own, draw)!, oneOf(own, draw)!]
  if (a === b) return null
  const lines = [...sample.lines]
  ;[lines[a], lines[b]] = [lines[b]!, lines[a]!]
  return result('swap', sample, lines)
}

const duplicate: Change = (sample, draw) => {
  const at = oneOf(indexes(sample.lines), draw)!
  return result('duplicate', sample, sample.lines.toSpliced(draw(sample.lines.length + 1), 0, sample.lines[at]!))
}

/** Entries of another log of the same key in the place of some of this one. */
const splice: Change = (sample, draw) => {
  const other = sampleLog(draw)
  const [from, at] = [draw(other.lines.length), oneOf(indexes(sample.lines), draw)!]
  const foreign = other.lines.slice(from, from + 1 + draw(3))
  if (entryAt(sample.lines, at)!.integrity.seq > chainOf(sample, entryAt(sample.lines, at)!.integrity.writer).covered)
    return null
  return result('splice', sample, sample.lines.toSpliced(at, 1, ...foreign))
}

const truncate: Change = (sample, draw) => {
  const text = Buffer.from(textOf(sample.lines))
  const log = text.subarray(0, text.length - 1 - draw(text.length - 1))
  const ended = log.toString('latin1').split('\n').length - 1
  // Without its newline a last line is still whole.
  const isWhole = text[log.length] === 10 && log.at(-1) !== 10
  const count = isWhole ? ended + 1 : ended
  const left = sample.lines.slice(0, count)
  const isHurt = sample.lines.slice(count).some((line) => {
    const entry = readLine(line)
    return entry.kind === 'entry' && !isLater(sample, entry, left)
  })
  return {
    name: 'truncate',
    log,
    checkpoints: Buffer.from(textOf(sample.checkpoints)),
    mayPass: (isWhole || log.at(-1) === 10) && !isHurt,
  }
}

/** The last entries of one writer. */
const cut: Change = (sample, draw) => {
  const chain = oneOf(sample.chains, draw)!
  const own = indexes(sample.lines, chain.writer)
  const gone = new Set(own.slice(draw(own.length)))
  const first = entryAt(sample.lines, Math.min(...gone))!
  const lines = sample.lines.filter((_, at) => !gone.has(at))
  // Where its anchor stays, a chain is still there, without entries.
  const isAnchored = readLine(chain.lines[0]!).kind === 'anchor'
  return result(
    'cut',
    sample,
    lines,
    gone.size === own.length && !isAnchored ? chain.checkpoints.length === 0 : isLater(sample, first, lines),
  )
}

/** Whoever has the key as it is at the end writes a chain anew from some entry on. */
const resign: Change = (sample, draw) => {
  const chain = oneOf(sample.chains, draw)!
  const own = indexes(sample.lines, chain.writer)
  const start = draw(own.length)
  const lines = [...sample.lines]
  const first = entryAt(lines, own[start]!)!
  let { previous_hash } = first.integrity
  for (const at of own.slice(start)) {
    const { record, integrity } = entryAt(lines, at)!
    const changed = at === own[start] ? { ...record, message: `forged ${draw(1_000)}` } : record
    const { epoch } = chain.ratchet
    lines[at] = linked(changed, { ...integrity, epoch, previous_hash }, chain.ratchet.key)
    previous_hash = entryAt(lines, at)!.integrity.hash
  }
  return result('re-sign', sample, lines, isLater(sample, first, lines))
}

/** The log as it was at an earlier checkpoint, while the newer one is outside. */
const rollBack: Change = (sample, draw) => {
  const chain = oneOf(sample.chains, draw)!
  const seqs = [...new Set(chain.checkpoints.map((line) => (JSON.parse(line) as { seq: number }).seq))]
  if (seqs.length < 2) return null
  const back = seqs[draw(seqs.length - 1)]!
  const gone = indexes(sample.lines, chain.writer).filter((at) => entryAt(sample.lines, at)!.integrity.seq > back)
  const lines = sample.lines.filter((_, at) => !gone.includes(at))
  // Of a trimmed chain only entries may be left that no checkpoint covers yet.
  const isUncovered = gone.every((at) => isLater(sample, entryAt(sample.lines, at)!, lines))
  return result('roll back', sample, lines, isUncovered)
}

/** A bit of the outside copy itself. */
const flipCheckpoint: Change = (sample, draw) => {
  const checkpoints = Buffer.from(textOf(sample.checkpoints))
  if (checkpoints.length === 0) return null
  const at = draw(checkpoints.length - 1)
  const changed = checkpoints[at]! ^ (1 << draw(7))
  checkpoints[at] = changed
  return { name: 'flip a checkpoint', log: Buffer.from(textOf(sample.lines)), checkpoints, mayPass: false }
}

const reorder: Change = (sample) => {
  const chain = sample.chains.find(({ lines }) => lines.filter((line) => readLine(line).kind === 'anchor').length > 0)
  if (chain === undefined) return null
  const at = chain.lines.findIndex((line, index) => index > 0 && readLine(line).kind === 'anchor')
  if (at < 1) return null
  const others = sample.chains.filter((one) => one !== chain).flatMap(({ lines }) => lines)
  return result('reorder segments', sample, [...chain.lines.slice(at), ...chain.lines.slice(0, at), ...others])
}

const dropWriter: Change = (sample, draw) => {
  const chain = oneOf(sample.chains, draw)!
  const lines = sample.lines.filter((line) => !chain.lines.includes(line))
  return result('drop a writer', sample, lines, chain.checkpoints.length === 0)
}

const dropAnchor: Change = (sample) => {
  const chain = sample.chains.find(({ lines }) => readLine(lines[0]!).kind === 'anchor')
  if (chain === undefined) return null
  return result(
    'drop an anchor',
    sample,
    sample.lines.filter((line) => line !== chain.lines[0]),
  )
}

const CHANGES: readonly Change[] = [
  flip,
  remove,
  insert,
  swap,
  duplicate,
  splice,
  truncate,
  cut,
  resign,
  rollBack,
  flipCheckpoint,
  reorder,
  dropWriter,
  dropAnchor,
]

/** One change, drawn again until there is something to do it to. */
export function mutated(sample: SampleLog, draw: Draw): Mutated {
  for (;;) {
    const change = oneOf(CHANGES, draw)!(sample, draw)
    if (change !== null) return change
  }
}

function linked(record: Entry['record'], place: Entry['integrity'], key: Buffer | null): string {
  const { integrity: _, ...fields } = record as Entry['record'] & { integrity?: unknown }
  const { writer, seq, epoch, previous_hash } = place
  const reduced = { epoch, seq, version: '2', writer } as const
  const body = bodyOf(fields as Entry['record'], reduced)
  const hash = hasher(writer)(seq, previous_hash, body)
  const signature = key === null ? place.signature : tagger(key)(hash)
  return lineOfEntry({ record: fields as Entry['record'], body, integrity: { ...place, hash, signature }, cursor: '' })
}
