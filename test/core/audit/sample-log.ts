import { generateKeyPairSync } from 'node:crypto'
import { GENESIS, headOf, link } from '../../../packages/core/src/audit/chain.js'
import { hashOfLine, signCheckpoint } from '../../../packages/core/src/audit/checkpoint.js'
import { anchorLine, endLine, lineOfEntry } from '../../../packages/core/src/audit/entry-line.js'
import { createRatchet } from '../../../packages/core/src/audit/ratchet.js'
import type { AuditRecord, ChainHead } from '../../../packages/core/src/audit/store.js'
import { randomFrom } from '../../support/random.js'
import { NOW } from './support.js'

export const KEY = 'the configured key'
export const { privateKey, publicKey } = generateKeyPairSync('ed25519')
export const PUBLIC_PEM = publicKey.export({ type: 'spki', format: 'pem' }) as string

/** Draws whole numbers below a bound; the same seed draws the same. */
export type Draw = (below: number) => number

export function drawFrom(seed: number): Draw {
  const { between } = randomFrom(seed)
  return (below) => between(0, below - 1)
}

/** One writer's part of a log: what an honest gateway exports, and the checkpoints that left it. */
export interface SampleChain {
  readonly writer: string
  /** Lines without newline; anchors and ends among them. */
  readonly lines: readonly string[]
  readonly checkpoints: readonly string[]
  /** The newest entry that one of them covers. */
  readonly covered: number
  readonly last: number
  readonly sealed: boolean
  /** What the holder of the process's memory could sign with at the end. */
  readonly ratchet: ReturnType<typeof createRatchet>
}

export interface SampleOptions {
  readonly writer: string
  readonly draw: Draw
  readonly key?: string
  readonly entries: number
  /** Checkpoints come with this chance, in percent, after an entry. */
  readonly checkpoints: number
  readonly sealed?: boolean
  readonly predecessors?: readonly ({ writer: string } & ChainHead)[]
  /** After so many entries a segment ends and the next begins. */
  readonly segment?: number
  /** The first segment was archived and is not in the log; a checkpoint vouches for where the second begins. */
  readonly isArchived?: boolean
}

const WORDS = [
  '',
  ':',
  'ü',
  '\u{1f600}',
  '"',
  '\\',
  '\u0000',
  '\u2028',
  'plain text',
  ',"integrity":{',
  '10',
  '9',
  '\ufffd',
]

export function sampleChain(options: SampleOptions): SampleChain {
  const { writer, draw, key, entries, segment } = options
  const ratchet = createRatchet(key, writer)
  const lines: string[] = []
  const checkpoints: string[] = []
  let head: ChainHead = GENESIS
  let covered = 0
  const sign = () => {
    const previous = checkpoints.length === 0 ? '' : hashOfLine(checkpoints.at(-1)!)
    const time = NOW + head.seq
    checkpoints.push(signCheckpoint({ writer, ...head, previous, time, epoch: ratchet.epoch }, privateKey))
    ratchet.turn()
    covered = head.seq
  }
  for (let seq = 1; seq <= entries; seq += 1) {
    const record = recordAt(options, seq, entries)
    const linked = link([record], { writer, head, key: ratchet.key, epoch: ratchet.epoch })
    head = headOf(linked, head)
    lines.push(lineOfEntry({ ...linked[0]!, cursor: '' }))
    const isEnd = segment !== undefined && seq % segment === 0 && seq < entries
    if (isEnd || draw(100) < options.checkpoints) sign()
    if (draw(100) < options.checkpoints / 10) sign()
    if (!isEnd) continue
    if (options.isArchived === true && seq === segment) lines.length = 0
    else lines.push(endLine(writer, head))
    lines.push(anchorLine(writer, head))
  }
  if (options.sealed === true && options.checkpoints > 0 && covered < head.seq) sign()
  return { writer, lines, checkpoints, covered, last: head.seq, sealed: options.sealed === true, ratchet }
}

function recordAt(
  { writer, draw, key, sealed, predecessors = [] }: SampleOptions,
  seq: number,
  last: number,
): AuditRecord {
  const base = {
    id: `${writer}#${seq}`,
    timestamp: NOW + seq,
    level: 'info',
    message: WORDS[draw(WORDS.length)]!,
  } as const
  if (seq === 1) {
    const metadata = { node: 'n', predecessors: predecessors.map((one) => ({ ...one })), signed: key !== undefined }
    return { ...base, event: 'audit.boot', metadata }
  }
  if (sealed === true && seq === last) return { ...base, event: 'audit.seal' }
  const word = WORDS[draw(WORDS.length)]!
  return {
    ...base,
    event: 'host.event',
    ...(draw(2) === 0 && { model: word, subject: 'ann', pool: 'user:ann' }),
    ...(draw(3) > 0 && { metadata: { [word]: draw(2) === 0 ? seq : [word, null, { deep: true }], n: -seq } }),
  }
}

/** A log of some writers, interleaved as they please. */
export interface SampleLog {
  readonly chains: readonly SampleChain[]
  readonly lines: readonly string[]
  readonly checkpoints: readonly string[]
}

export function sampleLog(draw: Draw, key: string | null = KEY): SampleLog {
  const chains: SampleChain[] = []
  const count = 1 + draw(3)
  for (let index = 0; index < count; index += 1) {
    const segment = draw(3) === 0 ? 3 + draw(5) : undefined
    const entries = 2 + draw(24)
    const before = chains.at(-1)
    chains.push(
      sampleChain({
        writer: `nöde ${index}/${draw(1_000)}`,
        draw,
        ...(key !== null && { key }),
        entries,
        checkpoints: [10, 30, 60][draw(3)]!,
        sealed: draw(2) === 0,
        predecessors: before === undefined || before.sealed ? [] : [placeOf(before, before.last)],
        ...(segment !== undefined && { segment, isArchived: draw(3) === 0 && segment < entries }),
      }),
    )
  }
  return { chains, lines: shuffled(chains, draw), checkpoints: chains.flatMap(({ checkpoints }) => checkpoints) }
}

/** Where a chain stood after an entry that its lines hold. */
export function placeOf({ writer, lines }: SampleChain, seq: number): { writer: string } & ChainHead {
  const entry = lines.map((line) => JSON.parse(line)).find(({ integrity }) => integrity?.seq === seq)
  return { writer, seq, hash: entry.integrity.hash }
}

function shuffled(chains: readonly SampleChain[], draw: Draw): string[] {
  const left = chains.map(({ lines }) => [...lines])
  const out: string[] = []
  while (left.some((lines) => lines.length > 0)) {
    const lines = left[draw(left.length)]!
    out.push(...lines.splice(0, 1 + draw(4)))
  }
  return out
}

export const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')
