import type { Script, ScriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, upstream } from '../support/door.js'
import { settledPool } from '../support/pair.js'

const IS_LONG = process.env.HOOSH_LONG === '1'
/** The first fault of a list is met by so many calls, the others by fewer: they differ in what is counted, not in how. */
const MANY = IS_LONG ? 10_000 : 1_000
const FEWER = IS_LONG ? 10_000 : 100
const AT_ONCE = 20

const two = async (first: Script, second: Script) => {
  const main = await upstream({ fallback: first })
  const spare = await upstream({ fallback: second })
  const to = await door({
    providers: [
      { type: 'openai', name: 'main', baseUrl: main.url, priority: 1 },
      { type: 'openai', name: 'spare', baseUrl: spare.url },
    ],
    pools: { 'user:*': { tokens: 100_000_000 } },
    logger: false,
  })
  return { to, main, spare }
}

/** Makes calls `atOnce` side by side, the clock moving on between; returns the status of each. */
async function calls(
  to: Door,
  {
    count,
    everyMs,
    stream = false,
    atOnce = AT_ONCE,
  }: { count: number; everyMs: number; stream?: boolean; atOnce?: number },
): Promise<number[]> {
  const statuses: number[] = []
  while (statuses.length < count) {
    const burst = await Promise.all(Array.from({ length: atOnce }, () => chat(to, 'm', { stream, max_tokens: 5 })))
    statuses.push(...burst.map(({ status }) => status))
    to.clock.advance(everyMs * atOnce)
  }
  return statuses
}

const made = (...providers: ScriptedProvider[]) => providers.reduce((sum, { requests }) => sum + requests.length, 0)
const share = (statuses: readonly number[], good: number) =>
  statuses.filter((status) => status === good).length / statuses.length

const BROKEN: [string, Script][] = [
  ['503', { status: 503 }],
  ['500 with a page', { status: 500, body: '<html>' }],
  ['a reset', { fault: 'reset-before-head' }],
  ['garbage', { fault: 'garbage' }],
]

describe.each(BROKEN)('one route fails always (%s), one is healthy', (what, script) => {
  const all = what === '503' ? MANY : FEWER
  it.each([false, true])(`of ${all} calls as good as all are answered (stream: %s)`, async (stream) => {
    const { to, main, spare } = await two(script, { tokens: 3 })
    // One after the other until the circuit opens, so that its failures can be counted.
    const first = await calls(to, { count: 10, everyMs: 1, stream, atOnce: 1 })
    expect(main.requests.length).toBeLessThanOrEqual(5)
    const opened = made(main, spare)
    const count = all - 10
    const statuses = await calls(to, { count, everyMs: Math.floor(60_000 / count), stream })
    expect(share([...first, ...statuses], 200)).toBeGreaterThanOrEqual(0.999)
    expect((made(main, spare) - opened) / statuses.length).toBeLessThanOrEqual(1.1)
    // A minute has two cool-downs of 30 s, each with one trial.
    expect(main.requests.length - 3).toBeLessThanOrEqual(2)
    expect(main.requests.length - 3).toBeGreaterThanOrEqual(1)
    expect(await settledPool(to)).toMatchObject({ reserved: 0 })
  })
})

describe.each<[string, Script]>([
  ...BROKEN,
  ['429', { status: 429 }],
  ['429 that says when', { status: 429, headers: { 'retry-after': '20' } }],
  ['409', { status: 409 }],
])('all routes fail for a minute (%s)', (what, script) => {
  // What opens no circuit needs more calls, so that the first ones do not weigh.
  const all = what === '503' ? MANY : what.startsWith('4') ? 5 * FEWER : 2 * FEWER
  it.each([false, true])('few requests are made, and calls are answered again at once (stream: %s)', async (stream) => {
    const { to, main, spare } = await two(script, script)
    const statuses = await calls(to, { count: all, everyMs: 60_000 / all, stream, atOnce: 5 })
    expect(share(statuses, 200)).toBe(0)
    expect(made(main, spare) / all).toBeLessThanOrEqual(1.1)
    for (const provider of [main, spare]) provider.script({ times: 1_000_000 })
    to.clock.advance(5_000)
    expect(await calls(to, { count: 1, everyMs: 1, stream, atOnce: 1 })).toEqual([200])
    expect(share(await calls(to, { count: 20, everyMs: 1, stream, atOnce: 1 }), 200)).toBe(1)
  })
})

it('no call makes more than three requests, however many routes there are', async () => {
  const providers = await Promise.all(Array.from({ length: 5 }, () => upstream({ fallback: { status: 503 } })))
  const to = await door({
    providers: providers.map(({ url }, index) => ({ type: 'openai', name: `broken-${index}`, baseUrl: url })),
  })
  for (let call = 1; call <= 5; call += 1) {
    const before = made(...providers)
    await chat(to, 'm')
    expect(made(...providers) - before).toBeLessThanOrEqual(3)
  }
})
