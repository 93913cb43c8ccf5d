import { type BudgetStore, memoryBudgets, nothing } from '@hoosh/core/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqliteFile } from '../../support/sqlite.js'
import { onNewLedgers, onOneLedger, SEQUENCES, SEQUENCES_MS } from './model-runs.js'

const inMemory = (spoil: (store: BudgetStore) => BudgetStore = (store) => store) =>
  onNewLedgers((clock) => spoil(memoryBudgets({ clock })))

describe('any interleaving of operations leaves what the definition of a ledger says', () => {
  it('in memory', { timeout: SEQUENCES_MS }, () => fc.assert(inMemory(), SEQUENCES))

  const clock = { now: 0 }
  const sqlite = sqliteFile({ clock: () => clock.now })
  const handles: BudgetStore[] = []
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1) handles.push((await sqlite.open()).budgets)
  })
  afterAll(() => sqlite.remove())

  it('on SQLite, through two handles at once', { timeout: SEQUENCES_MS }, () =>
    fc.assert(onOneLedger(handles, clock), SEQUENCES),
  )
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
