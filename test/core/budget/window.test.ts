import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTimeZone, windowAt } from '../../../packages/core/src/budget/window.js'
import type { Window } from '../../../packages/core/src/options.js'

const at = (iso: string) => Date.parse(iso)
const shown = (window: Window, timeZone: string, now: string) => {
  const { start, end } = windowAt({ window, timeZone }, at(now))
  return `${new Date(start).toISOString()} ${end === null ? null : new Date(end).toISOString()}`
}

describe('windowAt', () => {
  it.each<[string, Window, string, string, string]>([
    ['a lifetime begins at the epoch', null, 'Asia/Tokyo', '2026-11-24T10:00:00Z', '1970-01-01T00:00:00.000Z null'],
    ['an hour in UTC', 'hour', 'UTC', '2026-11-24T10:59:59.999Z', '2026-11-24T10:00:00.000Z 2026-11-24T11:00:00.000Z'],
    ['a day in UTC', 'day', 'UTC', '2026-11-24T00:00:00Z', '2026-11-24T00:00:00.000Z 2026-11-25T00:00:00.000Z'],
    ['a week from Monday', 'week', 'UTC', '2026-11-29T23:59:59Z', '2026-11-23T00:00:00.000Z 2026-11-30T00:00:00.000Z'],
    ['a month of 28 days', 'month', 'UTC', '2027-02-28T23:00:00Z', '2027-02-01T00:00:00.000Z 2027-03-01T00:00:00.000Z'],
    [
      'a month over the year',
      'month',
      'UTC',
      '2026-12-31T23:00:00Z',
      '2026-12-01T00:00:00.000Z 2027-01-01T00:00:00.000Z',
    ],
    [
      'every 90 s',
      { everyMs: 90_000 },
      'UTC',
      '1970-01-01T00:03:10Z',
      '1970-01-01T00:03:00.000Z 1970-01-01T00:04:30.000Z',
    ],
    [
      'an Indian hour',
      'hour',
      'Asia/Kolkata',
      '2026-11-24T10:10:00Z',
      '2026-11-24T09:30:00.000Z 2026-11-24T10:30:00.000Z',
    ],
    ['a day east', 'day', 'Asia/Tokyo', '2026-11-24T15:00:00Z', '2026-11-24T15:00:00.000Z 2026-11-25T15:00:00.000Z'],
    [
      'a short day',
      'day',
      'Europe/Berlin',
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00:00.000Z 2026-03-29T22:00:00.000Z',
    ],
    ['a long day', 'day', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00.000Z 2026-10-25T23:00:00.000Z'],
    [
      'a week with a long day',
      'week',
      'Europe/Berlin',
      '2026-10-25T22:59:59Z',
      '2026-10-18T22:00:00.000Z 2026-10-25T23:00:00.000Z',
    ],
    [
      'a month with a short day',
      'month',
      'America/New_York',
      '2026-03-20T00:00:00Z',
      '2026-03-01T05:00:00.000Z 2026-04-01T04:00:00.000Z',
    ],
    [
      'a repeated hour, first',
      'hour',
      'Europe/Berlin',
      '2026-10-25T00:30:00Z',
      '2026-10-25T00:00:00.000Z 2026-10-25T01:00:00.000Z',
    ],
    [
      'a repeated hour, second',
      'hour',
      'Europe/Berlin',
      '2026-10-25T01:30:00Z',
      '2026-10-25T01:00:00.000Z 2026-10-25T02:00:00.000Z',
    ],
    [
      'a day without its midnight',
      'day',
      'Africa/Cairo',
      '2026-04-24T10:00:00Z',
      '2026-04-23T22:00:00.000Z 2026-04-24T21:00:00.000Z',
    ],
    [
      'a day whose midnight comes twice',
      'day',
      'America/Havana',
      '2026-11-01T12:00:00Z',
      '2026-11-01T04:00:00.000Z 2026-11-02T05:00:00.000Z',
    ],
    [
      'clocks that went back over midnight, before',
      'day',
      'America/Sao_Paulo',
      '2018-02-18T02:30:00Z',
      '2018-02-17T02:00:00.000Z 2018-02-18T03:00:00.000Z',
    ],
    [
      'clocks that went back over midnight, after',
      'day',
      'America/Sao_Paulo',
      '2018-02-18T03:00:00Z',
      '2018-02-18T03:00:00.000Z 2018-02-19T03:00:00.000Z',
    ],
    [
      'a change of half an hour',
      'hour',
      'Australia/Lord_Howe',
      '2026-10-03T15:40:00Z',
      '2026-10-03T15:30:00.000Z 2026-10-03T16:00:00.000Z',
    ],
    [
      'a date that was left out',
      'day',
      'Pacific/Apia',
      '2011-12-30T10:00:00Z',
      '2011-12-30T10:00:00.000Z 2011-12-31T10:00:00.000Z',
    ],
  ])('%s', (_, window, zone, now, expected) => {
    expect(shown(window, zone, now)).toBe(expected)
  })

  it('divides time without gap or overlap, in any order of questions', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'America/Havana',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
    ]
    const moment = fc.integer({ min: at('1995-01-01'), max: at('2035-01-01') })
    const window = fc.constantFrom<Window>('hour', 'day', 'week', 'month', { everyMs: 7_777 })
    fc.assert(
      fc.property(moment, fc.constantFrom(...zones), window, (now, timeZone, kind) => {
        const terms = { window: kind, timeZone }
        const found = windowAt(terms, now)
        const end = found.end!
        expect(found.start <= now && now < end).toBe(true)
        expect(windowAt(terms, end).start).toBe(end)
        expect(windowAt(terms, end - 1)).toEqual(found)
        expect(windowAt(terms, found.start)).toEqual(found)
        expect(windowAt(terms, found.start - 1).end).toBe(found.start)
      }),
      { numRuns: 2_000 },
    )
  })

  it('divides every minute around the changes of clocks', () => {
    for (const [timeZone, around] of [
      ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
      ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
      ['America/St_Johns', '2010-11-07T02:31:00Z'],
      ['America/St_Johns', '2010-03-14T03:31:00Z'],
      ['Africa/Cairo', '2026-10-29T21:00:00Z'],
    ] as const) {
      for (const kind of ['hour', 'day'] as const) {
        let last = windowAt({ window: kind, timeZone }, at(around) - 7_200_000)
        for (let now = at(around) - 7_200_000; now < at(around) + 7_200_000; now += 60_000) {
          const found = windowAt({ window: kind, timeZone }, now)
          if (found.start !== last.start) expect(found.start).toBe(last.end)
          expect(found.start <= now && now < found.end!).toBe(true)
          last = found
        }
      }
    }
  })
})

describe('isTimeZone', () => {
  it('knows the names of the time zone data and nothing else', () => {
    expect([isTimeZone('UTC'), isTimeZone('Europe/Berlin'), isTimeZone('Mars/Olympus')]).toEqual([true, true, false])
  })
})
