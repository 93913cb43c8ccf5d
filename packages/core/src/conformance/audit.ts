import assert from 'node:assert/strict'
import type { AuditRecord, AuditStore, StoredEntry } from '../audit/store.js'
import { ALL, type AuditCase, endOf, GENESIS, placed, record } from './audit-harness.js'
import { heads } from './audit-heads.js'
import { signing } from './audit-signing.js'

const full: AuditRecord = {
  id: 'r-full',
  timestamp: 1_700_000_000_123,
  event: 'inference.response',
  level: 'warn',
  message: 'ünïcode "quoted"\n\u2028 \u0000 \u{1f600}',
  provider: 'openai',
  model: '',
  subject: 'ann',
  pool: 'user:ann',
  reservation: 'res-1',
  requestId: 'req-1',
  metadata: {
    empty: {},
    list: [1, null, 'x', [true]],
    big: Number.MAX_SAFE_INTEGER,
    small: -1,
    none: null,
    text: '',
    9: 'b',
    10: 'a',
  },
}

const named: AuditRecord = { ...full, id: 'r-named', model: 'gpt-4o', level: 'error' }

async function stagedIds(store: AuditStore, query: Parameters<AuditStore['staged']>[0]): Promise<string[]> {
  return (await store.staged(query)).map(({ id }) => id)
}

async function chainIds(store: AuditStore, writer: string): Promise<string[]> {
  return (await store.chain(writer, 0, 1_000)).map(({ record }) => record.id)
}

const idsOf = (entries: readonly StoredEntry[]) => entries.map(({ record }) => record.id)

const staging: readonly AuditCase[] = [
  {
    name: 'what is staged is read back as it was, by any handle, oldest first',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.stage('n/1', [full, record('r2')])
      await left.stage('n/1', [named])
      assert.deepEqual(await right.staged({ writer: 'n/1', ...ALL }), [full, record('r2'), named])
      assert.deepEqual(await stagedIds(right, { writer: 'n/1', limit: 2 }), ['r-full', 'r2'])
    },
  },
  {
    name: 'staged records are asked for by writer, or by an earlier timestamp whoever wrote them',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [record('a', { timestamp: 1_000 })])
      await store.stage('n/2', [record('b', { timestamp: 2_000 })])
      await store.stage('n/1', [record('c', { timestamp: 3_000 })])
      assert.deepEqual(await stagedIds(store, { writer: 'n/1', ...ALL }), ['a', 'c'])
      assert.deepEqual(await stagedIds(store, { before: 2_000, ...ALL }), ['a'])
      assert.deepEqual(await stagedIds(store, { before: 3_001, ...ALL }), ['a', 'b', 'c'])
    },
  },
  {
    name: 'a record that is staged again changes nothing',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [record('a')])
      await store.stage('n/1', [record('a'), record('b')])
      assert.deepEqual(await stagedIds(store, { writer: 'n/1', ...ALL }), ['a', 'b'])
      assert.equal((await store.query(ALL)).total, 2)
    },
  },
  {
    name: 'nor does one that is staged again after it was linked, whose answer got lost',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [record('a')])
      await store.link('n/1', GENESIS, placed('n/1', GENESIS, [record('a')]))
      await store.stage('n/1', [record('a'), record('b')])
      assert.deepEqual(await stagedIds(store, ALL), ['b'])
      assert.equal((await store.query(ALL)).total, 2)
    },
  },
]

const linking: readonly AuditCase[] = [
  {
    name: 'linking takes records off the staged ones and appends them, exactly as given',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [full, record('late')])
      const entries = placed('n/1', GENESIS, [full])
      assert.equal(await store.link('n/1', GENESIS, entries), true)
      assert.deepEqual(await stagedIds(store, ALL), ['late'])
      const [stored] = await (await open()).chain('n/1', 0, 10)
      assert.deepEqual(stored!.record, entries[0]!.record)
      assert.equal(stored!.body, entries[0]!.body)
      assert.deepEqual(stored!.integrity, entries[0]!.integrity)
      assert.equal(stored!.damaged, undefined)
    },
  },
  {
    name: 'a record that was never staged is appended all the same',
    async run({ open }) {
      const store = await open()
      assert.equal(await store.link('n/1', GENESIS, placed('n/1', GENESIS, [record('a')])), true)
      assert.deepEqual(await chainIds(store, 'n/1'), ['a'])
    },
  },
  {
    name: 'an old head is refused, and nothing is done',
    async run({ open }) {
      const store = await open()
      const first = placed('n/1', GENESIS, [record('a'), record('b')])
      await store.link('n/1', GENESIS, first)
      await store.stage('n/1', [record('c')])
      assert.equal(await store.link('n/1', GENESIS, placed('n/1', GENESIS, [record('c')])), false)
      const wrongHash = { seq: 2, hash: 'a'.repeat(64) }
      assert.equal(await store.link('n/1', wrongHash, placed('n/1', wrongHash, [record('c')])), false)
      assert.deepEqual(await chainIds(store, 'n/1'), ['a', 'b'])
      assert.deepEqual(await stagedIds(store, ALL), ['c'])
      assert.equal(await store.link('n/1', endOf(first), placed('n/1', endOf(first), [record('c')])), true)
    },
  },
  {
    name: 'two handles link on one head: one does, the other is told no',
    async run({ open }) {
      const stores = await Promise.all(Array.from({ length: 8 }, open))
      const ids = stores.map((_, index) => `r${index}`)
      const answers = await Promise.all(
        stores.map((store, index) => store.link('n/1', GENESIS, placed('n/1', GENESIS, [record(ids[index]!)]))),
      )
      assert.equal(answers.filter(Boolean).length, 1)
      assert.deepEqual(await chainIds(stores[0]!, 'n/1'), [ids[answers.indexOf(true)]!])
    },
  },
  {
    name: 'a staged record that eight writers want is linked once, and the others append nothing of their batch',
    async run({ open }) {
      const stores = await Promise.all(Array.from({ length: 8 }, open))
      await stores[0]!.stage('n/dead', [record('left')])
      const batch = (index: number) => placed(`n/${index}`, GENESIS, [record(`own${index}`), record('left')])
      const answers = await Promise.all(stores.map((store, index) => store.link(`n/${index}`, GENESIS, batch(index))))
      assert.equal(answers.filter(Boolean).length, 1)
      const { entries, total } = await stores[0]!.query(ALL)
      assert.equal(total, 2)
      assert.deepEqual(idsOf(entries).sort(), ['left', `own${answers.indexOf(true)}`])
      assert.deepEqual(await stagedIds(stores[0]!, ALL), [])
    },
  },
]

const reading: readonly AuditCase[] = [
  {
    name: 'a chain is read in pieces, in order, and ends empty',
    async run({ open }) {
      const store = await open()
      const entries = placed(
        'n/1',
        GENESIS,
        ['a', 'b', 'c', 'd', 'e'].map((id) => record(id)),
      )
      await store.link('n/1', GENESIS, entries)
      await store.link('n/2', GENESIS, placed('n/2', GENESIS, [record('x')]))
      assert.deepEqual(idsOf(await store.chain('n/1', 0, 2)), ['a', 'b'])
      assert.deepEqual(idsOf(await store.chain('n/1', 2, 2)), ['c', 'd'])
      assert.deepEqual(idsOf(await store.chain('n/1', 4, 2)), ['e'])
      assert.deepEqual(await store.chain('n/1', 5, 2), [])
      assert.deepEqual(await store.chain('nobody', 0, 2), [])
    },
  },
  {
    name: 'a query shows the newest first, staged ones without integrity, and counts all that match',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [record('a', { timestamp: 1 }), record('b', { timestamp: 2 })])
      await store.link('n/1', GENESIS, placed('n/1', GENESIS, [record('a', { timestamp: 1 })]))
      const { entries, total } = await store.query(ALL)
      assert.equal(total, 2)
      assert.deepEqual(idsOf(entries), ['b', 'a'])
      assert.equal(entries[0]!.integrity, undefined)
      assert.equal(entries[1]!.integrity?.seq, 1)
    },
  },
  {
    name: 'what a query shows is whole: the record as it was staged, and once it is linked its place, as the chain has it',
    async run({ open }) {
      const store = await open()
      const linked = placed('n/2', GENESIS, [full, named])
      await store.stage('n/1', [full, record('late', { timestamp: 3 }), { ...named, id: 'waiting', timestamp: 5 }])
      await store.link('n/2', GENESIS, linked)
      const { entries } = await store.query(ALL)
      const chain = await store.chain('n/2', 0, 10)
      const plain = (of: readonly StoredEntry[]) =>
        of.map(({ record, body, integrity }) => ({ record, body, integrity }))
      const places = linked.map(({ record, body, integrity }) => ({ record, body, integrity }))
      assert.deepEqual(plain(chain), places)
      const bySeq = (a: StoredEntry, b: StoredEntry) => a.integrity!.seq - b.integrity!.seq
      assert.deepEqual(plain(entries.filter(({ integrity }) => integrity !== undefined).sort(bySeq)), places)
      const staged = entries.filter(({ integrity }) => integrity === undefined)
      assert.deepEqual(
        staged.map((entry) => entry.record),
        [{ ...named, id: 'waiting', timestamp: 5 }, record('late', { timestamp: 3 })],
      )
    },
  },
  {
    name: 'filters narrow what is shown and what is counted; times are inclusive',
    async run({ open }) {
      const store = await open()
      const records = [
        record('a', { timestamp: 10, event: 'x', subject: 'ann', model: 'm1' }),
        record('b', { timestamp: 20, event: 'y', subject: 'ann', model: 'm2' }),
        record('c', { timestamp: 30, event: 'x', subject: 'bob', model: 'm1' }),
        record('d', { timestamp: 40, event: 'x' }),
      ]
      await store.link('n/1', GENESIS, placed('n/1', GENESIS, records.slice(0, 2)))
      await store.stage('n/1', records.slice(2))
      const ask = async (filter: object) => {
        const { entries, total } = await store.query({ ...ALL, ...filter })
        assert.equal(total, entries.length)
        return idsOf(entries).join('')
      }
      assert.equal(await ask({ event: 'x' }), 'dca')
      assert.equal(await ask({ subject: 'ann' }), 'ba')
      assert.equal(await ask({ model: 'm1' }), 'ca')
      assert.equal(await ask({ from: 20, to: 30 }), 'cb')
      assert.equal(await ask({ event: 'x', subject: 'ann', from: 10, to: 10 }), 'a')
      assert.equal(await ask({ subject: 'nobody' }), '')
      const one = await store.query({ limit: 1, event: 'x' })
      assert.deepEqual([idsOf(one.entries), one.total], [['d'], 3])
    },
  },
  {
    name: 'pages follow one another by cursor: nothing twice, nothing left out, though some are linked meanwhile',
    async run({ open }) {
      const store = await open()
      const records = Array.from({ length: 25 }, (_, index) => record(`r${index}`, { timestamp: index >> 1 }))
      for (const one of records) await store.stage('n/1', [one])
      const linked = placed('n/1', GENESIS, records.slice(0, 15))
      await store.link('n/1', GENESIS, linked)
      const seen: string[] = []
      let cursor: string | undefined
      for (let page = 0; page < 10; page += 1) {
        const { entries, total } = await store.query({ limit: 7, ...(cursor !== undefined && { cursor }) })
        assert.equal(total, 25)
        seen.push(...idsOf(entries))
        if (entries.length < 7) break
        cursor = entries.at(-1)!.cursor
        if (page === 0) await store.link('n/1', endOf(linked), placed('n/1', endOf(linked), records.slice(15)))
      }
      assert.equal(seen.length, 25)
      assert.deepEqual([...new Set(seen)].sort(), records.map(({ id }) => id).sort())
      const times = seen.map((id) => records.find((one) => one.id === id)!.timestamp)
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      )
    },
  },
  {
    name: 'a cursor that the store never gave is refused',
    async run({ open }) {
      const store = await open()
      await store.stage('n/1', [record('a')])
      await assert.rejects(async () => store.query({ limit: 1, cursor: 'no such thing' }), { code: 'invalid_request' })
    },
  },
]

/** Every promise of `AuditStore`. */
export const auditCases: readonly AuditCase[] = [...staging, ...linking, ...signing, ...heads, ...reading]
