import assert from 'node:assert/strict'
import type { Amount, Capacity } from '../amount.js'
import type { Ask, BudgetStore, Entry, PoolAsk, PoolState, ReserveRequest } from '../budget/store.js'
import type { PoolTerms } from '../budget/terms.js'
import { type ErrorDetails, HooshError } from '../errors.js'
import type { Window } from '../options.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface BudgetHarness {
  /** Another handle on the same ledger, as another process would have it; at first the ledger is empty. */
  open(): Awaitable<BudgetStore>
  /** The clock of the leases, which the cases also take for the gateway's. */
  now(): number
  /** Lets that clock run on. */
  advance(ms: number): Awaitable<void>
}

/** A promise of `BudgetStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface BudgetCase {
  readonly name: string
  run(harness: BudgetHarness): Promise<void>
}

export const LEASE_MS = 60_000

export const none: Amount = { tokens: 0, nanoUsd: 0 }

export const tokens = (count: number): Amount => ({ tokens: count, nanoUsd: 0 })

export function termsOf(capacity: Capacity, window: Window = null): PoolTerms {
  return { capacity, window, timeZone: 'UTC', unpriced: 'refuse' }
}

export function pool(name: string, capacity: Capacity, window: Window = null): PoolAsk {
  return { name, terms: termsOf(capacity, window) }
}

/** An ask for exactly so much. */
export function exactly(fixed: Amount): Ask {
  return { fixed, each: none, floor: 0, wish: 0, atMost: 0 }
}

/** Holds `count` tokens (or what `more` says) for `ann`, as a call of ours. */
export async function reserve(
  harness: BudgetHarness,
  store: Pick<BudgetStore, 'reserve'>,
  id: string,
  pools: readonly PoolAsk[],
  count: number,
  more: Partial<ReserveRequest> = {},
) {
  const ask = exactly(tokens(count))
  const now = harness.now()
  const request = { id, owner: 'ann', phase: 'sent', pools, ask, leaseMs: LEASE_MS, now, onExpire: 'charge' } as const
  return await store.reserve({ ...request, ...more })
}

/** The figures of one pool that no override changes. */
export async function stateOf(harness: BudgetHarness, store: BudgetStore, asked: PoolAsk): Promise<PoolState> {
  const [state] = await store.read([asked], harness.now())
  assert.ok(state !== undefined, 'read answers one state per pool')
  return state
}

/** Asserts what a pool has used and holds, in tokens. */
export async function assertTokens(
  harness: BudgetHarness,
  store: BudgetStore,
  asked: PoolAsk,
  expected: { used: number; held: number },
): Promise<void> {
  const { used, held } = await stateOf(harness, store, asked)
  assert.deepEqual({ used: used.tokens, held: held.tokens }, expected)
}

/** The code that a call is refused with, and its details; a call that succeeds fails the case. */
export async function refusal(call: () => Awaitable<unknown>): Promise<{ code: string; details: ErrorDetails }> {
  try {
    await call()
  } catch (thrown) {
    assert.ok(thrown instanceof HooshError, `only HooshErrors are thrown, not ${String(thrown)}`)
    return { code: thrown.code, details: thrown.details }
  }
  return assert.fail('a refusal was expected')
}

export async function assertRefused(code: string, call: () => Awaitable<unknown>): Promise<void> {
  assert.equal((await refusal(call)).code, code)
}

/** Runs calls at the same time and tells what each came to: `ok` or the code of its error. */
export async function race(calls: readonly (() => Awaitable<unknown>)[]): Promise<string[]> {
  const outcomes = calls.map(async (call) => {
    try {
      await call()
      return 'ok'
    } catch (thrown) {
      if (thrown instanceof HooshError) return thrown.code
      throw thrown
    }
  })
  return (await Promise.all(outcomes)).sort()
}

/** Every entry of a pool, oldest first, read in pages of two. */
export async function allEntries(store: BudgetStore, name: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (;;) {
    const before = entries.at(-1)?.id
    const page = await store.entries(name, { limit: 2, ...(before !== undefined && { before }) })
    entries.push(...page)
    assert.ok(page.length <= 2, 'a page has at most as many entries as it was asked for')
    assert.equal(new Set(entries.map(({ id }) => id)).size, entries.length, 'no entry is told twice')
    if (page.length < 2) return entries.reverse()
  }
}
