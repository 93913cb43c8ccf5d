import { describe, expect, it } from 'vitest'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { StoredEntry } from '../../../packages/core/src/audit/store.js'
import { linkInto, recordOf } from './support.js'

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `r${from + index}`)

describe('the memory store', () => {
  it('keeps 10,000 entries, the newest, and says where the chain now begins', () => {
    const store = memoryAudit()
    linkInto(
      store,
      'n/1',
      undefined,
      ids(0, 10_000).map((id) => recordOf(id)),
    )
    expect(store.heads()).toMatchObject([{ seq: 10_000, anchor: { seq: 0 } }])
    const [oldest] = store.chain('n/1', 0, 1) as StoredEntry[]
    linkInto(store, 'n/1', undefined, [recordOf('r10000')])
    expect(store.heads()).toMatchObject([{ seq: 10_001, anchor: { seq: 1, hash: oldest!.integrity!.hash } }])
    expect(store.query({ limit: 1 })).toMatchObject({ total: 10_000, entries: [{ record: { id: 'r10000' } }] })
    expect((store.chain('n/1', 0, 1) as StoredEntry[])[0]!.integrity!.seq).toBe(2)
  })

  it('evicts what came first, of whatever writer, and never what is only staged', () => {
    const store = memoryAudit({ maxEntries: 3 })
    store.stage('n/1', [recordOf('waits')])
    linkInto(store, 'n/1', undefined, [recordOf('a')])
    linkInto(store, 'n/2', undefined, [recordOf('b'), recordOf('c')])
    linkInto(store, 'n/1', undefined, [recordOf('d'), recordOf('e')])
    const { entries } = store.query({ limit: 10 }) as { entries: StoredEntry[] }
    expect(entries.map(({ record }) => record.id)).toEqual(['e', 'd', 'c', 'waits'])
    expect(store.heads()).toMatchObject([
      { writer: 'n/1', seq: 3, anchor: { seq: 1 } },
      { writer: 'n/2', seq: 2, anchor: { seq: 1 } },
    ])
  })

  it('answers at once: no promise on the hot path', () => {
    const store = memoryAudit()
    expect(store.stage('n/1', [recordOf('a')])).toBeUndefined()
    expect(store.query({ limit: 1 })).toHaveProperty('total', 1)
  })
})
