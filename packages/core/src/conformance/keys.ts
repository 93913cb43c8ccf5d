import assert from 'node:assert/strict'
import type { KeyRecord, KeyStore } from '../identity/store.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface KeyHarness {
  /** Another handle on the same keys, as another process would have it; at first there are none. */
  open(): Awaitable<KeyStore>
}

/** A promise of `KeyStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface KeyCase {
  readonly name: string
  run(harness: KeyHarness): Promise<void>
}

/** Ids as the gateway makes them: UUID v7, which rise. */
const idOf = (count: number) => `01890a5d-ac96-7${count.toString(16).padStart(3, '0')}-8a3e-0d9f2c4b6e1a`

function key(count: number, fields: Partial<KeyRecord> = {}): KeyRecord {
  return {
    id: idOf(count),
    version: 1,
    user: 'ann',
    name: `key ${count}`,
    createdBy: 'root',
    createdAt: 1_700_000_000_000,
    secrets: [{ hash: 'a'.repeat(64), until: null }],
    expiresAt: null,
    revokedAt: null,
    pools: ['user:ann'],
    ...fields,
  }
}

const full = key(1, {
  user: 'ann "of" ünïcode \u{1f600}',
  name: "it's 100 % _mine_\n",
  secrets: [
    { hash: 'b'.repeat(64), until: null },
    { hash: 'c'.repeat(64), until: 1_700_000_600_000 },
  ],
  expiresAt: 1_900_000_000_123,
  revokedAt: 1_800_000_000_456,
  pools: ['user:ann', 'team:red'],
  models: ['gpt-*'],
  limits: { requestsPerMinute: 60, tokensPerMinute: 0, concurrent: 4 },
  userLimits: { requestsPerMinute: 600 },
  priority: 'low',
  tools: [],
  metadata: { plan: 'größer' },
  ipRanges: ['203.0.113.0/24', '2001:db8::/32'],
})

/** Where the other one has nothing. */
const other = key(2, {
  user: 'bob',
  createdBy: 'bob',
  limits: { tokensPerMinute: 5 },
  tools: ['search'],
  priority: 'high',
})

/** Every promise of `KeyStore`. Each case wants a harness of its own, without keys. */
export const keyStoreCases: readonly KeyCase[] = [
  {
    name: 'a key comes back as it was added, for every handle',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      assert.equal(await left.get(full.id), null)
      for (const one of [full, other, key(3)]) {
        assert.equal(await left.add(one), true)
        assert.deepEqual(await right.get(one.id), one)
      }
    },
  },
  {
    name: 'an id that is known is not added again, and its key stays as it is',
    async run({ open }) {
      const store = await open()
      await store.add(key(1))
      assert.equal(await store.add(key(1, { name: 'another', user: 'bob' })), false)
      assert.deepEqual(await store.get(idOf(1)), key(1))
    },
  },
  {
    name: 'a key is replaced by its next version only',
    async run({ open }) {
      const store = await open()
      await store.add(key(1))
      const second = { ...full, version: 2 }
      assert.equal(await store.replace(second), true)
      assert.deepEqual(await store.get(idOf(1)), second)
      for (const version of [1, 2, 4]) assert.equal(await store.replace(key(1, { version })), false)
      assert.deepEqual(await store.get(idOf(1)), second)
      assert.equal(await store.replace(key(9, { version: 2 })), false)
      assert.equal(await store.get(idOf(9)), null)
    },
  },
  {
    name: 'of many that change the same version exactly one does',
    async run({ open }) {
      const handles = [await open(), await open()]
      await handles[0]!.add(key(1))
      const racers = Array.from({ length: 10 }, async (_, index) => {
        return await handles[index % 2]!.replace(key(1, { version: 2, name: `by ${index}` }))
      })
      const told = await Promise.all(racers)
      assert.equal(told.filter(Boolean).length, 1)
      assert.equal((await handles[1]!.get(idOf(1)))?.name, `by ${told.indexOf(true)}`)
    },
  },
  {
    name: 'of many that add one id exactly one does',
    async run({ open }) {
      const handles = [await open(), await open()]
      const racers = Array.from({ length: 10 }, async (_, index) => {
        return await handles[index % 2]!.add(key(1, { name: `by ${index}` }))
      })
      const told = await Promise.all(racers)
      assert.equal(told.filter(Boolean).length, 1)
      assert.equal((await handles[0]!.get(idOf(1)))?.name, `by ${told.indexOf(true)}`)
    },
  },
  {
    name: 'a list has the largest ids first, page by page, of one user or of all',
    async run({ open }) {
      const store = await open()
      for (const count of [3, 10, 1, 200]) await store.add(key(count))
      await store.add(key(7, { user: 'bob' }))
      const names = async (filter: Parameters<KeyStore['list']>[0]) =>
        (await store.list(filter)).map(({ name }) => name)
      assert.deepEqual(await names({ limit: 10 }), ['key 200', 'key 10', 'key 7', 'key 3', 'key 1'])
      assert.deepEqual(await names({ user: 'ann', limit: 2 }), ['key 200', 'key 10'])
      assert.deepEqual(await names({ user: 'ann', limit: 2, before: idOf(10) }), ['key 3', 'key 1'])
      assert.deepEqual(await names({ user: 'Ann', limit: 2 }), [])
      assert.deepEqual(await names({ limit: 2, before: idOf(1) }), [])
    },
  },
  {
    name: 'what is listed is whole',
    async run({ open }) {
      const store = await open()
      for (const one of [full, other]) await store.add(one)
      assert.deepEqual(await (await open()).list({ limit: 10 }), [other, full])
      assert.deepEqual(await store.list({ user: full.user, limit: 10 }), [full])
    },
  },
  {
    name: 'a key that was removed is gone, and removing it again is fine',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      for (const count of [1, 2]) await left.add(key(count))
      await right.remove(idOf(1))
      await right.remove(idOf(1))
      assert.equal(await left.get(idOf(1)), null)
      assert.deepEqual(await left.list({ limit: 10 }), [key(2)])
      assert.equal(await left.replace(key(1, { version: 2 })), false)
    },
  },
]
