import { isPlace } from './entry-line.js'
import { headPages, storedHead } from './heads.js'
import type { Steps } from './pass.js'
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
  /** One look at all chains, a page of them a step. */
  look(): Steps
  /** Those of which no record says so: evicted from memory, or cut off. */
  readonly unvouched: readonly UnvouchedAnchor[]
  /** The first of them where the store evicts nothing; it stays. */
  readonly firstBad: Fault | null
}

/** Entries read at a time. */
const PAGE = 100

export function createAnchorCheck(store: AuditStore): AnchorCheck {
  const state: State = { store, known: new Map(), unvouched: [], firstBad: null }
  return {
    get unvouched() {
      return state.unvouched
    },
    get firstBad() {
      return state.firstBad
    },
    look: () => looking(state),
  }
}

interface State {
  readonly store: AuditStore
  /** Hash of the anchor that a record was found for, by writer. */
  readonly known: Map<string, string>
  unvouched: readonly UnvouchedAnchor[]
  firstBad: Fault | null
}

async function* looking(state: State): Steps {
  const { store, known } = state
  const isOpen = ({ writer, anchor }: WriterHead) => anchor.seq > 0 && known.get(writer) !== anchor.hash
  let open: WriterHead[] = []
  for await (const heads of headPages(store)) {
    open.push(...heads.filter(isOpen))
    yield true
  }
  const evicts = store.evicts === true
  // A record that is about to be archived is written anew at the other end, behind where we began to read.
  for (let looks = evicts ? 1 : 2; looks > 0 && open.length > 0; looks -= 1) {
    yield* findRecords(store, open, known)
    open = open.filter(isOpen)
    if (!evicts) open = await unmoved(store, open)
  }
  state.unvouched = open.map(({ writer, anchor }) => ({ writer, seq: anchor.seq }))
  const [first] = evicts ? [] : state.unvouched
  if (first !== undefined)
    state.firstBad ??= { ...first, reason: 'entries up to it were taken out, and no record says so' }
}

/** Where more was archived meanwhile, the record of what was looked for may be archived itself: that is for the next look. */
async function unmoved(store: AuditStore, heads: readonly WriterHead[]): Promise<WriterHead[]> {
  const left: WriterHead[] = []
  for (const head of heads) {
    const now = await storedHead(store, head.writer)
    if (now === undefined || now.anchor.seq === head.anchor.seq) left.push(head)
  }
  return left
}

/** Notes the anchors that a linked record names; a staged one may be anybody's. */
async function* findRecords(store: AuditStore, heads: readonly WriterHead[], known: Map<string, string>): Steps {
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
    yield false
  }
}
