import type { UnvouchedAnchor } from './anchors.js'
import type { Checks } from './checks.js'
import type { AuditEntry, AuditFilter, AuditStore, StoredEntry } from './store.js'
import type { Fault } from './verifier.js'

/** A page of the log as it goes over the wire: the newest entries that match, oldest first. */
export interface AuditPage {
  entries: AuditEntry[]
  /** How many match in all, staged ones included. */
  total: number
  /** For the page before this one; null where there is none. */
  next_cursor: string | null
}

export interface AuditStatus {
  /** False from the first damage found until the process ends. */
  chain_valid: boolean
  /** The last entry of each writer that was checked. */
  verified_through: Readonly<Record<string, number>>
  /** Milliseconds since the epoch; null until everything stored was checked once. */
  verified_at: number | null
  /** Whether every chain has tags that were checked. */
  signed: boolean
}

export async function pageOf(store: AuditStore, filter: AuditFilter): Promise<AuditPage> {
  const { entries, total } = await store.query(filter)
  const last = entries.length === filter.limit ? entries.at(-1) : undefined
  return { entries: entries.map(entryOf).reverse(), total, next_cursor: last?.cursor ?? null }
}

function entryOf({ record, integrity }: StoredEntry): AuditEntry {
  return integrity === undefined ? { ...record, staged: true } : { ...record, integrity }
}

export function statusOf({ verifier, firstBad }: Checks): AuditStatus {
  const { verifiedThrough, verifiedAt, signed } = verifier.state()
  return { chain_valid: firstBad === null, verified_through: verifiedThrough, verified_at: verifiedAt, signed }
}

/** What the gateway itself can say of its log; a copy of the checkpoints elsewhere says more. */
export interface AuditReport {
  valid: boolean
  /** Whether all that is stored was looked at; else the next answer goes on from here. */
  complete: boolean
  first_bad: Fault | null
  verified_through: Readonly<Record<string, number>>
  verified_at: number | null
  signed: boolean
  /** The newest checkpoint of each writer. */
  checkpoints: Record<string, { seq: number; epoch: number; time: number }>
  /** Entries of each writer that no checkpoint covers yet. */
  uncovered: { writer: string; after: number; through: number; entries: number; since: number | null }[]
  /**
   * Chains of which the storage has no beginning, and no record that it was archived: older entries were evicted from memory,
   * or, where the storage evicts nothing, cut off, which is a fault.
   */
  unvouched: UnvouchedAnchor[]
}

export function reportOf({ verifier, covered, unvouched, firstBad }: Checks, complete: boolean): AuditReport {
  const { verifiedThrough, verifiedAt, signed } = verifier.state()
  const uncovered = Object.entries(verifiedThrough).map(([writer, through]) => {
    const { seq: after = 0, time: since = null } = covered.get(writer) ?? {}
    return { writer, after, through, entries: Math.max(0, through - after), since }
  })
  return {
    valid: firstBad === null,
    complete,
    first_bad: firstBad,
    verified_through: verifiedThrough,
    verified_at: verifiedAt,
    signed,
    checkpoints: Object.fromEntries(covered),
    uncovered: uncovered.filter(({ entries }) => entries > 0),
    unvouched: [...unvouched],
  }
}
