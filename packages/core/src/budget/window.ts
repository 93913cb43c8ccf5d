import { HooshError } from '../errors.js'
import type { PoolTerms } from './terms.js'

/** A span of a pool's budget: `start` inclusive, `end` exclusive, milliseconds since the epoch. A lifetime never ends. */
export interface Interval {
  readonly start: number
  readonly end: number | null
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
const LIFETIME: Interval = Object.freeze({ start: 0, end: null })

type Named = 'hour' | 'day' | 'week' | 'month'
type Ended = Interval & { readonly end: number }
interface Zone {
  readonly offset: (at: number) => number
  /** The interval found last, by window: until it ends, the answer is a comparison. */
  readonly last: Partial<Record<Named, Ended>>
}

/** Pure results by zone name. Emptied when full, so that no stream of odd spellings fills the memory. */
const zones = new Map<string, Zone>()
const MAX_ZONES = 1_000
const utc: Zone = { offset: () => 0, last: {} }

/**
 * The window that contains `now`, in the pool's time zone: days have 23 or 25 hours where clocks change, weeks begin on
 * Monday, `{ everyMs }` counts from the epoch. Windows of a pool never overlap and leave no gap.
 */
export function windowAt(terms: Pick<PoolTerms, 'window' | 'timeZone'>, now: number): Interval {
  const { window } = terms
  if (window === null) return LIFETIME
  if (typeof window === 'object') {
    const start = Math.floor(now / window.everyMs) * window.everyMs
    return { start, end: start + window.everyMs }
  }
  const zone = terms.timeZone === 'UTC' ? utc : zoneOf(terms.timeZone)
  const last = zone.last[window]
  if (last !== undefined && now >= last.start && now < last.end) return last
  const found = window === 'hour' ? hourAt(zone, now) : calendarAt(zone, window, now)
  zone.last[window] = found
  return found
}

/** @throws HooshError `invalid_options` where the runtime knows no such zone */
function zoneOf(name: string): Zone {
  const known = zones.get(name)
  if (known !== undefined) return known
  if (zones.size >= MAX_ZONES) zones.clear()
  const zone = { offset: offsetsOf(name), last: {} }
  zones.set(name, zone)
  return zone
}

/** Whether the runtime's time zone data has this name. */
export function isTimeZone(name: string): boolean {
  if (name === 'UTC') return true
  try {
    zoneOf(name) // remembered, since a host whose \`pools\` is a function asks with each call
    return true
  } catch {
    return false
  }
}

/** Local time minus UTC at an instant, in milliseconds. */
function offsetsOf(timeZone: string): (at: number) => number {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  } catch (cause) {
    throw new HooshError('invalid_options', { message: `There is no time zone "${timeZone}".`, cause })
  }
  return (at) => {
    const text = format.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? ''
    const match = /([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(text)
    if (match === null) return 0
    const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0)
    return match[1] === '-' ? -seconds * 1000 : seconds * 1000
  }
}

/** Hours are real ones, so that the hour which clocks repeat is two windows; only half-hour changes cut one short. */
function hourAt({ offset }: Zone, now: number): Ended {
  const here = offset(now)
  const misaligned = (at: number) => (offset(at) - here) % HOUR !== 0
  const start = Math.floor((now + here) / HOUR) * HOUR - here
  const end = start + HOUR
  return {
    start: misaligned(start) ? firstWhere(start, now, (at) => !misaligned(at)) : start,
    end: misaligned(end - 1) ? firstWhere(now, end - 1, misaligned) : end,
  }
}

/** Days, weeks and months: between two local midnights. */
function calendarAt({ offset }: Zone, window: Named, now: number): Ended {
  const local = now + offset(now)
  let start = floorOf(window, local)
  // Where clocks go back over midnight, the local date alone may name the neighbour.
  if (now < instantOf(offset, start)) start = floorOf(window, start - 1)
  let end = nextOf(window, start)
  while (instantOf(offset, end) <= now) {
    start = end
    end = nextOf(window, end)
  }
  return { start: instantOf(offset, start), end: instantOf(offset, end) }
}

function floorOf(window: Named, local: number): number {
  const day = Math.floor(local / DAY)
  // The epoch was a Thursday, three days after a Monday.
  if (window === 'week') return (Math.floor((day + 3) / 7) * 7 - 3) * DAY
  if (window === 'day') return day * DAY
  const date = new Date(local)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

function nextOf(window: Named, start: number): number {
  if (window !== 'month') return start + (window === 'week' ? 7 * DAY : DAY)
  const date = new Date(start)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}

/** When a local midnight first comes; where clocks jump over it, the moment of the jump. */
function instantOf(offset: (at: number) => number, local: number): number {
  const before = local - offset(local - DAY)
  const after = local - offset(local + DAY)
  const shown = [before, after].filter((at) => at + offset(at) === local)
  if (shown.length > 0) return Math.min(...shown)
  return firstWhere(Math.min(before, after), Math.max(before, after), (at) => at + offset(at) >= local)
}

/** The first instant in (low, high] for which `holds`, which must turn true once and hold at `high`. */
function firstWhere(low: number, high: number, holds: (at: number) => boolean): number {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle
  }
  return high
}
