import assert from 'node:assert/strict'
import type { RateCase } from './rates.js'

const T = 1_800_000_000_000
const LEASE_MS = 60_000
const places = (limit: number, ...keys: string[]) => keys.map((key) => ({ key, limit }))

/** The promises of `RateStore` that are about what runs at the same time. */
export const placeCases: readonly RateCase[] = [
  {
    name: 'as many enter as there are places, and who leaves makes room',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      assert.equal(await left.enter('a', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await right.enter('b', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await left.enter('c', places(2, 'k'), LEASE_MS, T), 'k')
      await right.leave({ id: 'a', keys: ['k'] })
      await right.leave({ id: 'a', keys: ['k'] })
      assert.equal(await left.enter('c', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await left.enter('d', places(2, 'k'), LEASE_MS, T), 'k')
    },
  },
  {
    name: 'a call enters all places or none, and is told the first that is full',
    async run({ open }) {
      const rates = await open()
      await rates.enter('a', places(1, 'full'), LEASE_MS, T)
      assert.equal(await rates.enter('b', places(1, 'free', 'full', 'other'), LEASE_MS, T), 'full')
      await rates.enter('a', places(1, 'also full'), LEASE_MS, T)
      assert.equal(await rates.enter('b', places(1, 'full', 'also full'), LEASE_MS, T), 'full')
      assert.equal(await rates.enter('b', places(1, 'also full', 'full'), LEASE_MS, T), 'also full')
      assert.equal(await rates.enter('c', places(1, 'free', 'other'), LEASE_MS, T), null)
    },
  },
  {
    name: 'an id that has entered keeps its place and takes no second one',
    async run({ open }) {
      const rates = await open()
      assert.equal(await rates.enter('a', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await rates.enter('a', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await rates.enter('b', places(2, 'k'), LEASE_MS, T), null)
      assert.equal(await rates.enter('a', places(2, 'k'), LEASE_MS, T), null)
    },
  },
  {
    name: 'a limit of 0 lets nobody in',
    async run({ open }) {
      const rates = await open()
      assert.equal(await rates.enter('a', places(0, 'k'), LEASE_MS, T), 'k')
      assert.equal(await rates.enter('b', places(1, 'k'), LEASE_MS, T), null)
    },
  },
  {
    name: 'of many that race for the last places exactly as many enter as there are',
    async run({ open }) {
      const handles = [await open(), await open()]
      const racers = Array.from({ length: 20 }, async (_, index) => {
        return await handles[index % 2]!.enter(`call ${index}`, places(7, 'k'), LEASE_MS, T)
      })
      assert.equal((await Promise.all(racers)).filter((full) => full === null).length, 7)
    },
  },
  {
    name: 'a place that was not renewed in time is free, and a renewed one is not',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.enter('dead', places(2, 'k'), LEASE_MS, T)
      await left.enter('alive', places(2, 'k'), LEASE_MS, T)
      await left.stay([{ id: 'alive', keys: ['k'] }], LEASE_MS, T + 20_000)
      assert.equal(await right.enter('new', places(2, 'k'), LEASE_MS, T + LEASE_MS - 1), 'k')
      assert.equal(await right.enter('new', places(2, 'k'), LEASE_MS, T + LEASE_MS), null)
      assert.equal(await right.enter('newer', places(2, 'k'), LEASE_MS, T + LEASE_MS), 'k')
    },
  },
  {
    name: 'a place is kept as long as it was asked for, by entering and by renewing',
    async run({ open }) {
      const rates = await open()
      const isFull = async (key: string, at: number) => (await rates.enter('late', places(1, key), 1_000, at)) === key
      for (const leaseMs of [1_000, LEASE_MS, 3_600_000]) {
        const [entered, renewed] = [`entered ${leaseMs}`, `renewed ${leaseMs}`]
        await rates.enter('a', places(1, entered), leaseMs, T)
        await rates.enter('b', places(1, renewed), LEASE_MS, T)
        await rates.stay([{ id: 'b', keys: [renewed] }], leaseMs, T + 500)
        assert.deepEqual(
          [await isFull(entered, T + leaseMs - 1), await isFull(renewed, T + leaseMs + 499)],
          [true, true],
        )
        assert.deepEqual([await isFull(entered, T + leaseMs), await isFull(renewed, T + leaseMs + 500)], [false, false])
      }
    },
  },
  {
    name: 'one step renews all calls that still run, in all their places',
    async run({ open }) {
      const rates = await open()
      const calls = ['a', 'b', 'c'].map((id) => ({ id, keys: [`${id} 1`, `${id} 2`, `${id} 3`] }))
      for (const { id, keys } of calls) await rates.enter(id, places(1, ...keys), LEASE_MS, T)
      await rates.stay(calls, LEASE_MS, T + 20_000)
      for (const key of calls.flatMap(({ keys }) => keys)) {
        assert.equal(await rates.enter('late', places(1, key), LEASE_MS, T + LEASE_MS), key)
      }
    },
  },
  {
    name: 'who leaves gives back all places that are named, and nobody else has left',
    async run({ open }) {
      const rates = await open()
      const keys = ['x', 'y', 'z']
      await rates.enter('a', places(2, ...keys), LEASE_MS, T)
      await rates.enter('b', places(2, ...keys), LEASE_MS, T)
      await rates.leave({ id: 'b', keys })
      for (const key of keys) {
        assert.equal(await rates.enter(`after ${key}`, places(2, key), LEASE_MS, T), null)
        assert.equal(await rates.enter('a', places(2, key), LEASE_MS, T), null)
        assert.equal(await rates.enter('late', places(2, key), LEASE_MS, T), key)
      }
    },
  },
  {
    name: 'who has left does not come back by renewing',
    async run({ open }) {
      const rates = await open()
      await rates.enter('a', places(1, 'k'), LEASE_MS, T)
      await rates.leave({ id: 'a', keys: ['k'] })
      await rates.stay([{ id: 'a', keys: ['k'] }], LEASE_MS, T)
      assert.equal(await rates.enter('b', places(1, 'k'), LEASE_MS, T), null)
    },
  },
]
