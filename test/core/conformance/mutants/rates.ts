import type { Place, RateAsk, RateStore, Staying } from '@hoosh/core/storage'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering, reversing } = faultsOf<RateStore>()

/** The moment at which cases begin. */
const BEGAN = 1_800_000_000_000

const asking = (what: string, change: Partial<RateAsk>) =>
  ignoring('take', what, (asks, now) => [asks.map((ask) => ({ ...ask, ...change })), now])

const entering = (what: string, change: Partial<Place>) =>
  ignoring('enter', what, (id, places, leaseMs, now) => [
    id,
    places.map((place) => ({ ...place, ...change })),
    leaseMs,
    now,
  ])

const firstKey = ({ id, keys }: Staying) => ({ id, keys: keys.slice(0, 1) })
const lastKey = ({ id, keys }: Staying) => ({ id, keys: keys.slice(-1) })

const TAKE: readonly Mutant<RateStore>[] = [
  idle('take', { ok: true, at: BEGAN, windows: [] }),
  ...twice('take'),
  ...misanswering('take', ['ok', 'at', 'key', 'retryAfterMs', 'windows', 'windows.*.remaining', 'windows.*.resetMs']),
  reversing('take', 'windows'),
  ignoring('take', 'asks but the first', (asks, now) => [asks.slice(0, 1), now]),
  ignoring('take', 'asks but the last', (asks, now) => [asks.slice(-1), now]),
  ignoring('take', 'the order of asks', (asks, now) => [[...asks].reverse(), now]),
  asking('key', { key: 'k' }),
  asking('limit', { limit: 100 }),
  asking('windowMs, takes a minute', { windowMs: 60_000 }),
  asking('windowMs, takes an hour', { windowMs: 3_600_000 }),
  asking('cost, takes one', { cost: 1 }),
  asking('cost, takes nothing', { cost: 0 }),
  asking('mayPass', { mayPass: undefined as never }),
  asking('mayPass, lets all pass', { mayPass: true }),
  ignoring('take', 'now', (asks) => [asks, BEGAN]),
  faulty('take', 'decides by the first ask alone, and answers for all', async (act, [asks, now]) => {
    const free = async () =>
      (
        await act(
          asks.map((ask) => ({ ...ask, cost: 0 })),
          now,
        )
      ).windows
    const answer = await act(asks.slice(0, 1), now)
    return { ...answer, windows: await free() }
  }),
  faulty('take', 'decides by the first ask alone, and takes from all', async (act, [asks, now]) => {
    const [first, ...rest] = asks
    return act(first === undefined ? asks : [first, ...rest.map((ask) => ({ ...ask, limit: 1_000_000 }))], now)
  }),
  faulty('take', 'names the window with the shortest wait', async (act, [asks, now]) => {
    const answer = await act(asks, now)
    if (answer.ok) return answer
    for (const ask of asks) {
      const one = await act([ask], now)
      if (!one.ok && one.retryAfterMs < answer.retryAfterMs) return { ...one, windows: answer.windows }
    }
    return answer
  }),
]

const AFTER: readonly Mutant<RateStore>[] = [
  idle('add', undefined),
  ...twice('add'),
  ignoring('add', 'key', (_key, ...rest) => ['k', ...rest]),
  ignoring('add', 'cost', (key, _cost, ...rest) => [key, 1, ...rest]),
  ignoring('add', 'windowMs, takes a minute', (key, cost, _windowMs, now) => [key, cost, 60_000, now]),
  ignoring('add', 'windowMs, takes an hour', (key, cost, _windowMs, now) => [key, cost, 3_600_000, now]),
  ignoring('add', 'now', (key, cost, windowMs) => [key, cost, windowMs, BEGAN]),
  idle('giveBack', undefined),
  ...twice('giveBack'),
  ignoring('giveBack', 'key', (_key, ...rest) => ['k', ...rest]),
  ignoring('giveBack', 'cost, gives all', (key, _cost, ...rest) => [key, 1_000_000, ...rest]),
  ignoring('giveBack', 'cost, gives one', (key, _cost, ...rest) => [key, 1, ...rest]),
  ignoring('giveBack', 'windowMs, takes a minute', (key, cost, _windowMs, at) => [key, cost, 60_000, at]),
  ignoring('giveBack', 'at', (key, cost, windowMs) => [key, cost, windowMs, BEGAN]),
]

const PLACES: readonly Mutant<RateStore>[] = [
  idle('enter', null),
  idle('enter', 'k'),
  ...twice('enter'),
  ...misanswering('enter', ['']),
  ignoring('enter', 'id', (_id, ...rest) => ['a', ...rest]),
  ignoring('enter', 'places but the first', (id, places, ...rest) => [id, places.slice(0, 1), ...rest]),
  ignoring('enter', 'places but the last', (id, places, ...rest) => [id, places.slice(-1), ...rest]),
  ignoring('enter', 'the order of places', (id, places, ...rest) => [id, [...places].reverse(), ...rest]),
  entering('key', { key: 'k' }),
  entering('limit', { limit: 100 }),
  ignoring('enter', 'leaseMs, takes a minute', (id, places, _leaseMs, now) => [id, places, 60_000, now]),
  ignoring('enter', 'leaseMs, takes an hour', (id, places, _leaseMs, now) => [id, places, 3_600_000, now]),
  ignoring('enter', 'now', (id, places, leaseMs) => [id, places, leaseMs, BEGAN]),
  faulty('enter', 'enters what has room though it refuses', async (act, [id, places, ...rest]) => {
    const full = await act(id, places, ...rest)
    if (full !== null) for (const place of places) await act(id, [place], ...rest)
    return full
  }),
  idle('stay', undefined),
  ...twice('stay'),
  ignoring('stay', 'calls but the first', (staying, ...rest) => [staying.slice(0, 1), ...rest]),
  ignoring('stay', 'calls but the last', (staying, ...rest) => [staying.slice(-1), ...rest]),
  ignoring('stay', 'keys but the first', (staying, ...rest) => [staying.map(firstKey), ...rest]),
  ignoring('stay', 'keys but the last', (staying, ...rest) => [staying.map(lastKey), ...rest]),
  ignoring('stay', 'leaseMs, takes a minute', (staying, _leaseMs, now) => [staying, 60_000, now]),
  ignoring('stay', 'leaseMs, takes an hour', (staying, _leaseMs, now) => [staying, 3_600_000, now]),
  ignoring('stay', 'now', (staying, leaseMs) => [staying, leaseMs, BEGAN]),
  idle('leave', undefined),
  ...twice('leave'),
  ignoring('leave', 'keys but the first', (staying) => [firstKey(staying)]),
  ignoring('leave', 'keys but the last', (staying) => [lastKey(staying)]),
  ignoring('leave', 'id', ({ keys }) => [{ id: 'a', keys }]),
]

export const rateMutants = [...TAKE, ...AFTER, ...PLACES]

/** A step that is repeated changes nothing. */
const SAME = 'who has entered, stays or has left does so once'

export const rateEquivalents = {
  'enter acts twice, and answers as the first time': SAME,
  'enter acts twice, and answers as the second time': SAME,
  'stay acts twice, and answers as the first time': SAME,
  'stay acts twice, and answers as the second time': SAME,
  'leave acts twice, and answers as the first time': SAME,
  'leave acts twice, and answers as the second time': SAME,
}
