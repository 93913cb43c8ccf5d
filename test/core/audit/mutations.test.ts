import { verifyAuditLog } from '@hoosh/core/audit'
import { describe, expect, it } from 'vitest'
import { type Mutated, mutated } from './mutations.js'
import { python, pythonVerdicts } from './python.js'
import { drawFrom, KEY, PUBLIC_PEM, type SampleLog, sampleLog, textOf } from './sample-log.js'

const LONG = process.env.HOOSH_LONG === '1'
const COUNT = LONG ? 10_000 : 300
const FIRST_SEED = Number(process.env.HOOSH_SEED ?? (Date.now() % 1_000_000_000) + 1)
const seeds = Array.from({ length: COUNT }, (_, index) => FIRST_SEED + index)

const ours = (log: Buffer, checkpoints: Buffer, key: string | null = KEY) =>
  verifyAuditLog(log, { checkpoints, publicKey: PUBLIC_PEM, ...(key !== null && { key }) })

const caseFor = ({ log, checkpoints, key = KEY }: { log: Buffer; checkpoints: Buffer; key?: string | null }) => ({
  logs: [log],
  checkpoints: [checkpoints],
  publicKey: PUBLIC_PEM,
  key,
  requireTags: false,
})

/** The entries of a sample that no checkpoint covers, by the way it was made. */
const trueWindow = ({ chains }: SampleLog) =>
  chains
    .filter(({ sealed, covered, last }) => !(sealed && covered === last))
    .map(({ writer, covered, last }) => ({ writer, after: covered, through: last }))
    .sort((a, b) => (a.writer < b.writer ? -1 : 1))

const inChunks = <T>(items: readonly T[], size: number) =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))

describe(`a log that was changed, ${COUNT} times from HOOSH_SEED=${FIRST_SEED}`, { timeout: 1_800_000 }, () => {
  const caseOf = (seed: number): { seed: number; change: Mutated } => {
    const draw = drawFrom(seed)
    return { seed, change: mutated(sampleLog(draw), draw) }
  }

  it('is found out, unless it was changed behind the newest outside checkpoint', () => {
    const unseen = new Map<string, number>()
    for (const seed of seeds) {
      const { change } = caseOf(seed)
      const { code } = ours(change.log, change.checkpoints)
      if (code === 0) expect({ seed, name: change.name, mayPass: change.mayPass }).toMatchObject({ mayPass: true })
      if (code === 0) unseen.set(change.name, (unseen.get(change.name) ?? 0) + 1)
    }
    expect(['cut', 'delete', 'truncate', 're-sign', 'roll back', 'drop a writer']).toEqual(
      expect.arrayContaining([...unseen.keys()]),
    )
  })

  it.skipIf(python === null)(
    `gets the same verdict from the verifier in Python, word for word${python === null ? ' (skipped: no python3 here)' : ''}`,
    async () => {
      for (const part of inChunks(seeds, 500)) {
        const cases = part.map(caseOf)
        const theirs = await pythonVerdicts(cases.map(({ change }) => caseFor(change)))
        for (const [index, { seed, change }] of cases.entries()) {
          const verdict = ours(change.log, change.checkpoints)
          expect({ seed, name: change.name, ...theirs[index] }).toEqual({ seed, name: change.name, ...verdict })
        }
      }
    },
  )
})

describe(`a log that nobody touched, ${COUNT} times from HOOSH_SEED=${FIRST_SEED}`, { timeout: 1_800_000 }, () => {
  const sampleOf = (seed: number) => {
    const draw = drawFrom(seed)
    const key = draw(4) === 0 ? null : KEY
    return { key, sample: sampleLog(draw, key) }
  }
  const plainOf = (seed: number) => {
    const { key, sample } = sampleOf(seed)
    return { key, sample, log: Buffer.from(textOf(sample.lines)), checkpoints: Buffer.from(textOf(sample.checkpoints)) }
  }

  it('is ok, and the window that is told is the true one', () => {
    for (const seed of seeds) {
      const { key, sample, log, checkpoints } = plainOf(seed)
      const { code, firstBad, uncovered, tags } = ours(log, checkpoints, key)
      expect(tags).toBe(key === null ? 'none' : 'checked')
      const told = uncovered.map(({ writer, after, through }) => ({ writer, after, through }))
      expect({ seed, code, firstBad, told }).toEqual({ seed, code: 0, firstBad: null, told: trueWindow(sample) })
    }
  })

  it.skipIf(python === null)(
    `is ok for the verifier in Python too${python === null ? ' (skipped: no python3 here)' : ''}`,
    async () => {
      for (const part of inChunks(seeds, 500)) {
        const cases = part.map(plainOf)
        const theirs = await pythonVerdicts(cases.map(caseFor))
        for (const [index, { log, checkpoints, key }] of cases.entries())
          expect(theirs[index]).toEqual(ours(log, checkpoints, key))
      }
    },
  )
})
