import assert from 'node:assert/strict'
import type { AuditStore, LinkedRecord } from '../audit/store.js'
import { ALL, type AuditCase, endOf, GENESIS, placed, record } from './audit-harness.js'

const line = (epoch: number, text = `line ${epoch}`) => ({ epoch, seq: epoch + 1, line: text })

export const signing: readonly AuditCase[] = [
  {
    name: 'a checkpoint is kept as it is and begins the next epoch: entries of the one before are refused',
    async run({ open }) {
      const store = await open()
      const first = placed('n/1', GENESIS, [record('a')])
      await store.link('n/1', GENESIS, first)
      assert.equal(await store.checkpoint('n/1', endOf(first), line(0, '{"ü":"\u2028"}')), true)
      assert.deepEqual(await (await open()).checkpoints(ALL), [{ writer: 'n/1', ...line(0, '{"ü":"\u2028"}') }])
      assert.equal((await store.heads())[0]!.epoch, 1)
      const second = placed('n/1', endOf(first), [record('b')])
      assert.equal(await store.link('n/1', endOf(first), second), false)
      assert.equal(await store.link('n/1', endOf(first), inEpoch(1, second)), true)
      assert.equal((await store.chain('n/1', 1, 1))[0]!.integrity!.epoch, 1)
      const { entries } = await store.query(ALL)
      assert.deepEqual(entries.map(({ integrity }) => integrity?.epoch).sort(), [0, 1])
    },
  },
  {
    name: 'one of another head or epoch is refused, and nothing is done',
    async run({ open }) {
      const store = await open()
      const first = placed('n/1', GENESIS, [record('a')])
      await store.link('n/1', GENESIS, first)
      assert.equal(await store.checkpoint('n/1', GENESIS, line(0)), false)
      assert.equal(await store.checkpoint('n/1', { seq: 1, hash: 'a'.repeat(64) }, line(0)), false)
      assert.equal(await store.checkpoint('n/1', endOf(first), line(1)), false)
      assert.equal(await store.checkpoint('nobody', GENESIS, line(0)), false)
      assert.deepEqual(await store.checkpoints(ALL), [])
      assert.equal((await store.heads())[0]!.epoch, 0)
    },
  },
  {
    name: 'two handles sign one head: one does, the other is told no',
    async run({ open }) {
      const stores = await Promise.all(Array.from({ length: 8 }, open))
      const first = placed('n/1', GENESIS, [record('a')])
      await stores[0]!.link('n/1', GENESIS, first)
      const sign = (store: AuditStore, index: number) => store.checkpoint('n/1', endOf(first), line(0, `by ${index}`))
      const answers = await Promise.all(stores.map(async (store, index) => sign(store, index)))
      assert.equal(answers.filter(Boolean).length, 1)
      const kept = await stores[0]!.checkpoints(ALL)
      assert.deepEqual(kept, [{ writer: 'n/1', ...line(0, `by ${answers.indexOf(true)}`) }])
    },
  },
  {
    name: 'checkpoints are read in the order they were made, by writer, after an epoch, or the newest of each',
    async run({ open }) {
      const store = await open()
      for (const writer of ['n/1', 'n/2']) {
        const first = placed(writer, GENESIS, [record(writer)])
        await store.link(writer, GENESIS, first)
        for (const epoch of [0, 1, 2]) await store.checkpoint(writer, endOf(first), line(epoch))
      }
      const epochs = async (query: object) =>
        (await store.checkpoints({ ...ALL, ...query })).map(({ writer, epoch }) => `${writer}:${epoch}`)
      assert.deepEqual(await epochs({}), ['n/1:0', 'n/1:1', 'n/1:2', 'n/2:0', 'n/2:1', 'n/2:2'])
      assert.deepEqual(await epochs({ writer: 'n/2' }), ['n/2:0', 'n/2:1', 'n/2:2'])
      assert.deepEqual(await epochs({ writer: 'n/1', after: 0 }), ['n/1:1', 'n/1:2'])
      assert.deepEqual(await epochs({ writer: 'n/1', after: 0, limit: 1 }), ['n/1:1'])
      assert.deepEqual((await epochs({ newest: true })).sort(), ['n/1:2', 'n/2:2'])
      assert.deepEqual(await epochs({ writer: 'nobody' }), [])
    },
  },
  {
    name: 'a chain that is trimmed begins behind that entry, has its checkpoints, and goes on',
    async run({ open }) {
      const store = await open()
      const entries = placed(
        'n/1',
        GENESIS,
        ['a', 'b', 'c', 'd'].map((id) => record(id)),
      )
      await store.link('n/1', GENESIS, entries)
      await store.link('n/2', GENESIS, placed('n/2', GENESIS, [record('x')]))
      await store.checkpoint('n/1', endOf(entries), line(0))
      const second = { seq: 2, hash: entries[1]!.integrity.hash }
      for (const wrong of [
        { ...second, seq: 1 },
        { ...second, seq: 3 },
        { seq: 9, hash: 'a'.repeat(64) },
      ])
        assert.equal(await store.trim('n/1', wrong), false)
      assert.equal(await store.trim('nobody', second), false)
      assert.equal(await store.trim('n/1', second), true)
      assert.equal(await store.trim('n/1', second), false)
      const chain = await (await open()).chain('n/1', 0, 10)
      assert.deepEqual(
        chain.map((entry) => entry.record.id),
        ['c', 'd'],
      )
      const head = (await store.heads()).find(({ writer }) => writer === 'n/1')
      assert.deepEqual(head, { writer: 'n/1', ...endOf(entries), epoch: 1, anchor: second })
      assert.equal((await store.query(ALL)).total, 3)
      assert.equal((await store.checkpoints(ALL)).length, 1)
      const next = inEpoch(1, placed('n/1', endOf(entries), [record('e')]))
      assert.equal(await store.link('n/1', endOf(entries), next), true)
    },
  },
]

function inEpoch(epoch: number, entries: readonly LinkedRecord[]): LinkedRecord[] {
  return entries.map((entry) => ({
    ...entry,
    body: entry.body.replace('"epoch":0', `"epoch":${epoch}`),
    integrity: { ...entry.integrity, epoch },
  }))
}
