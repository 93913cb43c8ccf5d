import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failedAuths, type RecordFields, refusals } from '../../../packages/core/src/audit/refusals.js'
import { createTally } from '../../../packages/core/src/audit/tally.js'

function shaped<Shaper>(make: (options: { clock: () => number; emit: (fields: RecordFields) => void }) => Shaper) {
  const time = { now: 0 }
  const emitted: RecordFields[] = []
  const shaper = make({ clock: () => time.now, emit: (fields) => void emitted.push(fields) })
  return { time, emitted, shaper }
}

describe('failed authentication', () => {
  it('is one entry a minute, whose counts add up', () => {
    const { time, emitted, shaper } = shaped(failedAuths)
    for (time.now = 0; time.now < 180_000; time.now += 100) {
      shaper.note('', { requestId: `r${time.now}`, path: '/v1/models' })
      shaper.sweep()
    }
    shaper.flush()
    const counts = emitted.map(({ metadata }) => metadata!.count as number)
    expect(counts).toEqual([1, 600, 600, 599])
    expect(emitted[1]).toMatchObject({
      event: 'auth.failed',
      level: 'warn',
      requestId: 'r60000',
      metadata: { path: '/v1/models' },
    })
  })
})

describe('refused calls', () => {
  const refused = (subject: string) => ({
    message: 'No.',
    subject,
    model: 'gpt',
    metadata: { code: 'budget_exceeded' },
  })

  it('are ten entries a minute of a caller, then one with the count of the rest', () => {
    const { time, emitted, shaper } = shaped((options) => refusals({ ...options, event: 'inference.refused' }))
    for (let call = 0; call < 25; call += 1) shaper.note('ann', refused('ann'))
    shaper.note('bob', refused('bob'))
    expect(emitted.map(({ subject }) => subject)).toEqual([...Array(10).fill('ann'), 'bob'])
    expect(emitted[0]).toEqual({ ...refused('ann'), event: 'inference.refused', level: 'warn' })
    time.now = 60_000
    shaper.sweep()
    expect(emitted).toHaveLength(12)
    expect(emitted[11]).toMatchObject({ subject: 'ann', metadata: { code: 'budget_exceeded', count: 15 } })
  })

  it('of more callers than are told apart are counted together, about nobody in particular', () => {
    const { emitted, shaper } = shaped((options) => refusals({ ...options, event: 'inference.refused' }))
    for (let user = 0; user < 1_100; user += 1) shaper.note(`u${user}`, refused(`u${user}`))
    shaper.flush()
    expect(emitted.filter(({ subject }) => subject === undefined)).toHaveLength(11)
    expect(emitted.find(({ metadata }) => metadata!.count === 90)).toMatchObject({ event: 'inference.refused' })
  })
})

it('whatever comes when, every event is in some count, and no key has more than its share of a minute', () => {
  const event = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    wait: fc.integer({ min: 0, max: 20_000 }),
    sweep: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 3 }), (events, perMinute) => {
      let now = 0
      const emitted: { key: string; count: number; at: number }[] = []
      const tally = createTally<null>({
        clock: () => now,
        perMinute,
        emit: (key, _, count) => void emitted.push({ key, count, at: now }),
      })
      for (const { key, wait, sweep } of events) {
        now += wait
        if (sweep) tally.sweep()
        tally.note(key, null)
      }
      for (const key of ['a', 'b', 'c']) {
        const times = emitted.filter((one) => one.key === key).map(({ at }) => at)
        // A minute of the clock's may meet the ends of two of the tally's.
        for (const from of times) {
          expect(times.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(2 * perMinute)
        }
      }
      tally.flush()
      expect(emitted.reduce((sum, { count }) => sum + count, 0)).toBe(events.length)
    }),
  )
})
