import assert from 'node:assert/strict'
import { type AuditCase, endOf, GENESIS, placed, record } from './audit-harness.js'

export const heads: readonly AuditCase[] = [
  {
    name: 'heads name the newest entry of every writer and where its chain begins',
    async run({ open }) {
      const store = await open()
      assert.deepEqual(await store.heads(), [])
      const [one, two] = [placed('n/1', GENESIS, [record('a'), record('b')]), placed('m/2', GENESIS, [record('c')])]
      await store.link('n/1', GENESIS, one)
      await store.link('m/2', GENESIS, two)
      const heads = [...(await store.heads())].sort((a, b) => (a.writer < b.writer ? -1 : 1))
      assert.deepEqual(heads, [
        { writer: 'm/2', ...endOf(two), epoch: 0, anchor: GENESIS },
        { writer: 'n/1', ...endOf(one), epoch: 0, anchor: GENESIS },
      ])
    },
  },
  {
    name: 'heads are asked for by writer, or page by page: each once, in whatever order',
    async run({ open }) {
      const store = await open()
      const writers = ['n/2', 'm/10', 'n/1', 'ü/1', 'm/9']
      for (const writer of writers) await store.link(writer, GENESIS, placed(writer, GENESIS, [record(writer)]))
      assert.deepEqual(
        (await store.heads({ writer: 'n/1' })).map(({ writer }) => writer),
        ['n/1'],
      )
      assert.deepEqual(await store.heads({ writer: 'n' }), [])
      const pages: string[][] = []
      for (let afterWriter: string | undefined; pages.length < 4; afterWriter = pages.at(-1)?.at(-1)) {
        const page = await store.heads({ ...(afterWriter !== undefined && { afterWriter }), limit: 2 })
        pages.push(page.map(({ writer }) => writer))
        if (page.length < 2) break
      }
      assert.deepEqual(
        pages.map(({ length }) => length),
        [2, 2, 1],
      )
      assert.deepEqual(pages.flat().sort(), [...writers].sort())
    },
  },
]
