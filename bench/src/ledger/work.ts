import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { poolTerms } from '../../../packages/core/dist/budget/spec.js'
import type { BudgetStore } from '../../../packages/core/dist/budget/store.js'

/** One call: reserve and settle, on the pool of that number. A promise where the store has to be waited for. */
export type One = (pool: number) => unknown

/** Callers at the same time, of one process. */
const CALLERS = 32
const WARM_UP_MS = 500
/** Node compiles what it has run often; a slow store is not waited for longer than that. */
const WARM_UP_CALLS = 30_000
const LONGEST_WARM_UP_MS = 2_000
/** Sockets and timers have their turn as often, where a store answers without waiting for anything. */
const TURN_EVERY = 100

/** 100 tokens of prompt and up to 900 of output are held, 400 are used: what a store is asked for by a call of ours. */
const ask = {
  fixed: { tokens: 100, nanoUsd: 15_000 },
  each: { tokens: 1, nanoUsd: 600 },
  floor: 16,
  wish: 900,
  atMost: 900,
}
const actual = { tokens: 400, nanoUsd: 195_000 }
const terms = poolTerms({ tokens: 1e15, usd: 4_000_000, window: 'month' })

/** Calls on a store, in names that no other run has used. */
export function callsOn(store: BudgetStore, pools: number): One {
  const run = randomUUID().slice(0, 8)
  const asks = Array.from({ length: pools }, (_, index) => [{ name: `bench:${run}:${index}`, terms }])
  let call = 0
  return (pool) => {
    const id = `${run}-${call++}`
    const granting = store.reserve({
      id,
      owner: 'bench',
      phase: 'sent',
      pools: asks[pool]!,
      ask,
      leaseMs: 60_000,
      now: Date.now(),
      onExpire: 'charge',
    })
    return granting instanceof Promise ? granting.then(() => store.settle(id, actual)) : store.settle(id, actual)
  }
}

/** Calls a second: all callers at once, for so long. */
export async function perSecond(one: One, pools: number, ms: number): Promise<number> {
  await run(
    one,
    pools,
    (passed, calls) => passed > LONGEST_WARM_UP_MS || (passed > WARM_UP_MS && calls > WARM_UP_CALLS),
  )
  return run(one, pools, (passed) => passed > ms)
}

async function run(one: One, pools: number, isOver: (passedMs: number, calls: number) => boolean): Promise<number> {
  const from = performance.now()
  let calls = 0
  const caller = async () => {
    while (!isOver(performance.now() - from, calls)) {
      // A stride that is prime to the number of pools meets them all.
      const answer = one((calls++ * 7_919) % pools)
      if (answer instanceof Promise) await answer
      if (calls % TURN_EVERY === 0) await turn()
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (calls / (performance.now() - from)) * 1_000
}
