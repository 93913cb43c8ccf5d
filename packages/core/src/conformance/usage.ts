import assert from 'node:assert/strict'
import type { UsageFilter, UsageRecord, UsageStore } from '../cost/store.js'
import { noUsage } from '../cost/usage.js'
import type { Awaitable } from '../time.js'

/** What a store under test provides, anew for each case. */
export interface UsageHarness {
  /** Another handle on the same usage, as another process would have it; at first there is none. */
  open(): Awaitable<UsageStore>
}

/** A promise of `UsageStore`, as a sentence and what shows it; bound to no test runner. Throws where it is broken. */
export interface UsageCase {
  readonly name: string
  run(harness: UsageHarness): Promise<void>
}

const DAY_MS = 86_400_000
/** One minute before the day is over. */
const TUESDAY = Date.UTC(2026, 10, 24, 23, 59)

/** A call of Ada's: 10 tokens of prompt, 5 of output, 70 nano-dollars. */
function record(id: string, fields: Partial<UsageRecord> = {}): UsageRecord {
  return {
    id,
    requestId: 'q',
    at: TUESDAY,
    user: 'ada',
    pool: 'user:ada',
    pools: ['user:ada'],
    provider: 'openai',
    route: 'openai',
    local: false,
    model: 'gpt-4o',
    kind: 'chat',
    stream: false,
    usage: { ...noUsage, input: 8, cachedInput: 2, output: 3, reasoning: 2 },
    source: 'reported',
    nanoUsd: 70,
    price: 'test',
    outcome: 'ok',
    latencyMs: 5,
    ...fields,
  }
}

/** What is told, a line each: whose it is and what it comes to. */
async function told(store: UsageStore, filter: UsageFilter = {}): Promise<string[]> {
  const totals = await store.totals(filter)
  return totals
    .map((total) => {
      const { route, model, user, pool, requests, promptTokens, completionTokens, nanoUsd } = total
      return `${route} ${model} ${user} ${pool}: ${requests} ${promptTokens} ${completionTokens} ${nanoUsd}`
    })
    .sort()
}

/** Every promise of `UsageStore`. Each case wants a harness of its own, with nothing recorded. */
export const usageStoreCases: readonly UsageCase[] = [
  {
    name: 'calls of one provider, route, model, user and pool are added up, for every handle; others are apart',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.record([record('a'), record('b')])
      await right.record([record('c', { user: 'bob' }), record('d', { pool: 'team' })])
      await right.record([record('e', { route: 'azure' }), record('f', { model: 'gpt-4o-mini' })])
      const what = { provider: 'openai', route: 'openai', local: false, model: 'gpt-4o', user: 'ada', pool: 'user:ada' }
      const sums = { requests: 2, promptTokens: 20, completionTokens: 10, nanoUsd: 140 }
      const totals = await right.totals({})
      assert.deepEqual(
        totals.filter(({ requests }) => requests === 2),
        [{ ...what, ...sums }],
      )
      assert.equal(totals.length, 5)
    },
  },
  {
    name: 'tokens of every class count, as prompt or as completion, and each total says whose they are',
    async run({ open }) {
      const store = await open()
      const usage = {
        ...{ input: 1, cachedInput: 10, cacheWrite: 100, audioInput: 1_000 },
        ...{ output: 2, reasoning: 20, audioOutput: 200 },
      }
      const own = { provider: 'ollama', route: 'own', local: true, model: 'llama', user: 'bob', pool: 'team' }
      await store.record([record('a'), record('b', { ...own, usage, nanoUsd: 7 }), record('c', { provider: 'azure' })])
      const totals = await store.totals({})
      assert.deepEqual(
        totals.find(({ provider }) => provider === 'ollama'),
        { ...own, requests: 1, promptTokens: 1_111, completionTokens: 222, nanoUsd: 7 },
      )
      assert.deepEqual(totals.map(({ provider, local }) => `${provider} ${local}`).sort(), [
        ...['azure false', 'ollama true', 'openai false'],
      ])
    },
  },
  {
    name: 'a record that is told twice counts once, whoever tells it',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.record([record('a'), record('a')])
      await right.record([record('a')])
      assert.deepEqual(await told(left), ['openai gpt-4o ada user:ada: 1 10 5 70'])
    },
  },
  {
    name: 'records at the same time from several handles are all counted',
    async run({ open }) {
      const handles = [await open(), await open()]
      const records = Array.from({ length: 20 }, async (_, index) => {
        await handles[index % 2]!.record([record(`r${index}`)])
      })
      await Promise.all(records)
      assert.deepEqual(await told(handles[0]!), ['openai gpt-4o ada user:ada: 20 200 100 1400'])
    },
  },
  {
    name: 'days are those of UTC, kept apart and added up from the first to the last that is asked for',
    async run({ open }) {
      const store = await open()
      await store.record([
        record('a'),
        record('b', { at: TUESDAY + 60_000 }),
        record('c', { at: TUESDAY + 2 * DAY_MS }),
      ])
      const requests = async (filter: UsageFilter) => (await store.totals(filter)).map((total) => total.requests)
      assert.deepEqual(await requests({}), [3])
      assert.deepEqual(await requests({ from: '2026-11-24', to: '2026-11-24' }), [1])
      assert.deepEqual(await requests({ from: '2026-11-25' }), [2])
      assert.deepEqual(await requests({ to: '2026-11-23' }), [])
    },
  },
  {
    name: 'who asks for a user or a pool is told nothing of others',
    async run({ open }) {
      const store = await open()
      await store.record([record('a'), record('b', { user: 'bob', pool: 'team' }), record('c', { pool: 'team' })])
      const whose = async (filter: UsageFilter) =>
        (await store.totals(filter)).map(({ user, pool }) => `${user} ${pool}`).sort()
      assert.deepEqual(await whose({ user: 'ada' }), ['ada team', 'ada user:ada'])
      assert.deepEqual(await whose({ pool: 'team' }), ['ada team', 'bob team'])
      assert.deepEqual(await whose({ user: 'ada', pool: 'team' }), ['ada team'])
      assert.deepEqual(await whose({ user: 'ad' }), [])
    },
  },
  {
    name: 'after a reset totals begin anew, and an old record does not count again',
    async run({ open }) {
      const [left, right] = [await open(), await open()]
      await left.record([record('old')])
      await right.reset()
      await left.record([record('old')])
      assert.deepEqual(await told(left), [])
      await left.record([record('new')])
      assert.deepEqual(await told(right), ['openai gpt-4o ada user:ada: 1 10 5 70'])
    },
  },
  {
    name: 'what takes a lost call back takes off what that had added, once, on its day',
    async run({ open }) {
      const store = await open()
      const reversal = record('r.reversal', { outcome: 'lost', reverses: true })
      await store.record([record('r.lost', { outcome: 'lost' }), record('other')])
      await store.record([reversal, record('r', { route: 'azure', nanoUsd: 7, at: TUESDAY + DAY_MS })])
      await store.record([reversal])
      const [azure, openai] = ['azure gpt-4o ada user:ada: 1 10 5 7', 'openai gpt-4o ada user:ada: 1 10 5 70']
      assert.deepEqual(await told(store), [azure, openai])
      assert.deepEqual(await told(store, { to: '2026-11-24' }), [openai])
    },
  },
  {
    name: 'records may be told in any order: taken back before it was added comes to nothing',
    async run({ open }) {
      const store = await open()
      await store.record([record('r.reversal', { reverses: true })])
      await store.record([record('r.lost')])
      assert.deepEqual(await told(store), ['openai gpt-4o ada user:ada: 0 0 0 0'])
    },
  },
]
