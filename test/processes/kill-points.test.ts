import { createGateway, type Gateway, type HooshOptions } from '@hoosh/core'
import type { BudgetStore, PoolAsk } from '@hoosh/core/storage'
import { gate, type Script, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { child, killed } from '../support/children.js'
import { SHARED_STORAGES, type TestStorage } from '../support/databases.js'
import { ask, headersOf, PRICES, until } from '../support/money.js'

const isLong = process.env.HOOSH_LONG === '1'
/** Each death is a process of Node, two seconds of a busy core: three for each point, one on each storage, where there is no time. */
const ROUNDS = Number(process.env.HOOSH_ROUNDS ?? (isLong ? 100 : 1))
const script = new URL('gateway-child.mjs', import.meta.url)

/** What a call has come to: `nothing` was held, it is `lost` and its hold charged, or it is `paid` as it was billed. */
type End = 'nothing' | 'lost' | 'paid' | 'lost or paid' | 'nothing or lost'

const SHORT: Script = { tokens: 40, everyMs: 2 }
/** Heartbeats while it runs. */
const SLOW: Script = { tokens: 40, everyMs: 20 }
/** More than is held at first, and then no more: what runs ahead of a process that dies is in nobody's hold. */
const LONG: Script = { tokens: 600, everyMs: 1, holdAfter: { events: 300, gate: gate() } }

interface Point {
  readonly at: string
  readonly end: End
  readonly answer: Script
}

const point = (at: string, end: End, answer = SHORT): Point => ({ at, end, answer })

const DOZEN = [
  point('in-reserve', 'nothing'),
  point('after-reserve', 'lost'),
  point('request-sent', 'lost'),
  point('first-byte', 'lost'),
  point('piece:5', 'lost'),
  point('in-extend', 'lost', LONG),
  point('after-extend', 'lost', LONG),
  point('after-renew', 'lost', SLOW),
  point('last-byte', 'lost or paid'),
  point('in-settle', 'lost'),
  point('after-settle', 'paid'),
  point('after-done', 'lost or paid'),
]

/** Between these, or where nobody can say whether the server still heard it. */
const MORE = [
  point('before-reserve', 'nothing'),
  point('sent-reserve', 'nothing or lost'),
  point('before-request', 'lost'),
  point('sent-extend', 'lost', LONG),
  point('before-settle', 'lost'),
  point('sent-settle', 'lost or paid'),
  point('before-done', 'lost or paid'),
]

const POINTS = isLong ? [...DOZEN, ...MORE] : DOZEN

const CAP = 2_000

/** As both the processes that die and the one that is left have it. Those who die leave others' holds alone. */
const OPTIONS = {
  prices: PRICES,
  pools: { 'user:*': { tokens: CAP } },
  budget: { renewMs: 100, sweepMs: 60_000, defaultOutput: 32 },
  // Where the ledger is in one store and the log in another, what is only buffered dies with its process.
  audit: { key: 'a key of this test alone', mode: 'strict' },
} satisfies HooshOptions

interface Round {
  readonly pool: string
  readonly model: string
}

let provider: ScriptedProvider
beforeAll(async () => {
  provider = await scriptedProvider()
})
afterAll(() => provider.close())

/** A process that a call brings to the point at which it dies. */
async function die(place: string, { at, answer }: Point, { pool, model }: Round): Promise<void> {
  provider.script({ ...answer, model })
  const options = { ...OPTIONS, providers: [{ type: 'openai', baseUrl: provider.url }] }
  // On PostgreSQL a process commits the row of a pool that it does not know before it holds in it.
  const isSecond = place.startsWith('postgres:') && /^(in|sent)-reserve$/.test(at)
  const env = { HOOSH_KILL_AT: isSecond ? `${at}:2` : at }
  const started = await child(script, [place, JSON.stringify(options)], env)
  const died = new Promise((resolve) => started.process.once('exit', (_code, signal) => resolve(signal)))
  let told = 'none'
  try {
    const reply = await fetch(`http://127.0.0.1:${started.line}/v1/chat/completions`, {
      method: 'POST',
      headers: headersOf({ user: pool, pools: [pool] }),
      body: JSON.stringify(ask({ model, stream: true, max_tokens: 600 })),
    })
    told = `${reply.status} ${await reply.text()}`
  } catch {
    // That is what it is to be cut off.
  }
  const late = setTimeout(() => void killed(started.process, 'SIGTERM'), 60_000)
  expect(await died, `${at} was come to; the answer was ${told}`).toBe('SIGKILL')
  clearTimeout(late)
}

/** What the provider will ask for. */
function billOf(model: string): number {
  const attempts = provider.bill.perAttempt.filter((one) => one.model === model)
  expect(attempts.length).toBeLessThanOrEqual(1)
  return attempts.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0)
}

const asked = (name: string): PoolAsk => {
  return { name, terms: { capacity: { tokens: CAP }, window: null, timeZone: 'UTC', unpriced: 'refuse' } }
}

async function balances(budgets: BudgetStore, end: End, { pool, model }: Round): Promise<void> {
  const [state] = await budgets.read([asked(pool)], Date.now())
  const entries = await budgets.entries(pool, { limit: 10 })
  const charged = state!.used.tokens
  const truth = billOf(model)
  const said = `${model}: billed ${truth}, charged ${charged}`
  expect(state!.held.tokens, said).toBe(0)
  expect(charged, said).toBeGreaterThanOrEqual(truth)
  expect(charged, said).toBeLessThanOrEqual(CAP)
  // One end each, and never more than was held.
  expect(entries.length, said).toBeLessThanOrEqual(1)
  expect(entries.map(({ amount, overrun }) => [amount.tokens, overrun.tokens])).toEqual(entries.map(() => [charged, 0]))
  const [entry] = entries
  const how = entry === undefined ? 'nothing' : entry.kind === 'settled' ? 'paid' : 'lost'
  expect(end.split(' or '), said).toContain(how)
  if (how === 'paid') expect(charged).toBe(truth)
  if (how === 'nothing') expect(truth).toBe(0)
}

interface Log {
  chain_valid: boolean
  entries: { event: string; reservation?: string; integrity?: object }[]
}

/** Every entry has its place, what the dead had staged included, and the chains verify. */
async function auditHolds(storage: TestStorage, lost: number): Promise<void> {
  const gateway = await survivor(storage, 2)
  try {
    const admin = gateway.as({ user: 'root', roles: ['admin'] })
    const read = async () => (await (await admin.fetch('http://hoosh/v1/audit?limit=1000')).json()) as Log
    await until(async () => (await read()).entries.every(({ integrity }) => integrity !== undefined))
    const { chain_valid, entries } = await read()
    expect(chain_valid).toBe(true)
    expect(entries.filter(({ integrity }) => integrity === undefined)).toEqual([])
    expect(entries.filter(({ event }) => event === 'inference.lost')).toHaveLength(lost)
  } finally {
    await gateway.close()
  }
}

/** A gateway of this process on the same storage, some leases later. */
async function survivor(storage: TestStorage, leases: number): Promise<Gateway> {
  const clock = () => Date.now() + leases * 60_001
  const gateway = createGateway({
    ...OPTIONS,
    budget: { sweepMs: 100 },
    storage: await storage.open(clock),
    clock,
    logger: false,
  })
  await gateway.ready()
  return gateway
}

async function rounds(storage: TestStorage, store: string, point: Point): Promise<void> {
  const names: Round[] = Array.from({ length: ROUNDS }, (_, round) => {
    return { pool: `user:${round}`, model: `${store}/${point.at}/${round}` }
  })
  for (const round of names) await die(storage.place, point, round)
  const gateway = await survivor(storage, 1)
  const { budgets } = await storage.open()
  const pools = names.map(({ pool }) => asked(pool))
  await until(async () => (await budgets.read(pools, Date.now())).every(({ held }) => held.tokens === 0))
  // What it could not link in time is left to the next.
  await gateway.close().catch(() => {})
  for (const round of names) await balances(budgets, point.end, round)
  const ends = (await Promise.all(names.map(async ({ pool }) => budgets.entries(pool, { limit: 1 })))).flat()
  const lost = ends.filter(({ kind }) => kind === 'expired').length
  await auditHolds(storage, lost)
  if (isLong)
    console.log(`${store}, ${point.at}: ${ROUNDS} deaths, ${lost} holds charged, ${ends.length - lost} bills paid`)
}

describe.concurrent.each(SHARED_STORAGES)(`kill -9, ${ROUNDS} times each, on $name`, ({ name, missing, make }) => {
  const there = name === 'Redis' ? POINTS.filter(({ at }) => !at.startsWith('in-')) : POINTS
  it.skipIf(missing !== null).concurrent.each(there)('$at: $end', { timeout: 3_600_000 }, async (point) => {
    const storage = make()
    try {
      await rounds(storage, name, point)
    } finally {
      await storage.remove()
    }
  })
})
