import { memoryRates, type RateAsk, type RateStore } from '@hoosh/core/storage'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, postgresSchema } from '../support/postgres.js'
import { sqliteFile } from '../support/sqlite.js'

const { HOOSH_LONG, HOOSH_SEED } = process.env
const runs = (numRuns: number) => ({
  numRuns: HOOSH_LONG === undefined ? numRuns : numRuns * 20,
  ...(HOOSH_SEED !== undefined && { seed: Number(HOOSH_SEED) }),
})

/** One of a few windows: up to a minute exact, a longer one in steps. */
const WINDOWS = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const
const key = fc.constantFrom(...(Object.keys(WINDOWS) as (keyof typeof WINDOWS)[]))

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      asks: fc.array(fc.record({ key, limit: fc.nat(12), cost: fc.nat(5), mayPass: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('add' as const), key, cost: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('giveBack' as const), key, cost: fc.nat(6), of: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('enter' as const), id: fc.nat(4), limit: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), id: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stay' as const), id: fc.nat(4) }) },
)

/** Time goes on, stands still, and is set back once in a while. */
const pause = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 17, 500, 999, 1_000, 1_001, 30_000, 59_999, 60_000) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -5_000, -4_000_000) },
)

const commands = fc.array(fc.tuple(pause, command), { minLength: 1, maxLength: 25 })

type Command = typeof command extends fc.Arbitrary<infer One> ? One : never

async function answer(store: RateStore, one: Command, now: number, moments: readonly number[]): Promise<unknown> {
  switch (one.do) {
    case 'take': {
      const ask = ({ key, mayPass, ...rest }: (typeof one.asks)[number]): RateAsk => {
        return { ...rest, key, windowMs: WINDOWS[key], ...(mayPass && { mayPass }) }
      }
      return store.take(one.asks.map(ask), now)
    }
    case 'add':
      return store.add(one.key, one.cost, WINDOWS[one.key], now)
    case 'giveBack':
      return store.giveBack(one.key, one.cost, WINDOWS[one.key], moments.at(-1 - one.of) ?? now)
    case 'enter':
      return store.enter(`call ${one.id}`, [{ key: 'room', limit: one.limit }], 10_000, now)
    case 'leave':
      return store.leave({ id: `call ${one.id}`, keys: ['room'] })
    case 'stay':
      return store.stay([{ id: `call ${one.id}`, keys: ['room'] }], 10_000, now)
  }
}

const at = (key: keyof typeof WINDOWS, limit: number, cost: number): Command => {
  return { do: 'take', asks: [{ key, limit, cost, mayPass: false }] }
}

/** What a clock that was set back brings to one moment is given back together. */
const SET_BACK: (readonly [number, Command])[] = [
  [0, at('minute', 1, 1)],
  [500, at('minute', 2, 1)],
  [-5_000, at('minute', 0, 0)],
  [0, { do: 'giveBack', key: 'minute', cost: 2, of: 0 }],
  [0, at('minute', 1, 0)],
]

/** Two handles, by turns, give the answers that one in memory gives. */
async function agrees(handles: readonly RateStore[], sequence: readonly (readonly [number, Command])[]): Promise<void> {
  const memory = memoryRates()
  const moments: number[] = []
  let now = 1_800_000_000_000
  for (const [index, [ms, one]] of sequence.entries()) {
    now += ms
    const expected = await answer(memory, one, now, moments)
    expect(await answer(handles[index % handles.length]!, one, now, moments)).toEqual(expected)
    moments.push(now)
  }
}

describe('limits in SQL answer as those in memory do', () => {
  it('where the clock is set back', async () => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    await agrees([(await sqlite.open()).rates], SET_BACK)
  })

  it('on SQLite', { timeout: 600_000 }, async () => {
    const property = fc.asyncProperty(commands, async (sequence) => {
      const sqlite = sqliteFile()
      try {
        await agrees([(await sqlite.open()).rates, (await sqlite.open()).rates], sequence)
      } finally {
        await sqlite.remove()
      }
    })
    await fc.assert(property, runs(60))
  })

  it.skipIf(!hasPostgres)('on PostgreSQL', { timeout: 600_000 }, async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const handles = [(await postgres.open()).rates, (await postgres.open()).rates]
    const property = fc.asyncProperty(commands, async (sequence) => {
      for (const table of ['rates', 'events', 'places']) await postgres.read(`truncate $.hoosh_${table}`)
      await agrees(handles, sequence)
    })
    await fc.assert(property, runs(30))
  })
})
