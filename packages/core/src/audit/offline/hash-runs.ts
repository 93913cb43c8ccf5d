/** Hashes of a writer's entries by number, 32 bytes each, so that a log of millions can be looked back into. */
export interface HashRuns {
  /** Numbers may rise with gaps; those of the first thousand runs are remembered. */
  add(seq: number, hash: string): void
  /** Lower-case hex; null where none is known. */
  at(seq: number): string | null
}

interface Run {
  readonly first: number
  count: number
  bytes: Buffer
}

const MAX_RUNS = 1_000

export function createHashRuns(): HashRuns {
  const runs: Run[] = []
  return {
    add(seq, hash) {
      let run = runs.at(-1)
      if (run === undefined || seq !== run.first + run.count) {
        if (runs.length >= MAX_RUNS) return
        run = { first: seq, count: 0, bytes: Buffer.alloc(32 * 64) }
        runs.push(run)
      }
      if (run.bytes.length === run.count * 32) run.bytes = Buffer.concat([run.bytes], run.bytes.length * 2)
      run.bytes.write(hash, run.count * 32, 'hex')
      run.count += 1
    },
    at(seq) {
      const run = runs.findLast(({ first, count }) => seq >= first && seq < first + count)
      return run === undefined ? null : run.bytes.toString('hex', (seq - run.first) * 32, (seq - run.first + 1) * 32)
    },
  }
}
