import assert from 'node:assert/strict'
import type { RateAsk, RateStore } from '../budget/rates.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface RateHarness {
  /** Another handle on the same counts, as another process would have it; at first nothing is counted. */
  open(): Awaitable<RateStore>
}

/** A promise of `RateStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface RateCase {
  readonly name: string
  run(harness: RateHarness): Promise<void>
}

const T = 1_800_000_000_000
const ask = (key: string, limit: number, cost = 1, windowMs = 60_000): RateAsk => ({ key, limit, windowMs, cost })

/** Every promise of `RateStore`. Each case wants a harness of its own, with nothing counted. */
export const rateStoreCases: readonly RateCase[] = [
  {
    name: 'a window takes as much as its limit, then says how long to wait',
    async run({ open }) {
      const rates = await open()
      assert.deepEqual(await rates.take([ask('k', 2)], T), { ok: true })
      assert.deepEqual(await rates.take([ask('k', 2)], T + 100), { ok: true })
      assert.deepEqual(await rates.take([ask('k', 2)], T + 200), { ok: false, key: 'k', retryAfterMs: 59_800 })
      assert.deepEqual(await rates.take([ask('k', 2)], T + 59_999), { ok: false, key: 'k', retryAfterMs: 1 })
    },
  },
  {
    name: 'the window slides: each event is forgotten exactly when its own time is over',
    async run({ open }) {
      const rates = await open()
      for (const at of [0, 30_000]) await rates.take([ask('k', 2)], T + at)
      assert.deepEqual(await rates.take([ask('k', 2)], T + 60_000), { ok: true })
      assert.deepEqual(await rates.take([ask('k', 2)], T + 60_001), { ok: false, key: 'k', retryAfterMs: 29_999 })
    },
  },
  {
    name: 'a take over several windows takes from all or from none, and names the one with the longest wait',
    async run({ open }) {
      const rates = await open()
      await rates.take([ask('soon', 1)], T)
      await rates.take([ask('late', 1)], T + 10_000)
      const both = [ask('free', 1), ask('soon', 1), ask('late', 1)]
      assert.deepEqual(await rates.take(both, T + 20_000), { ok: false, key: 'late', retryAfterMs: 50_000 })
      assert.deepEqual(await rates.take([ask('free', 1)], T + 20_000), { ok: true })
    },
  },
  {
    name: 'a cost of 0 asks whether anything is left and takes nothing',
    async run({ open }) {
      const rates = await open()
      for (let i = 0; i < 3; i++) assert.deepEqual(await rates.take([ask('k', 1, 0)], T), { ok: true })
      await rates.take([ask('k', 1)], T)
      assert.deepEqual(await rates.take([ask('k', 1, 0)], T), { ok: false, key: 'k', retryAfterMs: 60_000 })
    },
  },
  {
    name: 'a limit of 0 refuses all, and a cost above the limit never fits',
    async run({ open }) {
      const rates = await open()
      assert.equal((await rates.take([ask('zero', 0)], T)).ok, false)
      assert.equal((await rates.take([ask('zero', 0, 0)], T)).ok, false)
      assert.equal((await rates.take([ask('small', 5, 6)], T)).ok, false)
      assert.deepEqual(await rates.take([ask('small', 5, 5)], T), { ok: true })
    },
  },
  {
    name: 'what is added afterwards is never refused, counts, and may pass the limit',
    async run({ open }) {
      const rates = await open()
      await rates.add('k', 70, 60_000, T)
      await rates.add('k', 50, 60_000, T + 10)
      assert.deepEqual(await rates.take([ask('k', 100, 0)], T + 10), { ok: false, key: 'k', retryAfterMs: 59_990 })
      assert.deepEqual(await rates.take([ask('k', 100, 50)], T + 60_000), { ok: true })
    },
  },
  {
    name: 'keys do not know each other',
    async run({ open }) {
      const rates = await open()
      await rates.take([ask('a', 1)], T)
      assert.deepEqual(await rates.take([ask('b', 1)], T), { ok: true })
    },
  },
  {
    name: 'two processes never both get the last one',
    async run({ open }) {
      const handles = [await open(), await open()]
      const takes = Array.from({ length: 20 }, async (_, i) => await handles[i % 2]!.take([ask('k', 7)], T + i))
      assert.equal((await Promise.all(takes)).filter(({ ok }) => ok).length, 7)
    },
  },
  {
    name: 'a clock that was set back keeps nobody out for longer than a window',
    async run({ open }) {
      const rates = await open()
      await rates.take([ask('k', 1)], T)
      await rates.take([ask('k', 1)], T - 3_600_000)
      assert.deepEqual(await rates.take([ask('k', 1)], T - 3_600_000 + 60_000), { ok: true })
    },
  },
]
