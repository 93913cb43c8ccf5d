import assert from 'node:assert/strict'
import type { RateAnswer, RateAsk, RateStore } from '../budget/rates.js'
import type { Awaitable } from '../time.js'
import { placeCases } from './places.js'

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

/** What an answer comes to: `ok`, or which window refused and for how long. */
const told = (answer: RateAnswer) => (answer.ok ? 'ok' : { key: answer.key, retryAfterMs: answer.retryAfterMs })

/** Every promise of `RateStore`. Each case wants a harness of its own, with nothing counted. */
export const rateStoreCases: readonly RateCase[] = [
  {
    name: 'a window takes as much as its limit, then says how long to wait',
    async run({ open }) {
      const rates = await open()
      assert.equal(told(await rates.take([ask('k', 2)], T)), 'ok')
      assert.equal(told(await rates.take([ask('k', 2)], T + 100)), 'ok')
      assert.deepEqual(told(await rates.take([ask('k', 2)], T + 200)), { key: 'k', retryAfterMs: 59_800 })
      assert.deepEqual(told(await rates.take([ask('k', 2)], T + 59_999)), { key: 'k', retryAfterMs: 1 })
    },
  },
  {
    name: 'a window is as long as it was asked for: a second, a minute, an hour',
    async run({ open }) {
      const rates = await open()
      for (const windowMs of [1_000, 60_000, 3_600_000]) {
        const [taken, added] = [`taken ${windowMs}`, `added ${windowMs}`]
        await rates.take([ask(taken, 1, 1, windowMs)], T + 500)
        await rates.add(added, 1, windowMs, T + 500)
        for (const key of [taken, added]) {
          const asked = [ask(key, 1, 0, windowMs)]
          assert.deepEqual(told(await rates.take(asked, T + 500)), { key, retryAfterMs: windowMs })
          assert.deepEqual(told(await rates.take(asked, T + 499 + windowMs)), { key, retryAfterMs: 1 })
          assert.equal(told(await rates.take(asked, T + 500 + windowMs)), 'ok')
        }
        const both = `both ${windowMs}`
        for (const at of [0, windowMs / 2]) await rates.add(both, 1, windowMs, T + at)
        const { windows } = await rates.take([ask(both, 5, 0, windowMs)], T + windowMs - 1)
        assert.equal(windows[0]?.remaining, 3)
      }
    },
  },
  {
    name: 'the window slides: each event is forgotten exactly when its own time is over',
    async run({ open }) {
      const rates = await open()
      for (const at of [0, 30_000]) await rates.take([ask('k', 2)], T + at)
      assert.equal(told(await rates.take([ask('k', 2)], T + 60_000)), 'ok')
      assert.deepEqual(told(await rates.take([ask('k', 2)], T + 60_001)), { key: 'k', retryAfterMs: 29_999 })
    },
  },
  {
    name: 'a take over several windows takes from all or from none, and names the one with the longest wait',
    async run({ open }) {
      const rates = await open()
      await rates.take([ask('soon', 1)], T)
      await rates.take([ask('late', 1)], T + 10_000)
      const both = [ask('free', 1), ask('soon', 1), ask('late', 1)]
      assert.deepEqual(told(await rates.take(both, T + 20_000)), { key: 'late', retryAfterMs: 50_000 })
      assert.equal(told(await rates.take([ask('free', 1)], T + 20_000)), 'ok')
    },
  },
  {
    name: 'a cost of 0 asks whether anything is left and takes nothing',
    async run({ open }) {
      const rates = await open()
      for (let i = 0; i < 3; i++) assert.equal(told(await rates.take([ask('k', 1, 0)], T)), 'ok')
      await rates.take([ask('k', 1)], T)
      assert.deepEqual(told(await rates.take([ask('k', 1, 0)], T)), { key: 'k', retryAfterMs: 60_000 })
    },
  },
  {
    name: 'a limit of 0 refuses all, and a cost above the limit never fits',
    async run({ open }) {
      const rates = await open()
      assert.equal((await rates.take([ask('zero', 0)], T)).ok, false)
      assert.equal((await rates.take([ask('zero', 0, 0)], T)).ok, false)
      assert.equal((await rates.take([ask('small', 5, 6)], T)).ok, false)
      assert.equal(told(await rates.take([ask('small', 5, 5)], T)), 'ok')
    },
  },
  {
    name: 'what is added afterwards is never refused, counts, and may pass the limit',
    async run({ open }) {
      const rates = await open()
      await rates.add('k', 70, 60_000, T)
      await rates.add('k', 50, 60_000, T + 10)
      assert.deepEqual(told(await rates.take([ask('k', 100, 0)], T + 10)), { key: 'k', retryAfterMs: 59_990 })
      assert.equal(told(await rates.take([ask('k', 100, 50)], T + 60_000)), 'ok')
    },
  },
  {
    name: 'keys do not know each other',
    async run({ open }) {
      const rates = await open()
      await rates.take([ask('a', 1)], T)
      assert.equal(told(await rates.take([ask('b', 1)], T)), 'ok')
      await rates.add('c', 1, 60_000, T)
      assert.equal(told(await rates.take([ask('d', 1, 0)], T)), 'ok')
      assert.deepEqual(told(await rates.take([ask('c', 1, 0)], T)), { key: 'c', retryAfterMs: 60_000 })
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
      assert.equal(told(await rates.take([ask('k', 1)], T - 3_600_000 + 60_000)), 'ok')
    },
  },
  {
    name: 'an answer says what each window still gives and when it is empty, granted or not, in the order asked',
    async run({ open }) {
      const rates = await open()
      const both = [ask('wide', 10, 4), ask('narrow', 5, 3)]
      const first = await rates.take(both, T)
      const windows = [
        { remaining: 6, resetMs: 60_000 },
        { remaining: 2, resetMs: 60_000 },
      ]
      assert.deepEqual(first, { ok: true, at: T, windows })
      const second = await rates.take(both, T + 10_000)
      const later = windows.map(({ remaining }) => ({ remaining, resetMs: 50_000 }))
      assert.deepEqual(second, { ok: false, key: 'narrow', retryAfterMs: 50_000, windows: later })
      const asked = await rates.take([ask('new', 3, 0)], T)
      assert.deepEqual(asked.windows, [{ remaining: 3, resetMs: 0 }])
    },
  },
  {
    name: 'what may pass the limit is granted while anything is left, and counts in full',
    async run({ open }) {
      const rates = await open()
      const large = { ...ask('k', 100, 250), mayPass: true } as const
      assert.deepEqual((await rates.take([large], T)).windows, [{ remaining: 0, resetMs: 60_000 }])
      assert.deepEqual(told(await rates.take([large], T + 1)), { key: 'k', retryAfterMs: 59_999 })
      assert.equal(told(await rates.take([{ ...large, cost: 99 }], T + 60_000)), 'ok')
      assert.equal(told(await rates.take([large], T + 60_000)), 'ok')
      assert.equal(told(await rates.take([{ ...large, limit: 0 }], T + 200_000)) === 'ok', false)
    },
  },
  {
    name: 'what is given back is free again, once, and never more than was taken',
    async run({ open }) {
      const rates = await open()
      const taken = await rates.take([ask('k', 100, 80)], T)
      assert.ok(taken.ok)
      await rates.take([ask('k', 100, 10)], T + 1_000)
      await rates.giveBack('k', 50, 60_000, taken.at)
      assert.deepEqual((await rates.take([ask('k', 100, 0)], T + 1_000)).windows, [{ remaining: 60, resetMs: 60_000 }])
      await rates.giveBack('k', 500, 60_000, taken.at)
      assert.deepEqual((await rates.take([ask('k', 100, 0)], T + 1_000)).windows, [{ remaining: 90, resetMs: 60_000 }])
      await rates.giveBack('never', 5, 60_000, taken.at)
      assert.deepEqual((await rates.take([ask('never', 5, 0)], T)).windows, [{ remaining: 5, resetMs: 0 }])
    },
  },
  {
    name: 'it is given back to its own key and moment, in windows of any length',
    async run({ open }) {
      const rates = await open()
      for (const windowMs of [60_000, 3_600_000]) {
        const key = `of ${windowMs}`
        const first = await rates.take([ask(key, 100, 40, windowMs), ask('k', 100, 40, windowMs)], T)
        const second = await rates.take([ask(key, 100, 50, windowMs)], T + 30_000)
        assert.ok(first.ok && second.ok)
        await rates.giveBack(key, 50, windowMs, second.at)
        const left = async (asked: string, at: number) => {
          return (await rates.take([ask(asked, 100, 0, windowMs)], at)).windows[0]?.remaining
        }
        assert.deepEqual([await left(key, T + 30_000), await left('k', T + 30_000)], [60, 60])
        assert.deepEqual([await left(key, T + windowMs), await left('k', T + windowMs)], [100, 100])
      }
    },
  },
  {
    name: 'what was taken side by side within one step of a long window is given back all the same',
    async run({ open }) {
      const rates = await open()
      const taken = await rates.take([ask('k', 100, 10, 3_600_000)], T)
      await rates.take([ask('k', 100, 20, 3_600_000)], T + 10)
      assert.ok(taken.ok)
      await rates.giveBack('k', 10, 3_600_000, taken.at)
      assert.equal((await rates.take([ask('k', 100, 0, 3_600_000)], T + 10)).windows[0]?.remaining, 80)
    },
  },
  {
    name: 'what has left the window is not given back a second time',
    async run({ open }) {
      const rates = await open()
      const taken = await rates.take([ask('k', 100, 80)], T)
      assert.ok(taken.ok)
      await rates.take([ask('k', 100, 90)], T + 60_000)
      await rates.giveBack('k', 80, 60_000, taken.at)
      const { windows } = await rates.take([ask('k', 100, 0)], T + 60_000)
      assert.equal(windows[0]?.remaining, 10)
    },
  },
  ...placeCases,
]
