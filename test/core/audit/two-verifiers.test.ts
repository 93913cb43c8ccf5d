import { type AuditVerdict, verifyAuditLog } from '@hoosh/core/audit'
import { beforeAll, describe, expect, it } from 'vitest'
import { placesIn } from '../../../packages/cli/src/audit/files.js'
import { GENESIS, link, writerKey } from '../../../packages/core/src/audit/chain.js'
import { lineOfEntry } from '../../../packages/core/src/audit/entry-line.js'
import { scratchFiles } from './files.js'
import { type PythonCase, python, pythonVerdicts } from './python.js'
import { drawFrom, KEY, PUBLIC_PEM, sampleChain, textOf } from './sample-log.js'
import { spoilt } from './spoil.js'
import { NOW, recordOf } from './support.js'

const LONG = process.env.HOOSH_LONG === '1'
const COUNT = LONG ? 20_000 : 300
const FIRST_SEED = Number(process.env.HOOSH_SEED ?? (Date.now() % 1_000_000_000) + 1)

const draw = drawFrom(11)
const one = sampleChain({ writer: 'n/1', draw, key: KEY, entries: 8, checkpoints: 40, sealed: true })
const two = sampleChain({ writer: 'nö/2', draw, key: KEY, entries: 8, checkpoints: 40 })
const log = textOf([...one.lines, ...two.lines])
const kept = textOf([...one.checkpoints, ...two.checkpoints])
const { writer, seq, hash } = JSON.parse(two.checkpoints[0]!) as { writer: string; seq: number; hash: string }
const checkpoint = (fields: object) => JSON.stringify({ ...JSON.parse(two.checkpoints[0]!), ...fields })
const anchor = (fields: object) => JSON.stringify({ anchor: { hash, seq, writer, ...fields } })
const cut = (text: string) => text.slice(0, -30)
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

/** The first entries as they are archived, and what the export says from one of them on. */
const placeOf = (at: number) => {
  const { hash, seq, writer } = JSON.parse(one.lines[at - 1]!).integrity
  return { hash, seq, writer }
}
const segment = (last: number) => [...one.lines.slice(0, last), JSON.stringify({ end: placeOf(last) })]
const retold = (from: number) => textOf([JSON.stringify({ anchor: placeOf(from) }), ...one.lines.slice(from)])

const scratch = scratchFiles()
const caseOf = (
  logs: readonly (string | Buffer)[],
  checkpoints: readonly (string | Buffer)[],
  options: Options = {},
): PythonCase => ({
  logs: logs.map((file) => Buffer.from(file)),
  checkpoints: checkpoints.map((file) => Buffer.from(file)),
  publicKey: PUBLIC_PEM,
  key: KEY,
  requireTags: false,
  ...options,
})

/** The verdict as the command line comes to it, file by file; as JSON, since that is what is told. */
function ours({ logs, checkpoints, publicKey, key, requireTags }: PythonCase): AuditVerdict {
  const verdict = verifyAuditLog(placesIn(scratch.write(logs)).lines(), {
    checkpoints: placesIn(scratch.write(checkpoints)).lines(),
    publicKey,
    requireTags,
    ...(key !== null && { key }),
  })
  return JSON.parse(JSON.stringify(verdict)) as AuditVerdict
}

type Options = Partial<Pick<PythonCase, 'key' | 'requireTags'>>

type Case = readonly [
  name: string,
  code: number,
  logs: readonly string[],
  checkpoints?: readonly (string | Buffer)[],
  options?: Options,
]

const CASES: readonly Case[] = [
  ['nothing done to it', 0, [log], [kept]],
  ['an anchor whose hash is a list', 1, [anchor({ hash: [hash] }), log]],
  ['an anchor whose writer is a number', 1, [anchor({ writer: 3 })]],
  ['an end whose hash is an object', 1, [JSON.stringify({ end: { hash: {}, seq, writer } })]],
  ['a checkpoint whose hash is a list', 1, [log], [`${kept}${checkpoint({ hash: [hash] })}\n`]],
  ['a checkpoint whose previous line is a list', 1, [log], [`${kept}${checkpoint({ previous: [hash] })}\n`]],
  ['a checkpoint whose signature is a list', 1, [log], [`${kept}${checkpoint({ signature: [] })}\n`]],
  ['a writer that is a lone surrogate', 1, [`${anchor({ writer: '\ud800' })}\n${log}`]],
  ['a first file that is torn', 4, [cut(textOf(one.lines.slice(0, 3))), textOf(two.lines)], []],
  ['a first file that is one torn line', 4, [cut(one.lines[0]!), textOf(two.lines)], []],
  ['two files that are one torn line each', 4, [cut(one.lines[0]!), cut(two.lines[0]!)], []],
  ['a first file of checkpoints that is torn', 4, [log], [cut(two.checkpoints[0]!), kept]],
  ['checkpoints of which one is torn and there again', 0, [log], [appended(60)]],
  ['checkpoints of which one is torn in a character and there again', 0, [log], [appended(-5)]],
  ['checkpoints with an empty line', 0, [log], [appended(0)]],
  [
    'checkpoints of which one is torn and lost',
    4,
    [log],
    [textOf([...one.checkpoints, two.checkpoints[0]!.slice(0, 60)])],
  ],
  ['a torn line of checkpoints that is nobody’s', 4, [log], [`{"epoch":x\n${kept}`]],
  ['a line of checkpoints that is JSON', 1, [log], [`{}\n${kept}`]],
  [
    'bytes in the checkpoints that are no text',
    1,
    [log],
    [Buffer.concat([Buffer.from([0xff, 10]), Buffer.from(kept)])],
  ],
  ['a number of 5,000 digits at the end', 1, [`${log}${'7'.repeat(5_000)}`]],
  ['a checkpoint of 5,000 digits at the end', 1, [log], [`${kept}${'7'.repeat(5_000)}`]],
  ...['3e0', '3.0', '30e-1', '-0', '3.5', '1e400', '-1e-400', '9007199254740993', '7'.repeat(400)].map(
    (spelled) =>
      [
        `a number spelled ${spelled.slice(0, 20)}`,
        1,
        [`${anchor({ seq: 77_777 }).replace('77777', spelled)}\n`],
      ] as const,
  ),
  ['a segment that is in the export too', 0, [textOf(segment(6)), textOf(one.lines)], []],
  ['a segment that is in the export too, from an anchor', 0, [textOf(segment(6)), retold(3)], []],
  ['a segment that is there again as a segment', 0, [textOf([...segment(6), ...segment(6), ...one.lines])], []],
  ['entries told again where no segment ended', 1, [textOf(one.lines.slice(0, 6)), textOf(one.lines)], []],
  ['entries told again with a gap', 1, [textOf(segment(6)), textOf(one.lines.toSpliced(2, 1))], []],
  ['entries told again from the middle', 1, [textOf(segment(6)), textOf(one.lines.slice(2))], []],
  [
    'a beginning told again behind a segment, and no more of it',
    1,
    [textOf([...segment(6), one.lines[0]!, ...one.lines.slice(6)])],
    [],
  ],
  ['a beginning told again at the end, and no more of it', 1, [textOf([...segment(6), ...one.lines.slice(0, 2)])], []],
  ['entries told again twice', 1, [textOf(segment(6)), textOf([...one.lines.slice(0, 3), ...one.lines])], []],
  [
    'an entry told again with another text',
    1,
    [textOf(segment(6)), textOf(one.lines).replace('"level":"', '"level":"x')],
    [],
  ],
  ['an anchor that nobody read behind a segment', 1, [textOf([...segment(6), anchor({ writer: one.writer })])], []],
  ['100 levels at the end', 1, [`${log}${deep(100)}`]],
  ['101 levels at the end', 4, [`${log}${deep(101)}`]],
  ['100,000 levels at the end', 4, [`${log}${deep(100_000)}`]],
  ['levels that were torn', 4, [`${log}${'['.repeat(100_000)}`]],
  ['levels in a line that claims something', 1, [`{"anchor":{"seq":3,"writer":"n/1"},"x":${deep(5_000)}}\n${log}`]],
  ['levels in a checkpoint', 4, [log], [`${kept}${deep(5_000)}`]],
  ['an epoch that nobody reached', 1, [forged('x/1', 5_000_001)], []],
  ['a hundred chains that claim years of epochs', 1, [hundred((at) => forged(`x/${at}`, 5_000_000))], []],
  ['a hundred forks that claim years of epochs', 1, [log + hundred((at) => forked(at, 5_000_000))]],
  ['another first entry where the first one claims an epoch', 3, [forked(1, 9) + forked(2, 0, KEY)], []],
  ['a fork behind a wrong tag', 1, [forged('x/1', 1), log, forked(1, 0, KEY)]],
  ['a fork before a wrong tag', 3, [log, forked(1, 0, KEY), forged('x/1', 1)]],
  ['no tags at all, where the key is known', 1, [untagged(0)], []],
  ['no tags at all, where no key is given', 0, [untagged(0)], [], { key: null }],
  ['no tags at all, where there must be', 1, [untagged(0)], [], { key: null, requireTags: true }],
  ['tags that nobody has the key of, where there must be', 0, [log], [kept], { key: null, requireTags: true }],
  ['no tags in a chain that is older than the key', 0, [untagged(-1) + log]],
  [
    'no tags in a chain that is older than the key, where there must be',
    1,
    [untagged(-1) + log],
    [kept],
    { requireTags: true },
  ],
  ['no tags in a chain that is younger than the key', 1, [log + untagged(2)]],
  ['no tags in a chain that began with the key', 1, [log + untagged(1)]],
  ['nothing but an anchor', 2, [anchor({})], []],
  ['gaps without end, and a line once more', 1, [textOf([...gaps(), gaps()[1_080]!])]],
]

function hundred(text: (at: number) => string): string {
  return Array.from({ length: 100 }, (_, at) => text(at)).join('')
}

/** A chain that begins late, whose tags are of another key. */
function forged(of: string, epoch: number): string {
  const entries = link([recordOf('f')], { writer: of, head: { seq, hash }, key: Buffer.alloc(32), epoch })
  return textOf([JSON.stringify({ anchor: { hash, seq, writer: of } }), lineOfEntry({ ...entries[0]!, cursor: '' })])
}

/** A whole chain without tags, as it was before there was a key; it began so many ms after the others. */
function untagged(later: number): string {
  const metadata = { node: 'n', predecessors: [], signed: false }
  const record = recordOf('u', { event: 'audit.boot', metadata, timestamp: NOW + later })
  const entries = link([record, recordOf('v')], { writer: 'n/0', head: GENESIS, key: null })
  return textOf(entries.map((entry) => lineOfEntry({ ...entry, cursor: '' })))
}

/** Another first entry of a chain that is there, with a right tag where the key is right. */
function forked(at: number, epoch: number, key = 'another'): string {
  const record = recordOf(`f${at}`, { event: 'audit.boot', metadata: { signed: true } })
  const entries = link([record], { writer: 'n/1', head: GENESIS, key: writerKey(key, 'n/1'), epoch })
  return textOf([lineOfEntry({ ...entries[0]!, cursor: '' })])
}

/** Checkpoints as a file has them that is only appended to, where a crash tore the second one after so many bytes. */
function appended(bytes: number): Buffer {
  const [first, ...more] = two.checkpoints
  const torn = Buffer.from(more[0]!).subarray(0, bytes)
  return Buffer.concat([Buffer.from(textOf([...one.checkpoints, first!])), torn, Buffer.from(`\n${textOf(more)}`)])
}

/** Lines of a writer with a gap before each of them. */
function gaps(): string[] {
  return Array.from({ length: 1_100 }, (_, index) => two.lines[1]!.replaceAll('"seq":2', `"seq":${2 * index + 2}`))
}

describe('both verifiers, of a log with', () => {
  const asked = CASES.map(([, , logs, checkpoints = [kept], options]) => caseOf(logs, checkpoints, options))
  let theirs: AuditVerdict[] = []
  beforeAll(async () => {
    if (python !== null) theirs = await pythonVerdicts(asked)
  })

  it.each(CASES.map(([name, code], index) => ({ name, code, index })))('$name', ({ code, index }) => {
    const verdict = ours(asked[index]!)
    expect(verdict).toMatchObject({ code })
    if (python !== null) expect(theirs[index]).toEqual(verdict)
  })
})

describe(`a log of which bytes and types were changed, ${COUNT} times from HOOSH_SEED=${FIRST_SEED}`, () => {
  it.skipIf(python === null)(
    `gets one verdict from both${python === null ? ' (skipped: no python3 here)' : ''}`,
    { timeout: 1_800_000 },
    async () => {
      for (let from = 0; from < COUNT; from += 300) {
        const cases = Array.from({ length: Math.min(300, COUNT - from) }, (_, index) => {
          const seed = FIRST_SEED + from + index
          return { seed, asked: { ...spoilt(drawFrom(seed)), publicKey: PUBLIC_PEM } }
        })
        const theirs = await pythonVerdicts(cases.map(({ asked }) => asked))
        for (const [index, { seed, asked }] of cases.entries())
          expect({ seed, ...theirs[index] }).toEqual({ seed, ...ours(asked) })
      }
    },
  )
})
