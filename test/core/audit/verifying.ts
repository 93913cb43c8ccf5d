import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { createVerifier } from '../../../packages/core/src/audit/verifier.js'
import { answered, linkInto, NOW, recordOf } from './support.js'

/** Whose chain the verifier's tests look at. */
export const WRITER = 'n/1'

export const boot = (id: string, signed: boolean) =>
  recordOf(id, { event: 'audit.boot', metadata: { signed, node: 'n', predecessors: [] } })

/** Two writers, the first with a boot, four calls and a seal. */
export function filled(key: string | undefined): AuditStore {
  const store = memoryAudit()
  linkInto(store, WRITER, key, [
    boot('b1', key !== undefined),
    ...['a', 'b', 'c', 'd'].map(answered),
    recordOf('s', { event: 'audit.seal' }),
  ])
  linkInto(store, 'n/2', key, [boot('b2', key !== undefined), answered('other')])
  return store
}

export const verifierOf = (store: AuditStore, key?: string) =>
  createVerifier({ store, clock: () => NOW, ...(key !== undefined && { key }) })
