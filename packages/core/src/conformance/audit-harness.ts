import type { AuditRecord, AuditStore, ChainHead, LinkedRecord } from '../audit/store.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface AuditHarness {
  /** Another handle on the same data, as another process would have it; at first the data is empty. */
  open(): Awaitable<AuditStore>
}

/** A promise of `AuditStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface AuditCase {
  readonly name: string
  run(harness: AuditHarness): Promise<void>
}

export const GENESIS: ChainHead = { seq: 0, hash: '0'.repeat(64) }
export const ALL = { limit: 1_000 }

export function record(id: string, fields: Partial<AuditRecord> = {}): AuditRecord {
  return { id, timestamp: 1_000, event: 'host.event', level: 'info', message: id, ...fields }
}

/** Places records in a chain. A store keeps what it is given and recomputes nothing, so the hashes are made up. */
export function placed(writer: string, after: ChainHead, records: readonly AuditRecord[]): LinkedRecord[] {
  let { seq, hash } = after
  return records.map((record) => {
    seq += 1
    const previous_hash = hash
    hash = Buffer.from(`${writer}#${seq}#${record.id}`).toString('hex').slice(-64).padStart(64, '0')
    const place = { version: '2', writer, seq, epoch: 0 } as const
    return {
      record,
      body: JSON.stringify({ ...record, integrity: place }),
      integrity: { ...place, previous_hash, hash, signature: 'f'.repeat(64) },
    }
  })
}

export function endOf(entries: readonly LinkedRecord[]): ChainHead {
  const { seq, hash } = entries.at(-1)!.integrity
  return { seq, hash }
}
