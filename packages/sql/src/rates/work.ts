import type { Place, RateAsk, Staying } from '@hoosh/core/storage'
import type { Outcome, RunSteps } from '../batch.js'
import type { Connection } from '../connection.js'
import type { Dialect } from '../dialect.js'
import type { Runner } from '../statement.js'
import { BOUNDS, PLACE, type RateStatements, SLOT } from './statements.js'
import { answerOf, type Event, giveBack, note, slotOf, type Taken, take, type Window, waitFor } from './windows.js'

type Row = Record<string, unknown>

/** One operation of a rate store. */
export type RateStep =
  | { readonly do: 'take'; readonly asks: readonly RateAsk[]; readonly now: number }
  | {
      readonly do: 'add'
      readonly key: string
      readonly cost: number
      readonly windowMs: number
      readonly now: number
    }
  | {
      readonly do: 'giveBack'
      readonly key: string
      readonly cost: number
      readonly windowMs: number
      readonly at: number
    }
  | {
      readonly do: 'enter'
      readonly id: string
      readonly places: readonly Place[]
      readonly leaseMs: number
      readonly now: number
    }
  | { readonly do: 'stay'; readonly staying: readonly Staying[]; readonly leaseMs: number; readonly now: number }
  | { readonly do: 'leave'; readonly staying: Staying }

/** Who is in each room, and until when. */
type Rooms = ReadonlyMap<string, Map<string, number>>

interface State {
  readonly windows: Map<string, Window>
  readonly rooms: Rooms
  readonly entered: Map<string, readonly [key: string, id: string, until: number]>
  readonly left: Map<string, readonly [key: string, id: string]>
}

export interface RateParts {
  readonly connection: Connection
  readonly dialect: Dialect
  readonly sql: RateStatements
}

/** Runs the steps of one transaction: locks what they name, reads it, decides them in turn, writes what has changed. */
export function rateWork(parts: RateParts): RunSteps<RateStep> {
  return (steps) =>
    parts.connection.transaction(async (runner) => {
      await parts.sql.begin?.(runner)
      const state = await load(parts, runner, steps)
      const found = steps.map((step) => decide(state, step))
      const outcomes: Outcome[] = []
      for (const value of found) {
        outcomes.push({ value: isTaken(value) ? await answered(parts, runner, state, value) : value })
      }
      await save(parts, runner, state)
      for (const step of steps) if (step.do === 'stay') await renew(parts, runner, step)
      return outcomes
    })
}

/** A room has a row to be locked by, under a name that no window has. */
const roomKey = (key: string) => `places of ${key}`

/** By key the length of each window, and the latest moment that is spoken of. */
function windowsIn(steps: readonly RateStep[]): Map<string, { windowMs: number; now: number }> {
  const named = new Map<string, { windowMs: number; now: number }>()
  const add = (key: string, windowMs: number, now: number) =>
    named.set(key, { windowMs, now: Math.max(now, named.get(key)?.now ?? now) })
  for (const step of steps) {
    if (step.do === 'take') for (const { key, windowMs } of step.asks) add(key, windowMs, step.now)
    else if (step.do === 'add') add(step.key, step.windowMs, step.now)
  }
  for (const step of steps) {
    // The moment that something was taken says nothing of what is over now.
    if (step.do === 'giveBack' && !named.has(step.key)) add(step.key, step.windowMs, Number.POSITIVE_INFINITY)
  }
  return named
}

async function load({ dialect, sql }: RateParts, runner: Runner, steps: readonly RateStep[]): Promise<State> {
  const named = windowsIn(steps)
  const rooms = steps.flatMap((step) => (step.do === 'enter' ? step.places.map(({ key }) => key) : []))
  const keys = [...new Set([...named.keys(), ...rooms.map(roomKey)])]
  const rows = await sql.lock(runner, dialect.list(keys))
  const there = new Set(rows.map(({ key }) => String(key)))
  const missing = keys.filter((key) => !there.has(key))
  if (missing.length > 0) rows.push(...(await sql.create(runner, dialect.list(missing))))
  const sums = new Map(rows.map(({ key, sum, over_at }) => [String(key), [Number(sum), Number(over_at)] as const]))
  const windows = new Map<string, Window>()
  const dropped = await dropOver({ dialect, sql }, runner, steps, named)
  const given = await eventsToGive({ dialect, sql }, runner, steps)
  for (const [key, { windowMs, now }] of named) {
    const [sum, overAt] = sums.get(key)!
    const events = dropped.get(key) ?? []
    const window: Window = {
      windowMs,
      sum,
      // What is over stays so, though the clock be set back.
      overAt: overAt <= now && now !== Number.POSITIVE_INFINITY ? 0 : Math.min(overAt, now + windowMs),
      leaving: events.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at),
      added: new Map(),
      given: given.get(key) ?? new Map(),
    }
    for (const { at, cost } of events) {
      if (at <= now) continue
      // A clock that was set back must not keep what happened "later" for longer than a window.
      note(window, cost, now)
      window.sum -= cost
    }
    windows.set(key, window)
  }
  return { windows, rooms: await roomsOf({ dialect, sql }, runner, rooms), entered: new Map(), left: new Map() }
}

async function dropOver(
  { dialect, sql }: Pick<RateParts, 'dialect' | 'sql'>,
  runner: Runner,
  steps: readonly RateStep[],
  named: ReadonlyMap<string, { windowMs: number; now: number }>,
): Promise<Map<string, Event[]>> {
  const current = new Set(steps.flatMap((step) => keysOf(step)))
  const bounds = [...named]
    .filter(([key]) => current.has(key))
    .map(([key, { windowMs, now }]) => {
      return [key, slotOf(windowMs, now - windowMs), now - windowMs, slotOf(windowMs, now), now]
    })
  if (bounds.length === 0) return new Map()
  const parameters = dialect.rowsParameters(BOUNDS, bounds)
  return byKey(await sql.drop(runner, ...parameters, ...parameters))
}

function keysOf(step: RateStep): readonly string[] {
  if (step.do === 'take') return step.asks.map(({ key }) => key)
  return step.do === 'add' ? [step.key] : []
}

async function eventsToGive(
  { dialect, sql }: Pick<RateParts, 'dialect' | 'sql'>,
  runner: Runner,
  steps: readonly RateStep[],
): Promise<Map<string, Map<number, Event>>> {
  const wanted = steps.flatMap((step) =>
    step.do === 'giveBack' ? [[step.key, slotOf(step.windowMs, step.at)] as const] : [],
  )
  if (wanted.length === 0) return new Map()
  const found = byKey(await sql.eventsOf(runner, ...dialect.rowsParameters(SLOT, wanted)))
  return new Map([...found].map(([key, events]) => [key, new Map(events.map((event) => [event.slot, event]))]))
}

function byKey(rows: readonly Row[]): Map<string, Event[]> {
  const events = new Map<string, Event[]>()
  for (const { key, slot, at, cost } of rows) {
    const event = { slot: Number(slot), at: Number(at), cost: Number(cost) }
    const known = events.get(String(key))
    if (known === undefined) events.set(String(key), [event])
    else known.push(event)
  }
  return events
}

async function roomsOf(
  { dialect, sql }: Pick<RateParts, 'dialect' | 'sql'>,
  runner: Runner,
  keys: readonly string[],
): Promise<Rooms> {
  const rooms = new Map(keys.map((key) => [key, new Map<string, number>()]))
  if (rooms.size === 0) return rooms
  for (const { key, id, until } of await sql.placesIn(runner, dialect.list([...rooms.keys()]))) {
    rooms.get(String(key))!.set(String(id), Number(until))
  }
  return rooms
}

function decide(state: State, step: RateStep): unknown {
  switch (step.do) {
    case 'take':
      return take(state.windows, step.asks, step.now)
    case 'add':
      return note(state.windows.get(step.key)!, step.cost, step.now)
    case 'giveBack':
      return giveBack(state.windows.get(step.key)!, step.cost, step.at)
    case 'enter':
      return enter(state, step)
    case 'stay':
      return undefined
    case 'leave':
      for (const key of step.staying.keys) leave(state, key, step.staying.id)
  }
}

function isTaken(value: unknown): value is Taken {
  return typeof value === 'object' && value !== null && 'refusals' in value
}

async function answered({ sql }: RateParts, runner: Runner, { windows }: State, taken: Taken) {
  const waits: number[] = []
  for (const refusal of taken.refusals) {
    const { key } = refusal.ask
    const wait = await waitFor(windows.get(key)!, refusal, async (excess) => {
      const [row] = await sql.keptUntil(runner, excess, key)
      return { at: row?.at == null ? null : Number(row.at), sum: Number(row?.sum ?? 0) }
    })
    waits.push(wait)
  }
  return answerOf(taken, waits)
}

function enter(state: State, { id, places, leaseMs, now }: Extract<RateStep, { do: 'enter' }>): string | null {
  for (const { key, limit } of places) {
    const room = state.rooms.get(key)!
    if (room.has(id) || room.size < limit) continue
    // Who did not renew is only looked for where the room is full.
    for (const [other, until] of room) if (until <= now) leave(state, key, other)
    if (room.size >= limit) return key
  }
  for (const { key } of places) {
    state.rooms.get(key)!.set(id, now + leaseMs)
    const place = JSON.stringify([key, id])
    state.left.delete(place)
    state.entered.set(place, [key, id, now + leaseMs])
  }
  return null
}

function leave({ rooms, entered, left }: State, key: string, id: string): void {
  rooms.get(key)?.delete(id)
  const place = JSON.stringify([key, id])
  entered.delete(place)
  left.set(place, [key, id])
}

async function save({ dialect, sql }: RateParts, runner: Runner, state: State): Promise<void> {
  const events: unknown[][] = []
  const sums: unknown[][] = []
  for (const [key, { sum, overAt, leaving, added }] of state.windows) {
    for (const { slot, at, cost } of added.values()) events.push([key, slot, at, cost])
    sums.push([key, leaving.reduce((rest, { cost }) => rest - cost, sum), overAt])
  }
  for (const [key, , until] of state.entered.values()) sums.push([roomKey(key), 0, until])
  await sql.addEvents(runner, events)
  await sql.saveRates(runner, lastOf(sums))
  await sql.enter(runner, [...state.entered.values()])
  if (state.left.size > 0) await sql.leave(runner, ...dialect.rowsParameters(PLACE, [...state.left.values()]))
}

/** One row a key. */
function lastOf(rows: readonly unknown[][]): unknown[][] {
  return [...new Map(rows.map((row) => [row[0], row])).values()]
}

async function renew(
  { sql }: RateParts,
  runner: Runner,
  { staying, leaseMs, now }: Extract<RateStep, { do: 'stay' }>,
): Promise<void> {
  const rows = staying.flatMap(({ id, keys }) => keys.map((key) => [key, id, now + leaseMs]))
  await sql.stay(runner, rows)
}
