import { randomUUID } from 'node:crypto'
import { GENESIS, headOf, link, writerKey } from '../../../packages/core/src/audit/chain.js'
import { type AuditLogOptions, createAuditLog } from '../../../packages/core/src/audit/log.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditRecord, AuditStore, StoredEntry } from '../../../packages/core/src/audit/store.js'

export const NOW = 1_700_000_000_000

export function recordOf(id: string, fields: Partial<AuditRecord> = {}): AuditRecord {
  return { id, timestamp: NOW, event: 'host.event', level: 'info', message: id, ...fields }
}

/** A full entry, as an answered call leaves it. */
export function answered(id: string): AuditRecord {
  return recordOf(id, {
    event: 'inference.response',
    provider: 'openai',
    model: 'gpt-4o-mini',
    subject: 'ann',
    pool: 'user:ann',
    reservation: `res-${id}`,
    requestId: `req-${id}`,
    metadata: { pools: ['user:ann'], stream: false, tokens: 200, price: 'table', nothing: null },
  })
}

/** Links records in a store as a process with this key would. */
export function linkInto(
  store: AuditStore,
  writer: string,
  key: string | undefined,
  records: readonly AuditRecord[],
): void {
  const heads = store.heads()
  const head = (Array.isArray(heads) ? heads : []).find((one) => one.writer === writer) ?? GENESIS
  const signing = key === undefined ? null : writerKey(key, writer)
  for (let at = 0, after = { seq: head.seq, hash: head.hash }; at < records.length; at += 1_000) {
    const entries = link(records.slice(at, at + 1_000), { writer, head: after, key: signing })
    store.link(writer, after, entries)
    after = headOf(entries, after) as typeof after
  }
}

/** A log on a memory store, with a clock that stands until it is moved. */
export function logOn(options: Partial<AuditLogOptions> = {}) {
  const time = { now: NOW }
  const store = options.store ?? memoryAudit()
  const log = createAuditLog({
    store,
    node: 'node',
    clock: () => time.now,
    ids: randomUUID,
    mode: 'strict',
    ...options,
  })
  return { log, store, time }
}

/** The same store with some of its answers changed. */
export function changed(store: AuditStore, changes: Partial<AuditStore>): AuditStore {
  return { ...store, ...changes }
}

/** A store whose chains read as `edit` makes them. */
export function edited(store: AuditStore, edit: (entries: StoredEntry[], writer: string) => StoredEntry[]): AuditStore {
  return changed(store, {
    chain: async (writer, after, limit) => {
      const all = structuredClone(await store.chain(writer, 0, 1_000_000)) as StoredEntry[]
      return edit(all, writer)
        .filter(({ integrity }) => (integrity?.seq ?? 0) > after)
        .slice(0, limit)
    },
  })
}
