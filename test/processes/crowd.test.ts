import { setTimeout as pause } from 'node:timers/promises'
import { scriptedProvider } from '@hoosh/core/testing'
import { Agent, request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'
import { balances } from '../support/redis-invariants.js'
import { type Balanced, balancedBooks } from '../support/sql-balance.js'

// Many calls at once, before four hosts, on pools that pay for half of them: over HTTP, with the books added up meanwhile.

const script = new URL('gateway-child.mjs', import.meta.url)

const isLong = process.env.HOOSH_LONG === '1'
const SEEDS = Array.from({ length: isLong ? 20 : 2 }, (_, index) => index + 1)
const CALLS = isLong ? 10_000 : 2_000
const PROCESSES = 4
const SOCKETS = 64

/** Of a model whose tokenizer nobody has, a prompt is held as its bytes and 144 around them; of 16 tokens no part is granted. */
const PROMPT = 'moss, rain, pine and wind'
const USAGE = { prompt_tokens: PROMPT.length + 144, completion_tokens: 16 }
const EACH = USAGE.prompt_tokens + USAGE.completion_tokens
const CAP = (CALLS / 2) * EACH

interface Books {
  readonly place: string
  /** Throws where an account is not what its holds and entries come to. */
  sample(pools: readonly string[]): Promise<Balanced[]>
  remove(): Promise<void>
}

const STORES = [
  ...DATABASES.map(({ name, missing, make }) => ({
    name,
    missing,
    async open(): Promise<Books> {
      const database = make()
      await (await database.open()).migrate?.()
      return {
        place: database.place,
        sample: () => balancedBooks(database, CAP),
        remove: () => database.remove(),
      }
    },
  })),
  {
    name: 'Redis',
    missing: await redisMissing(),
    async open(): Promise<Books> {
      const ledger = redisLedger()
      const books = balances(REDIS_URL, ledger.prefix)
      return {
        place: `${REDIS_URL}?prefix=${ledger.prefix}`,
        sample: (pools) => Promise.all(pools.map(sampled)),
        async remove() {
          books.close()
          await ledger.remove()
        },
      }
      async function sampled(pool: string): Promise<Balanced> {
        const { used, held, openHolds, entries } = await books.of(pool)
        expect([held, used], pool).toEqual([openHolds, entries])
        expect(used + held, pool).toBeLessThanOrEqual(CAP)
        return { pool, used, held }
      }
    },
  },
]

describe.each(STORES)('four hosts on one $name', ({ missing, open }) => {
  it.skipIf(missing !== null).each([
    ['one pool', ['user:ann']],
    ['three pools, named in any order', ['user:ann', 'team:red', 'tenant:acme']],
  ])(
    `of ${CALLS} calls at once answer the half that fits, and the books are right at every moment: %s`,
    { timeout: isLong ? 3_600_000 : 120_000 },
    async (name, pools) => {
      for (const seed of SEEDS) {
        const told = await crowd(await open(), pools, seed)
        if (isLong) console.log(`${name}, ${CALLS} calls, seed ${seed}: ${told}`)
      }
    },
  )
})

async function crowd(books: Books, pools: readonly string[], seed: number): Promise<string> {
  const provider = await scriptedProvider({ fallback: { tokens: USAGE.completion_tokens, usage: USAGE } })
  const options = {
    providers: [{ type: 'openai', baseUrl: provider.url }],
    pools: Object.fromEntries(pools.map((pool) => [pool, { tokens: CAP }])),
    budget: {},
    audit: false,
  }
  const agent = new Agent({ connections: SOCKETS })
  const started = await Promise.all(
    Array.from({ length: PROCESSES }, () => child(script, [books.place, JSON.stringify(options)])),
  )
  onTestFinished(async () => {
    await Promise.all(started.map((one) => killed(one.process)))
    await agent.destroy()
    await provider.close()
    await books.remove()
  })
  const began = performance.now()
  let decided = 0
  const calls = Array.from({ length: CALLS }, async (_, index) => {
    const turned = pools.map((_, at) => pools[(at + index * seed) % pools.length]!)
    const reply = await request(`http://127.0.0.1:${started[index % PROCESSES]!.line}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', 'x-pools': turned.join(',') },
      body: JSON.stringify({
        model: 'of-nobody',
        max_tokens: USAGE.completion_tokens,
        stream: index % 3 === seed % 3,
        messages: [{ role: 'user', content: PROMPT }],
      }),
    })
    const text = await reply.body.text()
    decided += 1
    return reply.statusCode === 200 ? 'answered' : (JSON.parse(text) as { error: { code: string } }).error.code
  })
  let samples = 0
  while (decided < CALLS) {
    samples += (await books.sample(pools)).length > 0 ? 1 : 0
    // Adding up makes writers wait.
    await pause(50)
  }
  const outcomes: Record<string, number> = {}
  for (const outcome of await Promise.all(calls)) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  expect(outcomes, `seed ${seed}`).toEqual({ answered: CALLS / 2, budget_exceeded: CALLS / 2 })
  expect(provider.bill.attempts).toBe(CALLS / 2)
  const whole = (all: readonly Balanced[]) => all.toSorted((a, b) => (a.pool < b.pool ? -1 : 1))
  await expect
    .poll(async () => whole(await books.sample(pools)))
    .toEqual(whole(pools.map((pool) => ({ pool, used: CAP, held: 0 }))))
  return `${samples} samples, ${Math.round(performance.now() - began)} ms`
}
