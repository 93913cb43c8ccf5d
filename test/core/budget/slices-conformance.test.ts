import { randomUUID } from 'node:crypto'
import { budgetStoreCases } from '@hoosh/core/conformance'
import { memoryBudgets, type Slices, slicedBudgets } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'

const LEASE_MS = 60_000
const BEAT_MS = 20_000

const harness = (processes: number) => {
  const clock = fakeClock(1_700_000_000_000)
  const store = memoryBudgets({ clock: clock.now })
  const options = {
    store,
    pools: ['*'],
    clock: clock.now,
    leaseMs: LEASE_MS,
    onExpire: 'charge',
    ids: randomUUID,
  } as const
  const running: Slices[] = Array.from({ length: processes }, () => slicedBudgets(options))
  let opened = 0
  return {
    open: () => running[opened++ % processes]!.budgets,
    now: clock.now,
    async advance(ms: number) {
      for (let left = ms; left > 0; left -= BEAT_MS) {
        clock.advance(Math.min(left, BEAT_MS))
        for (const slices of running) await slices.beat()
      }
    },
  }
}

/** Entries tell of slices, not of calls: these cases read both off them, as do those of clock steps. */
const IN_ENTRIES = [
  'a settle after the expiry is a correction of what that charged, up or down, once',
  'the same settle from two processes charges once, two different ones never both',
  'a settle and a release at once: one of them ends the hold',
  'a settle that meets the expiry of its hold charges the truth, whichever comes first',
  'the entries of a pool come newest first, in pages, and add up to what it has used',
  'an entry says what it is about, in both units, in the window that was charged, and when',
  'a settle that comes after an expiry corrects the other pools of its hold, and the entries of a forgotten one',
]

/** A call is known to its own process alone: no other can repeat, settle or expire it; nor are overrides known at once. */
const IN_ONE_PROCESS = [
  'the same reserve again holds nothing more and has the first answer with the figures of now',
  'the same settle again has the same outcome and charges nothing; with another amount it is a conflict',
  'a hold ends when its lease is over and not before, is charged in full, and is told of once',
  'an expired call comes with a usage record that costs what it was charged; a hold of the host has none',
  'the same reserve from two processes holds once, and both are granted',
  'the same id for two owners at once is given to one of them',
  'of a reserve and a forget at the same time, either the pool is gone or the hold is there',
]

/** A refund names a reservation of the storage, and calls in slices are none; what an account was charged is in its entries. */
const OF_REFUNDS = [
  'a refund goes to all pools of the reservation and the windows that were charged, as an entry in each',
  'a refund answers how the pools stand after it, as a read says it, frozen ones as well',
  'a refund that comes twice by one id is one; with other values it is a conflict',
  'refunds from many processes never give back more than was charged',
  'only what was charged is given back: nothing of a hold, of a release, or of what never was',
  'a call that expired may be refunded; a settle after that corrects what is still charged, and not below nothing',
]

/**
 * That a credit is there at all tells the storage, and of what another window's hold took of it nothing is told before it ends. What
 * a slice took of credits goes back to them when it ends, not with each of its calls: till then the window has as much more.
 */
const OF_CREDITS = [
  'a hold that is overdue in another window gives back to the credits of its pool as well',
  'every step answers how its pools stand after it, in the order they were asked for, as a read says it',
]

/** One for each kind of window and change of clocks. */
const ofClockSteps = ({ name }: { readonly name: string }) => name.startsWith("however the gateway's clock steps,")

const casesBut = (givenUp: readonly string[]) =>
  budgetStoreCases.filter((one) => !givenUp.includes(one.name) && !ofClockSteps(one))

describe('slices of one process keep every promise of a ledger but an entry and a refund a call', () => {
  it.each(casesBut([...IN_ENTRIES, ...OF_REFUNDS, ...OF_CREDITS]))('$name', async ({ run }) => run(harness(1)))
})

describe('slices of two keep those about their own calls, and about the pool', () => {
  it.each(casesBut([...IN_ENTRIES, ...OF_REFUNDS, ...OF_CREDITS, ...IN_ONE_PROCESS]))('$name', async ({ run }) =>
    run(harness(2)),
  )
})

it('what is given up are promises that there are', () => {
  const names = budgetStoreCases.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining([...IN_ENTRIES, ...OF_REFUNDS, ...OF_CREDITS, ...IN_ONE_PROCESS]))
})
