import { isPlace } from './entry-line.js'
import type { AuditStore, WriterHead } from './store.js'
import type { Fault } from './verifier.js'

/** A stored chain that begins behind its first entry, and the number of the entry it begins behind. */
export interface UnvouchedAnchor {
  writer: string
  seq: number
}

/**
 * Looks whether stored chains begin where they may: behind what an `audit.segment_closed` says was archived. A checkpoint
 * says what stood there, not that it may be gone.
 */
export interface AnchorCheck {
  follow(): Promise<void>
  /** Those of which no record says so: evicted from memory, or cut off. */
  readonly unvouched: readonly UnvouchedAnchor[]
  /** The first of them where the store evicts nothing; it stays. */
  readonly firstBad: Fault | null
}

/** Entries read at a time. */
const PAGE = 100

export function createAnchorCheck(store: AuditStore): AnchorCheck {
  /** Hash of the anchor that a record was found for, by writer. */
  const known = new Map<string, string>()
  const evicts = store.evicts === true
  let unvouched: readonly UnvouchedAnchor[] = []
  let firstBad: Fault | null = null
  const look = async () => {
    const heads = (await store.heads()).filter(({ anchor }) => anchor.seq > 0)
    const isOpen = ({ writer, anchor }: WriterHead) => known.get(writer) !== anchor.hash
    await findRecords(store, heads.filter(isOpen), known)
    return heads.filter(isOpen)
  }
  return {
    get unvouched() {
      return unvouched
    },
    get firstBad() {
      return firstBad
    },
    async follow() {
      let left = await look()
      // A record that is about to be archived is written anew at the other end, behind where we began to read.
      if (left.length > 0 && !evicts) left = await look()
      unvouched = left.map(({ writer, anchor }) => ({ writer, seq: anchor.seq }))
      const [first] = evicts ? [] : unvouched
      if (first !== undefined)
        firstBad ??= { ...first, reason: 'entries up to it were taken out, and no record says so' }
    },
  }
}

/** Notes the anchors that a linked record names; a staged one may be anybody's. */
async function findRecords(store: AuditStore, heads: readonly WriterHead[], known: Map<string, string>): Promise<void> {
  const wanted = new Map(heads.map(({ writer, anchor }) => [writer, anchor]))
  for (let cursor: string | undefined; wanted.size > 0; ) {
    const filter = { event: 'audit.segment_closed', limit: PAGE, ...(cursor !== undefined && { cursor }) }
    const { entries } = await store.query(filter)
    for (const { record, integrity } of entries) {
      const { writer, seq, hash } = record.metadata ?? {}
      const place = { writer, seq, hash }
      if (integrity === undefined || !isPlace(place)) continue
      const anchor = wanted.get(place.writer)
      if (anchor?.seq !== place.seq || anchor.hash !== place.hash) continue
      known.set(place.writer, place.hash)
      wanted.delete(place.writer)
    }
    if (entries.length < PAGE) return
    cursor = entries.at(-1)!.cursor
  }
}
