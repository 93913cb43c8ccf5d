import { createPublicKey, type KeyObject } from 'node:crypto'
import { isSignedBy, readCheckpoint } from './checkpoint.js'
import type { AuditStore } from './store.js'
import type { Fault } from './verifier.js'

/** How far checkpoints of a writer are checked. */
export interface Covered {
  readonly seq: number
  readonly epoch: number
  readonly time: number
}

/** Checks stored checkpoints against the chain, each once: that we signed it, and that its entry is there. */
export interface CoverCheck {
  follow(): Promise<void>
  readonly covered: ReadonlyMap<string, Covered>
  /** The first that was wrong; it stays. */
  readonly firstBad: Fault | null
}

/** Checkpoints read at a time. */
const PAGE = 100

/** @param signingKey our own; those that another key signed are counted as none */
export function createCoverCheck(store: AuditStore, signingKey: KeyObject | undefined): CoverCheck {
  const publicKey = signingKey === undefined ? null : createPublicKey(signingKey)
  const covered = new Map<string, Covered>()
  const seen = new Map<string, number>()
  let firstBad: Fault | null = null
  const check = async (writer: string, line: string) => {
    const checkpoint = readCheckpoint(line)
    if (checkpoint === null || checkpoint.writer !== writer) return 'the stored checkpoint is damaged'
    // A writer of another key: an earlier one of ours, or another host on the same storage.
    if (publicKey === null || !isSignedBy(checkpoint, publicKey)) return null
    const { seq, hash, epoch, time } = checkpoint
    const [entry] = await store.chain(writer, seq - 1, 1)
    if (entry?.integrity?.seq === seq && entry.integrity.hash !== hash) return 'the entry is not what was signed'
    covered.set(writer, { seq, epoch, time })
    return null
  }
  const followOne = async (writer: string, epoch: number) => {
    while ((seen.get(writer) ?? -1) < epoch - 1) {
      const page = await store.checkpoints({ writer, after: seen.get(writer) ?? -1, limit: PAGE })
      for (const stored of page) {
        const reason = await check(writer, stored.line)
        if (reason !== null) firstBad ??= { writer, seq: stored.seq, reason }
        seen.set(writer, stored.epoch)
      }
      if (page.length < PAGE) return
    }
  }
  return {
    covered,
    get firstBad() {
      return firstBad
    },
    async follow() {
      for (const { writer, epoch } of await store.heads()) await followOne(writer, epoch)
    },
  }
}
