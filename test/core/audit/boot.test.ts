import { describe, expect, it } from 'vitest'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import { linkInto, logOn, recordOf } from './support.js'

describe('a boot', () => {
  it.each(['node', 'a node with a long name '.repeat(20)])(
    'succeeds whatever number of processes left no seal; those that it does not name the next ones do (%s)',
    async (node) => {
      const store = memoryAudit()
      const metadata = { signed: false, node, predecessors: [] }
      for (let dead = 0; dead < 1_000; dead += 1)
        linkInto(store, `${node}/${dead}`, undefined, [recordOf(`b${dead}`, { event: 'audit.boot', metadata })])
      const named: string[] = []
      for (let boots = 0; boots < 20; boots += 1) {
        const { log } = logOn({ store, node })
        await log.start()
        await log.close()
        const [first] = await store.chain(log.writer, 0, 1)
        const predecessors = first!.record.metadata!.predecessors as unknown as { writer: string }[]
        named.push(...predecessors.map(({ writer }) => writer))
      }
      expect(named).toHaveLength(1_000)
      expect(new Set(named).size).toBe(1_000)
    },
  )
})
