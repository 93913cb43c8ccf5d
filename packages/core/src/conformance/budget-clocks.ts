import assert from 'node:assert/strict'
import type { PoolTerms } from '../budget/terms.js'
import { windowAt } from '../budget/window.js'
import { allEntries, type BudgetCase, exactly, LEASE_MS, reserve, tokens } from './budget-harness.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What the gateway's clock says one after the other, seen from a moment at which something changes. */
const STEPS = [0, HOUR, -HOUR, -1, DAY, 1, -DAY, HOUR / 2]

/** The moment at which clocks are put forward or back, or a window begins. */
const CHANGES: readonly [what: string, window: 'hour' | 'day' | 'week' | 'month', timeZone: string, at: string][] = [
  ['where an hour is left out', 'day', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['where an hour comes twice', 'hour', 'Europe/Berlin', '2026-10-25T01:00:00Z'],
  ['where half an hour comes twice', 'hour', 'Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['where clocks go back at 24:00', 'day', 'Africa/Cairo', '2026-10-29T21:00:00Z'],
  ['where the day begins at one', 'week', 'America/Asuncion', '2023-10-01T04:00:00Z'],
  ['at the end of a month', 'month', 'Asia/Kathmandu', '2026-11-30T18:15:00Z'],
]

/** Clocks that step, and are put forward and back. */
export const budgetClockCases: readonly BudgetCase[] = [
  ...CHANGES.map(([what, window, timeZone, at]): BudgetCase => {
    return {
      name: `however the gateway's clock steps, each hold is in the one window it was taken in, ${what}`,
      async run(harness) {
        const store = await harness.open()
        const terms: PoolTerms = { capacity: { tokens: 10_000 }, window, timeZone, unpriced: 'refuse' }
        const zoned = { name: 'zoned', terms }
        const calls = STEPS.map((step, index) => ({ id: `r${index}`, used: 12 + index, now: Date.parse(at) + step }))
        const used = new Map<number, number>()
        for (const call of calls) {
          const { start, end } = windowAt(terms, call.now)
          const { pools } = await reserve(harness, store, call.id, [zoned], call.used - 2, { now: call.now })
          assert.deepEqual([pools[0]?.windowStart, pools[0]?.windowEnd], [start, end])
          used.set(start, (used.get(start) ?? 0) + call.used)
        }
        for (const { id } of calls) await store.extend(id, exactly(tokens(2)))
        for (const call of [...calls].reverse()) {
          const { pools } = await store.settle(call.id, tokens(call.used))
          assert.equal(pools[0]?.windowStart, windowAt(terms, call.now).start)
        }
        for (const [start, sum] of used) {
          const [state] = await store.read([zoned], start)
          assert.deepEqual([state?.used, state?.held], [tokens(sum), tokens(0)])
        }
        const entries = await allEntries(store, zoned.name)
        assert.deepEqual(
          entries.map(({ reservation, windowStart, amount }) => [reservation, windowStart, amount.tokens]).sort(),
          calls.map(({ id, now, used: all }) => [id, windowAt(terms, now).start, all]).sort(),
        )
      },
    }
  }),
  ...[HOUR, DAY].map((step): BudgetCase => {
    return {
      name: `the clock steps ahead by ${step / HOUR} h: a running call is charged once, in the window it began in`,
      async run(harness) {
        const store = await harness.open()
        const terms: PoolTerms = { capacity: { tokens: 100 }, window: 'hour', timeZone: 'UTC', unpriced: 'refuse' }
        const hourly = { name: 'hourly', terms }
        const began = harness.now()
        await reserve(harness, store, 'r', [hourly], 50)
        await harness.advance(step)
        const { expired } = await reserve(harness, store, 's', [hourly], 100)
        assert.deepEqual(
          expired.map(({ id, charged }) => [id, charged.tokens]),
          [['r', 50]],
        )
        assert.deepEqual(await store.renew([{ id: 'r', counted: tokens(20) }], LEASE_MS), ['r'])
        const { outcome, pools } = await store.settle('r', tokens(20))
        assert.deepEqual([outcome, pools[0]?.windowStart], ['corrected', windowAt(terms, began).start])
        await store.settle('s', tokens(90))
        const states = [await store.read([hourly], began), await store.read([hourly], began + step)]
        assert.deepEqual(
          states.map(([state]) => [state?.used.tokens, state?.held.tokens]),
          [
            [20, 0],
            [90, 0],
          ],
        )
      },
    }
  }),
]
