import type { AuditEntry, AuditFilter, AuditStore, StoredEntry } from './store.js'
import type { Verifier } from './verifier.js'

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

export function statusOf(verifier: Verifier): AuditStatus {
  const { valid, verifiedThrough, verifiedAt, signed } = verifier.state()
  return { chain_valid: valid, verified_through: verifiedThrough, verified_at: verifiedAt, signed }
}
