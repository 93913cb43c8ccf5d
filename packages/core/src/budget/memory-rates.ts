import { memoryPlaces } from './memory-places.js'
import type { RateAnswer, RateAsk, RateStore, RateWindow } from './rates.js'

/** Steps a window is kept in: events of one step share an entry. Up to a minute a step is a millisecond, so exact. */
const STEPS = 60_000

/** What happened under one key, oldest first from `head`. */
interface Log {
  times: number[]
  costs: number[]
  head: number
  sum: number
}

/** What the rate windows in memory remember. */
export interface MemoryRateOptions {
  /** Keys that are remembered, 100,000 by default; of more the half that was longest not used is forgotten. */
  maxKeys?: number
}

/**
 * Rates of one process, in exact sliding windows: an event counts for `windowMs`, and at that very moment no more.
 *
 * Windows longer than a minute are kept in 60,000 steps, each counted until its last event is over, so never too short.
 * A key has at most 60,000 entries.
 */
export function memoryRates({ maxKeys = 100_000 }: MemoryRateOptions = {}): RateStore {
  // Two generations: when the younger is full it becomes the older, and what nobody has touched since is gone.
  let young = new Map<string, Log>()
  let old = new Map<string, Log>()
  const logOf = (key: string): Log => {
    let log = young.get(key)
    if (log !== undefined) return log
    log = old.get(key) ?? { times: [], costs: [], head: 0, sum: 0 }
    if (young.size >= Math.max(1, maxKeys / 2)) {
      old = young
      young = new Map()
    }
    young.set(key, log)
    return log
  }
  return {
    ...memoryPlaces(),
    take: (asks, now) => take(logOf, asks, now),
    add(key, cost, windowMs, now) {
      const log = logOf(key)
      forget(log, windowMs, now)
      note(log, cost, windowMs, now)
    },
    giveBack: (key, cost, windowMs, at) => takeBack(logOf(key), cost, windowMs, at),
  }
}

/** Looks at every window before it takes from any; of several that refuse, the one with the longest wait is named. */
function take(logOf: (key: string) => Log, asks: readonly RateAsk[], now: number): RateAnswer {
  let refusal: { key: string; retryAfterMs: number } | undefined
  for (const ask of asks) {
    const { key, limit, windowMs } = ask
    const log = logOf(key)
    forget(log, windowMs, now)
    const needed = ask.mayPass === true ? 1 : Math.max(ask.cost, 1)
    if (log.sum + needed <= limit) continue
    const retryAfterMs = waitFor(log, limit - needed, windowMs, now)
    if (refusal === undefined || retryAfterMs > refusal.retryAfterMs) refusal = { key, retryAfterMs }
  }
  if (refusal === undefined) {
    for (const { key, windowMs, cost } of asks) if (cost > 0) note(logOf(key), cost, windowMs, now)
  }
  const windows = asks.map((ask) => windowOf(logOf(ask.key), ask, now))
  return refusal === undefined ? { ok: true, at: now, windows } : { ok: false, ...refusal, windows }
}

function windowOf({ times, head, sum }: Log, { limit, windowMs }: RateAsk, now: number): RateWindow {
  const last = times.length - 1
  return { remaining: Math.max(0, limit - sum), resetMs: last < head ? 0 : times[last]! + windowMs - now }
}

/** Drops what is no longer in the window. */
function forget(log: Log, windowMs: number, now: number): void {
  const { times, costs } = log
  if (log.head < times.length && times.at(-1)! > now) bringBack(log, windowMs, now)
  while (log.head < times.length && times[log.head]! <= now - windowMs) log.sum -= costs[log.head++]!
  if (log.head === 0 || log.head * 2 < times.length) return
  times.splice(0, log.head)
  costs.splice(0, log.head)
  log.head = 0
}

/** A clock that was set back must not keep what happened "later" for longer than a window: it is one event of now. */
function bringBack(log: Log, windowMs: number, now: number): void {
  const { times, costs } = log
  let later = 0
  while (log.head < times.length && times.at(-1)! > now) {
    times.pop()
    later += costs.pop()!
  }
  log.sum -= later
  note(log, later, windowMs, now)
}

function note(log: Log, cost: number, windowMs: number, now: number): void {
  const { times, costs } = log
  const step = Math.ceil(windowMs / STEPS)
  const last = times.length - 1
  log.sum += cost
  if (last >= log.head && Math.floor(times[last]! / step) === Math.floor(now / step)) {
    times[last] = now
    costs[last]! += cost
    return
  }
  times.push(now)
  costs.push(cost)
}

/** Looks from the latest on: what is given back was taken a moment ago, mostly. */
function takeBack(log: Log, cost: number, windowMs: number, at: number): void {
  const { times, costs } = log
  const step = Math.ceil(windowMs / STEPS)
  for (let index = times.length - 1; index >= log.head && times[index]! >= at; index--) {
    if (Math.floor(times[index]! / step) !== Math.floor(at / step)) continue
    const back = Math.min(cost, costs[index]!)
    costs[index]! -= back
    log.sum -= back
    return
  }
}

/** Milliseconds until at most `most` is left in the window; a whole window where that can never be. */
function waitFor(log: Log, most: number, windowMs: number, now: number): number {
  if (most < 0) return windowMs
  let left = log.sum
  for (let at = log.head; at < log.times.length; at++) {
    left -= log.costs[at]!
    if (left <= most) return log.times[at]! + windowMs - now
  }
  return windowMs
}
