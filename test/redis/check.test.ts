import { diagnose, type Finding, type PoolAsk } from '@hoosh/core/storage'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()

const terms = { timeZone: 'UTC', unpriced: 'refuse' } as const
const amount = (tokens: number) => ({ tokens, nanoUsd: tokens * 10 })
/** Entries are kept for four of them, so that all of this one are there. */
const EVERY_MS = 3_600_000

/** A ledger with a reservation of each kind in two pools, and somebody who may write into it past hoosh. */
const POOLS = [
  { name: 'team:red', terms: { ...terms, capacity: { nanoUsd: 9_000 }, window: null } },
  { name: 'user:ann', terms: { ...terms, capacity: { tokens: 900 }, window: { everyMs: EVERY_MS } } },
] as const

async function filled() {
  const ledger = redisLedger({ keepMs: 4 * EVERY_MS })
  onTestFinished(() => ledger.remove())
  const { budgets } = await ledger.open()
  const now = Date.now()
  const reserve = async (id: string, pools: readonly PoolAsk[]) =>
    budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools,
      ask: { fixed: amount(100), each: amount(0), floor: 0, wish: 0, atMost: 0 },
      leaseMs: 60_000,
      now,
      onExpire: 'charge',
    })
  for (const id of ['settled', 'open', 'released', 'beyond']) await reserve(id, POOLS)
  await budgets.settle('settled', amount(50))
  await budgets.release('released')
  await budgets.settle('beyond', amount(120))
  const redis = new Redis(REDIS_URL, { keyPrefix: `{${ledger.prefix}}:` })
  onTestFinished(() => void redis.disconnect())
  return { ledger, budgets, redis, reserve, hour: `account:${Math.floor(now / EVERY_MS) * EVERY_MS}:user:ann` }
}

/** What is wrong, the server's own settings aside. */
const wrongIn = async (budgets: Parameters<typeof diagnose>[0]['budgets']) => {
  const { findings, looked } = await diagnose({ budgets: budgets! })
  return { findings: findings.filter(({ code }) => code !== 'setting'), looked }
}

type Filled = Awaited<ReturnType<typeof filled>>

const BROKEN: readonly { does: string; breaks(books: Filled): Promise<unknown>; finds: Partial<Finding> }[] = [
  {
    does: 'a pool holds more than its open holds',
    breaks: ({ redis, hour }) => redis.hset(hour, 'ht', '160'),
    finds: { code: 'held', pool: 'user:ann', unit: 'tokens', found: 160, expected: 100 },
  },
  {
    does: 'a pool has used less than its entries',
    breaks: ({ redis, hour }) => redis.hset(hour, 'ut', '5'),
    finds: { code: 'used', pool: 'user:ann', unit: 'tokens', found: 5, expected: 170 },
  },
  {
    does: 'a lifetime has used less than the entries that are left',
    breaks: ({ redis }) => redis.hset('account:0:team:red', 'un', '1699'),
    finds: { code: 'used', pool: 'team:red', unit: 'nanoUsd', found: 1_699, expected: 1_700 },
  },
  {
    does: 'less than nothing is used',
    breaks: ({ redis }) => redis.hset('account:0:team:red', 'ut', '-1'),
    finds: { code: 'negative', pool: 'team:red', unit: 'tokens', found: -1 },
  },
  {
    does: 'a reservation is gone',
    breaks: ({ redis }) => redis.del('hold:open'),
    finds: { code: 'held', pool: 'team:red', unit: 'tokens', found: 100, expected: 0 },
  },
  {
    does: 'nobody would end a reservation',
    breaks: ({ redis }) => redis.zrem('leases', 'open'),
    finds: { code: 'orphan', reservation: 'open' },
  },
  {
    does: 'an account is gone',
    breaks: ({ redis, hour }) => redis.del(hour),
    finds: { code: 'orphan', reservation: 'open', pool: 'user:ann' },
  },
  {
    does: 'the entries of a pool are gone',
    breaks: ({ redis }) => redis.del('entries:team:red'),
    finds: { code: 'entry', reservation: 'settled', pool: 'team:red' },
  },
  {
    does: 'a reservation is damaged',
    breaks: ({ redis }) => redis.set('hold:open', 'nonsense'),
    finds: { code: 'damaged', reservation: 'open', what: 'what is stored of it' },
  },
  {
    does: 'terms are no JSON',
    breaks: ({ redis }) => redis.hset('overrides', 'user:ann', 'nonsense'),
    finds: { code: 'terms', pool: 'user:ann' },
  },
  {
    does: 'the keys are of another version',
    breaks: ({ redis }) => redis.set('', '99'),
    finds: { code: 'schema', found: '99', expected: '1' },
  },
]

describe.skipIf(missing !== null)(`a look at the books in Redis ${missing ?? ''}`, () => {
  it('finds nothing where nothing is wrong, and says how much it saw', async () => {
    const { budgets } = await filled()
    expect(await wrongIn(budgets)).toEqual({
      findings: [],
      looked: { accounts: 2, 'open reservations': 1, 'ended reservations': 3, entries: 6 },
    })
  })

  it.each(BROKEN)('finds by its name that $does', async ({ breaks, finds }) => {
    const books = await filled()
    await breaks(books)
    const { findings } = await wrongIn(books.budgets)
    expect(findings).toContainEqual(expect.objectContaining(finds))
    for (const { message, help } of findings) expect(`${message} ${help}`).not.toMatch(/undefined|NaN|null/)
  })

  it('finds terms that nobody can read, which freeze their pool, and no other, until they are set anew', async () => {
    const { ledger, redis, reserve } = await filled()
    await redis.hset('overrides', 'user:ann', 'nonsense')
    const { budgets } = await ledger.open()
    expect(await budgets.overrides()).toMatchObject([{ name: 'user:ann', terms: { frozen: true } }])
    await expect(reserve('one', POOLS)).rejects.toMatchObject({ code: 'pool_frozen', details: { pool: 'user:ann' } })
    await reserve('two', [POOLS[0]])
    expect(await budgets.expire({ onExpire: 'charge', limit: 10 })).toEqual([])
    await budgets.define('user:ann', POOLS[1].terms)
    await reserve('one', POOLS)
    expect((await wrongIn(budgets)).findings).toEqual([])
  })

  it('says that there is no ledger rather than that it is sound', async () => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    const { findings } = await wrongIn((await ledger.open()).budgets)
    expect(findings).toMatchObject([{ code: 'schema', found: 0 }])
  })
})
