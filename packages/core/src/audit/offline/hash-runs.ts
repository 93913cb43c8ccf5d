import { firstWhere } from './first-where.js'

/** Hashes of a writer's entries by number, 32 bytes each, so that a log of millions can be looked back into. */
export interface HashRuns {
  /** Numbers rise; there may be gaps. */
  add(seq: number, hash: string): void
  /** Lower-case hex; null where none is known. */
  at(seq: number): string | null
}

/** Numbers without a gap: the first one, and how many hashes stand before it. */
interface Run {
  readonly first: number
  readonly before: number
}

export function createHashRuns(): HashRuns {
  const runs: Run[] = []
  let bytes: Buffer = Buffer.alloc(32 * 8)
  let count = 0
  return {
    add(seq, hash) {
      const run = runs.at(-1)
      if (run === undefined || seq !== run.first + count - run.before) runs.push({ first: seq, before: count })
      if (bytes.length === count * 32) bytes = Buffer.concat([bytes], bytes.length * 2)
      bytes.write(hash, count * 32, 'hex')
      count += 1
    },
    at(seq) {
      const index = firstWhere(runs.length, (run) => runs[run]!.first > seq) - 1
      if (index < 0) return null
      const { first, before } = runs[index]!
      const place = before + seq - first
      return place < (runs[index + 1]?.before ?? count) ? bytes.toString('hex', place * 32, (place + 1) * 32) : null
    },
  }
}
