import { type BudgetStore, memoryBudgets, nothing } from '@hoosh/core/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqliteFile } from '../../support/sqlite.js'
import type { Model } from './model.js'
import { commands, IDS, type Real } from './model-commands.js'

const START = Date.UTC(2026, 10, 24, 10, 59)
const { HOOSH_LONG, HOOSH_SEED } = process.env

/** A failure prints its seed; with that in HOOSH_SEED it comes again. */
const runs = (usual: number) => ({
  numRuns: HOOSH_LONG === undefined ? usual : usual * 20,
  ...(HOOSH_SEED !== undefined && { seed: Number(HOOSH_SEED) }),
})

const termsOf = (tokens: number, window: 'hour' | 'week' | null) => {
  return { capacity: { tokens }, window, timeZone: 'UTC', unpriced: 'refuse' as const }
}

/** A ledger for each run, empty as far as the run can see. */
const started = (handles: readonly BudgetStore[], clock: { now: number }, run = ''): { model: Model; real: Real } => {
  clock.now = START
  const templates = { lifetime: termsOf(90, null), hourly: termsOf(60, 'hour'), weekly: termsOf(75, 'week') }
  return {
    model: { now: START, overrides: new Map(), templates: new Map(), reservations: new Map(), entries: [] },
    real: { handles, clock, templates, run },
  }
}

const inMemory = (spoil: (store: BudgetStore) => BudgetStore = (store) => store) =>
  fc.asyncProperty(commands, async (cmds) => {
    const clock = { now: START }
    const store = spoil(memoryBudgets({ clock: () => clock.now }))
    await fc.asyncModelRun(() => started([store], clock), cmds)
  })

describe('any interleaving of operations leaves what the definition of a ledger says', () => {
  it('in memory', () => fc.assert(inMemory(), runs(150)))

  const clock = { now: START }
  const sqlite = sqliteFile({ clock: () => clock.now })
  const handles: BudgetStore[] = []
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) handles.push((await sqlite.open()).budgets)
  })
  afterAll(() => sqlite.remove())

  it('on SQLite, through two handles at once', { timeout: 600_000 }, async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(commands, async (cmds) => {
        const setup = started(handles, clock, `${run++}:`)
        try {
          await fc.asyncModelRun(() => setup, cmds)
        } finally {
          // What a run leaves open must not be overdue in the next.
          await Promise.allSettled(IDS.map(async (id) => handles[0]!.settle(setup.real.run + id, nothing)))
        }
      }),
      runs(30),
    )
  })
})

describe('a store that keeps a rule wrongly is found out, with a seed that finds it again', () => {
  it.each<[string, (store: BudgetStore) => BudgetStore]>([
    [
      'holds in the first pool only',
      (store) => ({ ...store, reserve: (ask) => store.reserve({ ...ask, pools: ask.pools.slice(0, 1) }) }),
    ],
    [
      'charges an expiry by what was counted',
      (store) => ({ ...store, expire: (policy) => store.expire({ ...policy, onExpire: 'counted' }) }),
    ],
    [
      'forgets what a heartbeat counted',
      (store) => ({
        ...store,
        renew: (running, leaseMs) =>
          store.renew(
            running.map((one) => ({ ...one, counted: nothing })),
            leaseMs,
          ),
      }),
    ],
    ['ends a hold at zero where it is settled', (store) => ({ ...store, settle: (id) => store.release(id) })],
    ['does not hear of overrides', (store) => ({ ...store, define: () => {} })],
  ])('%s', async (_rule, spoil) => {
    const found = await fc.check(inMemory(spoil), { numRuns: 150, endOnFailure: true })
    expect(found.failed).toBe(true)
    const report = String(await fc.asyncDefaultReportMessage(found))
    expect(report).toContain(`seed: ${found.seed}`)
    const again = await fc.check(inMemory(spoil), { numRuns: 150, endOnFailure: true, seed: found.seed })
    expect(String(again.counterexample)).toBe(String(found.counterexample))
  })
})
