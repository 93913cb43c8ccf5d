import type { KeyObject } from 'node:crypto'
import { hashOfLine, isSignedBy, readCheckpoint, type SignedCheckpoint } from '../checkpoint.js'
import { isReadable } from '../json-levels.js'
import type { Findings } from './findings.js'
import { firstWhere } from './first-where.js'
import { type Lines, linesOf } from './lines.js'

/** Checkpoints of each writer, by epoch. */
export type Witnesses = ReadonlyMap<string, readonly SignedCheckpoint[]>

/**
 * Reads checkpoints that were kept elsewhere. A line may be there twice, since it is handed over at least once, and the
 * lines of different writers, or of processes that share a chain, in any order. A file that is only appended to has torn
 * lines in its middle, which are there once more where whoever wrote them went on.
 */
export function readWitnesses(source: Lines, publicKey: KeyObject, findings: Findings): Witnesses {
  const lines = new Map<string, Map<number, { line: string; checkpoint: SignedCheckpoint }>>()
  const torn: { readonly number: number; readonly start: string }[] = []
  for (const { number, text, start, isEnded } of linesOf(source)) {
    const fault = (
      kind: 'tampered' | 'fork' | 'incomplete',
      writer: string | null,
      seq: number | null,
      reason: string,
    ) => findings.add(kind, { line: null, writer, seq, reason: `checkpoints, line ${number}: ${reason}` })
    const checkpoint = text === null ? null : readCheckpoint(text)
    if (checkpoint === null || text === null) {
      const isJson = text !== null && isReadable(text)
      if (!isJson && !isEnded) fault('incomplete', null, null, 'the line is torn')
      else if (!isJson && start !== null) torn.push({ number, start })
      else fault('tampered', null, null, 'it is no checkpoint')
      continue
    }
    const { writer, epoch, seq } = checkpoint
    if (!isSignedBy(checkpoint, publicKey)) {
      fault('tampered', writer, seq, 'its signature is not of this key')
      continue
    }
    const own = lines.get(writer) ?? new Map<number, { line: string; checkpoint: SignedCheckpoint }>()
    lines.set(writer, own)
    const other = own.get(epoch)
    if (other === undefined) own.set(epoch, { line: text, checkpoint })
    else if (other.line !== text) fault('fork', writer, seq, 'another one of this epoch was signed')
  }
  const whole = [...lines.values()].flatMap((own) => [...own.values()].map(({ line }) => line)).sort()
  for (const { number, start } of torn) {
    if (isBeginning(start, whole)) continue
    const reason = `checkpoints, line ${number}: the line is torn, and is nowhere whole`
    findings.add('incomplete', { line: null, writer: null, seq: null, reason })
  }
  const witnesses = new Map<string, SignedCheckpoint[]>()
  for (const [writer, own] of lines) {
    const inOrder = [...own.values()].sort((a, b) => a.checkpoint.epoch - b.checkpoint.epoch)
    checkRow(inOrder, findings)
    witnesses.set(
      writer,
      inOrder.map(({ checkpoint }) => checkpoint),
    )
  }
  return witnesses
}

/** Each names the one before. The first may do so too: older ones are elsewhere. */
function checkRow(row: readonly { line: string; checkpoint: SignedCheckpoint }[], findings: Findings): void {
  for (const [index, { checkpoint }] of row.entries()) {
    const { writer, seq, epoch, previous } = checkpoint
    const before = row[index - 1]
    const isFirst = before === undefined
    const follows = isFirst ? (epoch === 0) === (previous === '') : previous === hashOfLine(before.line)
    if (follows && (isFirst || (before.checkpoint.seq <= seq && before.checkpoint.epoch + 1 === epoch))) continue
    findings.add('tampered', {
      line: null,
      writer,
      seq,
      reason: `the checkpoint of epoch ${epoch} does not follow the one before it: lines are missing between them`,
    })
  }
}

/** Whether one of the lines, which are sorted, begins so. */
function isBeginning(start: string, lines: readonly string[]): boolean {
  const first = firstWhere(lines.length, (line) => lines[line]! >= start)
  return lines[first]?.startsWith(start) === true
}
