import { createPublicKey, type KeyObject } from 'node:crypto'
import { isSignedBy, readCheckpoint } from './checkpoint.js'
import { isPlace } from './entry-line.js'
import type { AuditStore, WriterHead } from './store.js'

/** A stored chain that begins behind its first entry, and the number of the entry it begins behind. */
export interface UnvouchedAnchor {
  writer: string
  seq: number
}

/** Looks whether stored chains begin where they may. */
export interface AnchorCheck {
  follow(): Promise<void>
  /** Those that nobody vouches for: evicted from memory, archived with the record that said so, or cut off. */
  readonly unvouched: readonly UnvouchedAnchor[]
}

/** Checkpoints, or entries, read at a time. */
const PAGE = 100

/**
 * A chain may begin where a checkpoint of ours was made, or where a stored `audit.segment_closed` says that a segment ended.
 *
 * @param signingKey our own; checkpoints that another key signed vouch for nothing
 */
export function createAnchorCheck(store: AuditStore, signingKey: KeyObject | undefined): AnchorCheck {
  const publicKey = signingKey === undefined ? null : createPublicKey(signingKey)
  /** Hash of the anchor that was looked for last, by writer, and what came of it: the next one is hours away. */
  const known = new Map<string, { hash: string; isVouched: boolean }>()
  let unvouched: UnvouchedAnchor[] = []
  const isVouched = async (head: WriterHead) =>
    (publicKey !== null && (await isSigned(store, head, publicKey))) || (await isRecorded(store, head))
  return {
    get unvouched() {
      return unvouched
    },
    async follow() {
      // Where nothing is left of a chain, nothing stands on its anchor.
      const heads = (await store.heads()).filter(({ anchor, seq }) => anchor.seq > 0 && anchor.seq < seq)
      for (const head of heads) {
        if (known.get(head.writer)?.hash === head.anchor.hash) continue
        known.set(head.writer, { hash: head.anchor.hash, isVouched: await isVouched(head) })
      }
      unvouched = heads
        .filter(({ writer }) => known.get(writer)?.isVouched !== true)
        .map(({ writer, anchor }) => ({ writer, seq: anchor.seq }))
    },
  }
}

async function isSigned(store: AuditStore, { writer, anchor }: WriterHead, publicKey: KeyObject): Promise<boolean> {
  for (let after = -1; ; ) {
    const page = await store.checkpoints({ writer, after, limit: PAGE })
    const stored = page.find(({ seq }) => seq >= anchor.seq)
    if (stored === undefined && page.length === PAGE) {
      after = page.at(-1)!.epoch
      continue
    }
    const checkpoint = stored === undefined ? null : readCheckpoint(stored.line)
    const isSame = checkpoint?.writer === writer && checkpoint.seq === anchor.seq && checkpoint.hash === anchor.hash
    return isSame && isSignedBy(checkpoint, publicKey)
  }
}

async function isRecorded(store: AuditStore, { writer, anchor }: WriterHead): Promise<boolean> {
  for (let cursor: string | undefined; ; ) {
    const filter = { event: 'audit.segment_closed', limit: PAGE, ...(cursor !== undefined && { cursor }) }
    const { entries } = await store.query(filter)
    for (const { record } of entries) {
      const { seq, hash, writer: of } = record.metadata ?? {}
      const place = { writer: of, seq, hash }
      if (isPlace(place) && place.writer === writer && place.seq === anchor.seq && place.hash === anchor.hash)
        return true
    }
    if (entries.length < PAGE) return false
    cursor = entries.at(-1)!.cursor
  }
}
