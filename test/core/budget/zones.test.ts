import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { windowAt } from '../../../packages/core/src/budget/window.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ZONES = [...Intl.supportedValuesOf('timeZone'), 'UTC']
const RUNS = process.env.HOOSH_LONG === undefined ? 300 : 20_000

/** The date that a calendar on the wall of this zone shows; not how `windowAt` finds out. */
const calendars = new Map<string, Intl.DateTimeFormat>()
function dateAt(timeZone: string, at: number): string {
  let calendar = calendars.get(timeZone)
  if (calendar === undefined) {
    calendar = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
    calendars.set(timeZone, calendar)
  }
  return calendar.format(at)
}

/** What the wall says of the window: the date, its month, or the Monday before it. */
function shownAt(window: 'day' | 'week' | 'month', timeZone: string, at: number): string {
  const date = dateAt(timeZone, at)
  if (window === 'day') return date
  if (window === 'month') return date.slice(0, 7)
  const day = Date.parse(date) / DAY
  return new Date((day - ((day + 3) % 7)) * DAY).toISOString().slice(0, 10)
}

/** Local time minus UTC, as the calendar and the clock on the wall say it together. */
const clocks = new Map<string, Intl.DateTimeFormat>()
function offsetAt(timeZone: string, at: number): number {
  let clock = clocks.get(timeZone)
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    clocks.set(timeZone, clock)
  }
  const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  const local = Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!)
  return local - Math.floor(at / 1_000) * 1_000
}

/** The first change of clocks within a year from then, to the millisecond; null where there is none. */
function changeAfter(timeZone: string, from: number): number | null {
  const before = offsetAt(timeZone, from)
  let low = from
  let high = from
  while (offsetAt(timeZone, high) === before) {
    low = high
    high += 7 * DAY
    if (high > from + 366 * DAY) return null
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(timeZone, middle) === before) low = middle
    else high = middle
  }
  return high
}

const zone = fc.constantFrom(...ZONES)
const moment = fc.integer({ min: Date.parse('1970-02-01'), max: Date.parse('2037-01-01') })
/** Around a change of clocks, where there is one, to the hour, the minute and the millisecond. */
const near = fc.oneof(
  fc.constantFrom(0, -1, 1, -HOUR, HOUR, -HOUR / 2, HOUR / 2, -DAY, DAY, HOUR - 1, 1 - HOUR),
  fc.integer({ min: -2 * DAY, max: 2 * DAY }),
)
const kind = fc.constantFrom('hour' as const, 'day' as const, 'week' as const, 'month' as const)

describe('windows in every time zone there is', () => {
  it('divide time without gap or overlap around changes of clocks, and never run backwards', () => {
    fc.assert(
      fc.property(
        zone,
        moment,
        kind,
        fc.array(near, { minLength: 1, maxLength: 8 }),
        (timeZone, from, window, steps) => {
          const change = changeAfter(timeZone, from) ?? from
          const terms = { window, timeZone }
          // Asked in any order: what was found last is remembered.
          const found = steps.map((step) => {
            const now = change + step
            const { start, end } = windowAt(terms, now)
            expect(start <= now && now < end!).toBe(true)
            expect(windowAt(terms, end!).start).toBe(end)
            expect(windowAt(terms, start - 1).end).toBe(start)
            expect(windowAt(terms, end! - 1)).toEqual({ start, end })
            return { now, start }
          })
          found.sort((a, b) => a.now - b.now)
          for (const [index, { start }] of found.entries()) {
            if (index > 0) expect(start).toBeGreaterThanOrEqual(found[index - 1]!.start)
          }
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('begin when the calendar on the wall first shows their date', () => {
    const named = fc.constantFrom('day' as const, 'week' as const, 'month' as const)
    fc.assert(
      fc.property(
        zone,
        moment,
        named,
        near,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (timeZone, from, window, step, where) => {
          const now = (changeAfter(timeZone, from) ?? from) + step
          const { start, end } = windowAt({ window, timeZone }, now)
          const shown = shownAt(window, timeZone, start)
          // Where clocks go back over midnight, the date before comes again, and belongs to the window that has begun.
          const within = Math.min(end! - 1, Math.floor(start + where * (end! - start)))
          const before = Math.floor(start - 1 - where * DAY)
          expect(shownAt(window, timeZone, within) <= shown).toBe(true)
          expect(shownAt(window, timeZone, before) < shown).toBe(true)
          expect(shownAt(window, timeZone, start - 1) < shown).toBe(true)
          expect(shownAt(window, timeZone, end!) > shown).toBe(true)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('of an hour last an hour and begin with one on the wall, but where clocks change by less', () => {
    fc.assert(
      fc.property(zone, moment, near, (timeZone, from, step) => {
        const change = changeAfter(timeZone, from)
        const now = (change ?? from) + step
        const { start, end } = windowAt({ window: 'hour', timeZone }, now)
        const onTheHour = (at: number) => (at + offsetAt(timeZone, at)) % HOUR === 0
        const isCut = [start, end!].some(
          (at) => !onTheHour(at) || offsetAt(timeZone, at) !== offsetAt(timeZone, at - 1),
        )
        if (!isCut) expect(end! - start).toBe(HOUR)
        expect(end! - start).toBeLessThanOrEqual(HOUR)
        expect(end! - start).toBeGreaterThan(0)
      }),
      { numRuns: RUNS },
    )
  })
})
