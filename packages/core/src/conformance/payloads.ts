import assert from 'node:assert/strict'
import type { PayloadStore, StoredPayload, SubjectKey } from '../audit/payload-store.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface PayloadHarness {
  /** Another handle on the same payloads, as another process would have it; at first there are none. */
  open(): Awaitable<PayloadStore>
}

/** A promise of `PayloadStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface PayloadCase {
  readonly name: string
  run(harness: PayloadHarness): Promise<void>
}

const ANN = 'a'.repeat(64)
const BOB = 'b'.repeat(64)

function key(id: string, fields: Partial<SubjectKey> = {}): SubjectKey {
  return { subject: ANN, id, wrappedBy: 'w1', wrapped: Uint8Array.from([0, 1, 255, 128, 10]), ...fields }
}

function payload(id: string, fields: Partial<StoredPayload> = {}): StoredPayload {
  return {
    id,
    subject: ANN,
    key: 'k1',
    at: 1_700_000_000_123,
    sealed: Uint8Array.from([0, 200, 13, 39, 92]),
    ...fields,
  }
}

/** Drivers give bytes in types of their own. */
const plainKey = (found: SubjectKey | null) => found && { ...found, wrapped: Uint8Array.from(found.wrapped) }

async function found(store: PayloadStore, id: string) {
  const got = await store.get(id)
  return got && { payload: { ...got.payload, sealed: Uint8Array.from(got.payload.sealed) }, key: plainKey(got.key) }
}

/** Every promise of `PayloadStore`. Each case wants a harness of its own, without payloads. */
export const payloadStoreCases: readonly PayloadCase[] = [
  {
    name: 'a payload comes back byte by byte with its key, for every handle',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      assert.equal(await left.get('p1'), null)
      assert.equal(await left.key(ANN), null)
      const large = payload('p1', { sealed: Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256) })
      assert.deepEqual(plainKey(await left.addKey(key('k1'))), key('k1'))
      assert.equal(await left.put(large), true)
      assert.deepEqual(plainKey(await right.key(ANN)), key('k1'))
      const got = await right.get('p1')
      assert.ok(got !== null && Buffer.from(large.sealed).equals(got.payload.sealed), 'a large payload is whole')
      const small = payload('p2')
      assert.equal(await left.put(small), true)
      assert.deepEqual(await found(right, 'p2'), { payload: small, key: key('k1') })
    },
  },
  {
    name: 'a known id changes nothing, and one that is removed is gone',
    async run({ open }) {
      const store = await open()
      await store.addKey(key('k1'))
      await store.put(payload('p1'))
      assert.equal(await store.put(payload('p1', { at: 5 })), true)
      assert.equal((await found(store, 'p1'))?.payload.at, 1_700_000_000_123)
      await store.put(payload('p2'))
      await store.remove('p2')
      await store.remove('p2')
      assert.deepEqual(
        [await store.get('p2'), await found(store, 'p1')],
        [null, { payload: payload('p1'), key: key('k1') }],
      )
    },
  },
  {
    name: 'of many keys that a subject is given at once one stands, and all are told which',
    async run({ open }) {
      const handles = [await open(), await open()]
      const told = await Promise.all(
        Array.from({ length: 10 }, async (_, at) => handles[at % 2]!.addKey(key(`k${at}`, { wrappedBy: `w${at}` }))),
      )
      const stands = plainKey(await handles[0]!.key(ANN))
      for (const one of told) assert.deepEqual(plainKey(one), stands)
      assert.deepEqual(plainKey(await handles[1]!.addKey(key('late'))), stands)
    },
  },
  {
    name: 'what was encrypted under an erased key is there, its key is not; nothing more is kept under it',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.addKey(key('k1'))
      await left.addKey(key('b1', { subject: BOB }))
      await left.put(payload('p1'))
      await left.put(payload('q1', { subject: BOB, key: 'b1' }))
      assert.equal(await right.erase(ANN), true)
      assert.equal(await right.erase(ANN), false)
      assert.equal(await left.key(ANN), null)
      assert.deepEqual(await found(left, 'p1'), { payload: payload('p1'), key: null })
      assert.equal(await left.put(payload('p2')), false)
      assert.equal(await left.get('p2'), null)
      assert.equal((await found(left, 'q1'))?.key?.id, 'b1')
      assert.equal((await right.key(BOB))?.id, 'b1')
      await left.addKey(key('k2'))
      assert.equal(await right.erase(BOB), true)
      assert.deepEqual([(await left.key(ANN))?.id, await left.key(BOB)], ['k2', null])
    },
  },
  {
    name: 'after an erasure a subject begins with another key, which does not open what was before',
    async run({ open }) {
      const store = await open()
      await store.addKey(key('k1'))
      await store.put(payload('p1'))
      await store.erase(ANN)
      assert.equal((await store.addKey(key('k2'))).id, 'k2')
      assert.equal(await store.put(payload('p2', { key: 'k2' })), true)
      assert.equal((await found(store, 'p1'))?.key, null)
      assert.equal((await found(store, 'p2'))?.key?.id, 'k2')
    },
  },
  {
    name: 'a payload and an erasure at once: it is unreadable, or was not kept',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.addKey(key('k1'))
      const puts = Array.from({ length: 10 }, async (_, at) => left.put(payload(`p${at}`)))
      const kept = (await Promise.all([...puts, right.erase(ANN)])).slice(0, 10)
      for (const [at, isKept] of kept.entries()) {
        const got = await found(right, `p${at}`)
        assert.deepEqual(got, isKept ? { payload: payload(`p${at}`), key: null } : null)
      }
    },
  },
  {
    name: 'keys that others wrap are found and wrapped anew, unless they were erased meanwhile',
    async run({ open }) {
      const store = await open()
      await store.addKey(key('k1'))
      await store.addKey(key('b1', { subject: BOB, wrappedBy: 'w2' }))
      const others = await store.wrappedByOthers('w2', 10)
      assert.deepEqual(others.map(plainKey), [key('k1')])
      const anew = key('k1', { wrappedBy: 'w2', wrapped: Uint8Array.from([9]) })
      assert.equal(await store.rewrap(anew), true)
      assert.deepEqual(plainKey(await store.key(ANN)), anew)
      assert.deepEqual(await store.wrappedByOthers('w2', 10), [])
      assert.equal((await store.wrappedByOthers('w3', 1)).length, 1)
      assert.equal(await store.rewrap(key('other')), false)
      assert.deepEqual(plainKey(await store.key(ANN)), anew)
      await store.erase(ANN)
      assert.equal(await store.rewrap(anew), false)
      assert.equal(await store.key(ANN), null)
    },
  },
  {
    name: 'old payloads are dropped, some at a time; keys stay',
    async run({ open }) {
      const store = await open()
      await store.addKey(key('k1'))
      await store.addKey(key('b1', { subject: BOB }))
      for (const at of [1, 2, 3, 4]) await store.put(payload(`p${at}`, { at }))
      assert.equal(await store.drop(4, 2), 2)
      assert.equal(await store.drop(4, 2), 1)
      assert.equal(await store.drop(4, 2), 0)
      assert.equal(await store.get('p3'), null)
      assert.equal((await found(store, 'p4'))?.key?.id, 'k1')
      assert.equal((await store.key(BOB))?.id, 'b1')
    },
  },
]
