import { createPublicKey, KeyObject } from 'node:crypto'
import { HooshError } from '../../errors.js'
import type { SignedCheckpoint } from '../checkpoint.js'
import { readLine } from '../entry-line.js'
import { createFindings, type Finding, type Findings, type Verdict, type VerdictCode } from './findings.js'
import { type Lines, linesOf } from './lines.js'
import { createReader, endTelling, type Reader, type WriterWalk } from './walk.js'
import { readWitnesses, type Witnesses } from './witnesses.js'

/** What a log is checked against. */
export interface VerifyOptions {
  /** Checkpoints that were kept elsewhere: text, or lines. */
  checkpoints?: Lines
  /** Of the key that signed them: PEM text or KeyObject. Needed where there are checkpoints. */
  publicKey?: string | KeyObject
  /**
   * The configured `audit.key`; without it tags are not checked. With it, a chain without tags is a fault, unless it began
   * before the first one that has them, as chains do that are older than the key.
   */
  key?: string
  /** Every chain must have tags, whenever it began. Without a key they are looked at, not checked. */
  requireTags?: boolean
}

/** Entries that no checkpoint covers: whoever controls the app can still change or drop them unseen. */
export interface UncoveredWindow {
  writer: string
  /** The newest entry that is covered; 0: none. */
  after: number
  /** The last entry of the log; beyond it, more may have been cut off. */
  through: number
  entries: number
  /** When the newest checkpoint was made, ms since the epoch; null: there is none. */
  since: number | null
}

/** What was found of one writer. */
export interface WriterReport {
  writer: string
  first: number
  last: number
  entries: number
  /** Whether its entries have tags. */
  signed: boolean
  /** How its chain ends: with a seal, with a later boot that names it, or nobody knows. */
  end: 'sealed' | 'succeeded' | 'open'
  /** The newest entry that a checkpoint covers; 0: none. */
  covered: number
}

/** What is known of a log after all of it was read. */
export interface AuditVerdict {
  /** 0 ok, 1 tampered, 2 truncated, 3 fork, 4 incomplete, 5 missing: the exit code of `hoosh audit verify`. */
  code: VerdictCode
  verdict: Verdict
  firstBad: Finding | null
  /** One for each writer whose end is not sealed and covered. */
  uncovered: UncoveredWindow[]
  writers: WriterReport[]
  /** Writers that a boot names and of which the log has nothing: archived before, or taken away with all their entries. */
  absent: string[]
  /** `checked`: of every entry. `partial`: some chains have none. `none`: there are none. `unchecked`: no key was given. */
  tags: 'checked' | 'unchecked' | 'partial' | 'none'
  entries: number
}

/**
 * Checks an exported log, without a gateway: each entry's text, hash, place and tag, and that every checkpoint still finds
 * what it signed. What comes after the newest checkpoint of a writer is told as `uncovered`.
 *
 * @param log the text of `GET /v1/audit/export`, or its lines one by one; of several files one after the other
 * @throws HooshError `invalid_options` for checkpoints without a public key, or a key that is none of Ed25519
 */
export function verifyAuditLog(log: Lines, options: VerifyOptions = {}): AuditVerdict {
  const findings = createFindings()
  const witnesses = witnessesOf(options, findings)
  const reader = createReader({ key: options.key, witnesses, findings })
  for (const { number, text, isEnded } of linesOf(log)) {
    const line = text === null ? NO_TEXT : readLine(text)
    if (line.kind === 'entry') reader.entry(number, line)
    else if (line.kind !== 'other') reader.place(number, line)
    else if (isEnded || line.isJson)
      findings.add('tampered', { line: number, writer: line.writer, seq: line.seq, reason: 'it is no canonical entry' })
    else findings.add('incomplete', { line: number, writer: null, seq: null, reason: 'the line is torn' })
  }
  for (const [writer, own] of reader.writers) endTelling(findings, writer, own)
  checkWitnesses(reader, witnesses, findings)
  checkClaims(reader, findings)
  checkAnchors(reader, witnesses, findings)
  checkTags(reader, options, findings)
  return { ...findings.result(), ...reportOf(reader, witnesses, options.key !== undefined) }
}

/** Bytes that are no text. */
const NO_TEXT = { kind: 'other', isJson: false, writer: null, seq: null } as const

function witnessesOf({ checkpoints, publicKey }: VerifyOptions, findings: Findings): Witnesses {
  if (checkpoints === undefined) return new Map()
  return readWitnesses(checkpoints, publicKeyOf(publicKey), findings)
}

function publicKeyOf(given: string | KeyObject | undefined): KeyObject {
  const key = given instanceof KeyObject ? given : readKey(given)
  if (key?.asymmetricKeyType === 'ed25519') return key.type === 'private' ? createPublicKey(key) : key
  throw new HooshError('invalid_options', {
    message: 'Checkpoints are checked with `publicKey`: an Ed25519 public key, as PEM text or a KeyObject.',
  })
}

function readKey(pem: string | undefined): KeyObject | null {
  try {
    return pem === undefined ? null : createPublicKey(pem)
  } catch {
    return null
  }
}

/** Each checkpoint has to find the entry that it signed; entries that were archived elsewhere are not asked for. */
function checkWitnesses({ writers }: Reader, witnesses: Witnesses, findings: Findings): void {
  for (const [writer, row] of witnesses) {
    const own = writers.get(writer)
    const newest = row.at(-1)!
    if (own === undefined) {
      findings.add('missing', { line: null, writer, seq: null, reason: 'a writer of the checkpoints is missing' })
      continue
    }
    const wrong = row.find(({ seq, hash }) => isOther(own, seq, hash))
    if (wrong !== undefined)
      findings.add('tampered', { line: null, writer, seq: wrong.seq, reason: 'the entry is not what was signed' })
    if (newest.seq > own.walk.seq)
      findings.add('truncated', {
        line: null,
        writer,
        seq: own.walk.seq + 1,
        reason: `entries up to ${newest.seq} were signed and are missing`,
      })
  }
}

function isOther({ hashes }: WriterWalk, seq: number, hash: string): boolean {
  const known = hashes.at(seq)
  return known !== null && known !== hash
}

/** What later boots have named is there. A chain that is not in this log at all may be in another. */
function checkClaims({ writers, claims }: Reader, findings: Findings): void {
  for (const { writer, seq, hash, by } of claims) {
    const own = writers.get(writer)
    if (own === undefined || by !== 'successor') continue
    const finding = { line: null, writer, seq, reason: 'the entry is not what a later boot names' }
    if (isOther(own, seq, hash)) findings.add('tampered', finding)
    else if (seq > own.walk.seq)
      findings.add('truncated', {
        ...finding,
        seq: own.walk.seq + 1,
        reason: 'entries that a later boot names are missing',
      })
  }
}

/** A chain may begin where a checkpoint, the record of an archived segment or a later boot says the same. */
function checkAnchors({ writers, claims }: Reader, witnesses: Witnesses, findings: Findings): void {
  for (const [writer, { anchor }] of writers) {
    if (anchor === null) continue
    const isSame = (place: { seq: number; hash: string }) => place.seq === anchor.seq && place.hash === anchor.hash
    if (witnesses.get(writer)?.some(isSame) === true) continue
    if (claims.some((place) => place.writer === writer && isSame(place))) continue
    findings.add('truncated', {
      line: anchor.line,
      writer,
      seq: anchor.seq,
      reason: 'nobody vouches for the place where this chain begins',
    })
  }
}

/** Otherwise whoever writes a log anew without tags needs no key. */
function checkTags({ writers }: Reader, { key, requireTags }: VerifyOptions, findings: Findings): void {
  if (key === undefined && requireTags !== true) return
  const chains = [...writers].filter(([, { begin }]) => begin !== null)
  const tagged = chains.filter(([, { walk }]) => walk.signed === true).map(([, { begin }]) => begin!.time)
  const since = requireTags === true || tagged.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...tagged)
  for (const [writer, { walk, begin, first }] of chains) {
    if (walk.signed === true || begin!.time < since) continue
    findings.add('tampered', {
      line: begin!.line,
      writer,
      seq: first,
      reason: 'the entries of this chain have no tags',
    })
  }
}

function reportOf(reader: Reader, witnesses: Witnesses, hasKey: boolean) {
  const succeeded = new Set(reader.claims.filter(({ by }) => by === 'successor').map(({ writer }) => writer))
  const uncovered: UncoveredWindow[] = []
  const writers: WriterReport[] = []
  for (const [writer, own] of [...reader.writers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { walk, first, entries, isSealed } = own
    const newest = newestFound(witnesses.get(writer) ?? [], own)
    const covered = newest?.seq ?? 0
    const end = isSealed ? 'sealed' : succeeded.has(writer) ? 'succeeded' : 'open'
    writers.push({ writer, first, last: walk.seq, entries, signed: walk.signed === true, end, covered })
    if (isSealed && covered === walk.seq) continue
    const left = walk.seq - Math.max(covered, first - 1)
    uncovered.push({ writer, after: covered, through: walk.seq, entries: left, since: newest?.time ?? null })
  }
  const entries = writers.reduce((sum, one) => sum + one.entries, 0)
  const absent = [...succeeded].filter((writer) => !reader.writers.has(writer)).sort()
  return { uncovered, writers, absent, tags: tagsOf(writers, hasKey), entries }
}

/** The newest checkpoint whose entry is there as it was signed. */
function newestFound(row: readonly SignedCheckpoint[], { hashes }: WriterWalk): SignedCheckpoint | undefined {
  return row.findLast(({ seq, hash }) => hashes.at(seq) === hash)
}

function tagsOf(writers: readonly WriterReport[], hasKey: boolean): AuditVerdict['tags'] {
  // Where nothing but an anchor is, there is nothing to be tagged.
  const chains = writers.filter((one) => one.entries > 0)
  const signed = chains.filter((one) => one.signed).length
  if (signed === 0) return 'none'
  if (!hasKey) return 'unchecked'
  return signed === chains.length ? 'checked' : 'partial'
}
