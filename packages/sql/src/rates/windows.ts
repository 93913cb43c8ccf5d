import type { RateAnswer, RateAsk, RateWindow } from '@hoosh/core/storage'

/** Steps a window is kept in: events of one step share a row. Up to a minute a step is a millisecond, so exact. */
const STEPS = 60_000

/** An event of one step: until it is over, `cost` counts. */
export interface Event {
  readonly slot: number
  at: number
  cost: number
}

/** A window as a transaction has found it, and what it changes. */
export interface Window {
  readonly windowMs: number
  /** What all events add up to, those that are leaving too. */
  sum: number
  /** When the last of them is over. */
  overAt: number
  /** Events that are over by the end of this transaction, oldest first: for a step with an earlier clock they may count. */
  readonly leaving: readonly Event[]
  /** What is added to the events that are kept, by slot; negative where it was given back. */
  readonly added: Map<number, Event>
  /** Events that something may be given back from. */
  readonly given: ReadonlyMap<number, Event>
}

/** The step of a window that a moment belongs to. */
export function slotOf(windowMs: number, at: number): number {
  return Math.floor(at / Math.ceil(windowMs / STEPS))
}

/** A window that refused. How long to wait is known where what is kept has been looked at. */
export interface Refusal {
  readonly ask: RateAsk
  /** What has to go before there is room; Infinity where there never will be. */
  readonly excess: number
  readonly now: number
}

/** A take: granted, or what refused. */
export interface Taken {
  readonly refusals: readonly Refusal[]
  readonly windows: readonly RateWindow[]
  readonly at: number
}

/** Looks at every window before it takes from any. */
export function take(windows: ReadonlyMap<string, Window>, asks: readonly RateAsk[], now: number): Taken {
  const refusals: Refusal[] = []
  for (const ask of asks) {
    const needed = ask.mayPass === true ? 1 : Math.max(ask.cost, 1)
    const sum = sumAt(windows.get(ask.key)!, now)
    if (sum + needed <= ask.limit) continue
    const most = ask.limit - needed
    refusals.push({ ask, excess: most < 0 ? Number.POSITIVE_INFINITY : sum - most, now })
  }
  if (refusals.length === 0) for (const { key, cost } of asks) if (cost > 0) note(windows.get(key)!, cost, now)
  return { refusals, at: now, windows: asks.map((ask) => stateOf(windows.get(ask.key)!, ask, now)) }
}

function stateOf(window: Window, { limit }: RateAsk, now: number): RateWindow {
  return { remaining: Math.max(0, limit - sumAt(window, now)), resetMs: Math.max(0, window.overAt - now) }
}

function sumAt({ sum, leaving, windowMs }: Window, now: number): number {
  return leaving.reduce((rest, { at, cost }) => (at <= now - windowMs ? rest - cost : rest), sum)
}

export function note(window: Window, cost: number, now: number): void {
  const { windowMs, added } = window
  const slot = slotOf(windowMs, now)
  const event = added.get(slot)
  if (event === undefined) added.set(slot, { slot, at: now, cost })
  else {
    event.at = Math.max(event.at, now)
    event.cost += cost
  }
  window.sum += cost
  window.overAt = Math.max(window.overAt, now + windowMs)
}

/** Takes back from the event of that moment, as far as it goes. */
export function giveBack(window: Window, cost: number, at: number): void {
  const slot = slotOf(window.windowMs, at)
  const kept = window.given.get(slot)
  const added = window.added.get(slot)
  const isThere = Math.max(kept?.at ?? 0, added?.at ?? 0) >= at
  const back = isThere ? Math.min(cost, (kept?.cost ?? 0) + (added?.cost ?? 0)) : 0
  if (back <= 0) return
  if (added === undefined) window.added.set(slot, { slot, at: kept!.at, cost: -back })
  else added.cost -= back
  window.sum -= back
}

/**
 * How long until so much has gone, by the events that leave in this transaction and those that it adds.
 *
 * @param keptUntil when what is kept has gone far enough: the moment of the event with which `excess` is reached, null
 *   where it is not
 */
export async function waitFor(
  window: Window,
  { excess, now, ask: { windowMs } }: Refusal,
  keptUntil: (excess: number) => Promise<{ at: number | null; sum: number }>,
): Promise<number> {
  if (excess === Number.POSITIVE_INFINITY) return windowMs
  let left = excess
  for (const { at, cost } of window.leaving) {
    if (at <= now - windowMs) continue
    left -= cost
    if (left <= 0) return at + windowMs - now
  }
  const kept = await keptUntil(left)
  if (kept.at !== null) return kept.at + windowMs - now
  left -= kept.sum
  for (const { at, cost } of [...window.added.values()].sort((a, b) => a.at - b.at)) {
    left -= cost
    if (left <= 0) return at + windowMs - now
  }
  return windowMs
}

/** What a take comes to: of several windows that refuse, the one with the longest wait is named. */
export function answerOf({ refusals, windows, at }: Taken, waits: readonly number[]): RateAnswer {
  if (refusals.length === 0) return { ok: true, at, windows }
  const retryAfterMs = Math.max(...waits)
  return { ok: false, key: refusals[waits.indexOf(retryAfterMs)]!.ask.key, retryAfterMs, windows }
}
