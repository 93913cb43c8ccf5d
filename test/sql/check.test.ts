import { createGateway } from '@hoosh/core'
import { type CallFacts, diagnose, type Finding, noUsage, type UsageRecord } from '@hoosh/core/storage'
import type { SqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DATABASES, type TestDatabase } from '../support/databases.js'

const POOLS = [
  { name: 'team:red', terms: { capacity: { nanoUsd: 9_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } },
  { name: 'user:ann', terms: { capacity: { tokens: 900 }, window: 'day', timeZone: 'UTC', unpriced: 'refuse' } },
] as const
const CALL: CallFacts = {
  requestId: 'q',
  provider: 'openai',
  route: 'a',
  local: false,
  model: 'm',
  kind: 'chat',
  stream: true,
  price: 'p',
}
const amount = (tokens: number) => ({ tokens, nanoUsd: tokens * 10 })

/** A ledger with a reservation of each kind in two pools: settled, open, mended after its lease, released, over its hold. */
async function filled(database: TestDatabase, clock: { now: number }): Promise<SqlStorage> {
  const storage = await database.open()
  const { budgets } = storage
  const reserve = (id: string, leaseMs: number) =>
    budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools: POOLS,
      ask: { fixed: amount(100), each: amount(0), floor: 0, wish: 0, atMost: 0 },
      leaseMs,
      now: clock.now,
      onExpire: 'charge',
      call: CALL,
    })
  const record = (id: string, tokens: number): UsageRecord => ({
    ...CALL,
    id,
    at: clock.now,
    user: 'ann',
    pool: POOLS[0].name,
    pools: POOLS.map(({ name }) => name),
    usage: { ...noUsage, input: tokens },
    source: 'reported',
    nanoUsd: tokens * 10,
    outcome: 'ok',
    latencyMs: 1,
  })
  const settle = (id: string, tokens: number) => budgets.settle(id, amount(tokens), { usage: record(id, tokens) })
  await storage.usage.record([{ ...record('older', 0), at: clock.now - 3_600_000 }])
  await reserve('mended', 1_000)
  clock.now += 2_000
  await budgets.expire({ onExpire: 'charge', limit: 10 })
  await settle('mended', 30)
  for (const id of ['settled', 'open', 'released', 'beyond']) await reserve(id, 60_000)
  await settle('settled', 50)
  await budgets.release('released')
  await settle('beyond', 120)
  return storage
}

/** What somebody does to the rows, and what it is called by. */
const BROKEN: readonly { does: string; table: string; text: string; finds: Partial<Finding> }[] = [
  {
    does: 'a pool holds less than its open holds',
    table: 'accounts',
    text: "update $.hoosh_accounts set held_tokens = held_tokens - 60 where pool = 'user:ann'",
    finds: { code: 'held', pool: 'user:ann', unit: 'tokens', found: 40, expected: 100 },
  },
  {
    does: 'a pool has used more than its entries',
    table: 'accounts',
    text: "update $.hoosh_accounts set used_nano_usd = used_nano_usd + 5 where pool = 'team:red'",
    finds: { code: 'used', pool: 'team:red', unit: 'nanoUsd', found: 2_005, expected: 2_000 },
  },
  {
    does: 'less than nothing is used',
    table: 'accounts',
    text: "update $.hoosh_accounts set used_tokens = -1 where pool = 'team:red'",
    finds: { code: 'negative', pool: 'team:red', unit: 'tokens', found: -1, what: 'used' },
  },
  {
    does: 'more is used than the cap',
    table: 'accounts',
    text: "update $.hoosh_pools set override = replace(template, '900', '250') where name = 'user:ann'",
    finds: { code: 'capacity', pool: 'user:ann', unit: 'tokens', found: 300, expected: 270 },
  },
  {
    does: 'what is known of a call is cut short',
    table: 'holds',
    text: "update $.hoosh_holds set call = substr(call, 1, 20) where reservation = 'open' and place = 0",
    finds: { code: 'damaged', reservation: 'open', what: 'what is stored of its call' },
  },
  {
    does: 'what was drawn on credits is no JSON',
    table: 'holds',
    text: "update $.hoosh_holds set beside = '{' where reservation = 'settled' and pool = 'user:ann'",
    finds: { code: 'damaged', reservation: 'settled', pool: 'user:ann' },
  },
  {
    does: 'a hold is gone',
    table: 'holds',
    text: "delete from $.hoosh_holds where reservation = 'open' and pool = 'team:red'",
    finds: { code: 'parts', reservation: 'open' },
  },
  {
    does: 'a hold is of another amount in one pool',
    table: 'holds',
    text: "update $.hoosh_holds set charged_tokens = 1 where reservation = 'settled' and pool = 'team:red'",
    finds: { code: 'parts', reservation: 'settled', what: 'charged_tokens differs' },
  },
  {
    does: 'an ended reservation has no entry',
    table: 'holds',
    text: "update $.hoosh_holds set entry = null where reservation = 'settled' and pool = 'team:red'",
    finds: { code: 'entry', reservation: 'settled', pool: 'team:red' },
  },
  {
    does: 'an open reservation has an entry',
    table: 'holds',
    text: "update $.hoosh_holds set entry = 7, ended_at = 7 where reservation = 'open' and pool = 'team:red'",
    finds: { code: 'entry', reservation: 'open', pool: 'team:red' },
  },
  {
    does: 'an overrun is forgotten',
    table: 'holds',
    text: "update $.hoosh_holds set overrun_tokens = 0 where reservation = 'beyond'",
    finds: { code: 'entry', reservation: 'beyond', pool: 'team:red' },
  },
  {
    does: 'a correction is of another amount',
    table: 'corrections',
    text: 'update $.hoosh_corrections set tokens = tokens + 1',
    finds: { code: 'correction', reservation: 'mended', pool: 'team:red' },
  },
  {
    does: 'a correction is there twice',
    table: 'corrections',
    text: 'insert into $.hoosh_corrections select pool, entry + 1, reservation, window_start, 0, 0, 0, 0, at, kind, reference, note from $.hoosh_corrections',
    finds: { code: 'correction', reservation: 'mended', what: 'it was corrected more than once' },
  },
  {
    does: 'a correction is gone',
    table: 'corrections',
    text: 'delete from $.hoosh_corrections',
    finds: { code: 'orphan', reservation: 'mended', what: 'its correction is gone' },
  },
  {
    does: 'an account is gone',
    table: 'accounts',
    text: "delete from $.hoosh_accounts where pool = 'team:red'",
    finds: { code: 'orphan', reservation: 'open', pool: 'team:red' },
  },
  {
    does: 'a hold is moved to another window',
    table: 'holds',
    text: "update $.hoosh_holds set window_start = window_start - 86400000 where reservation = 'open' and pool = 'user:ann'",
    finds: { code: 'orphan', reservation: 'open', pool: 'user:ann', what: 'its account is gone' },
  },
  {
    does: 'a hold was made long before its window',
    table: 'holds',
    text: "update $.hoosh_holds set since = since - 172800000000 where reservation = 'open'",
    finds: { code: 'window', reservation: 'open', pool: 'user:ann' },
  },
  {
    does: 'a lease ran out and nobody sweeps',
    table: 'holds',
    text: "update $.hoosh_holds set lease_until = lease_until - 180000 where reservation = 'open'",
    finds: { code: 'overdue', reservation: 'open', found: '120 s' },
  },
  {
    does: 'a usage record costs less',
    table: 'usage',
    text: `update $.hoosh_usage set record = replace(record, '"nanoUsd":500,', '"nanoUsd":400,')`,
    finds: { code: 'cost', reservation: 'settled', unit: 'nanoUsd', found: 400, expected: 500 },
  },
  {
    does: 'a lost call was never taken back',
    table: 'usage',
    text: "delete from $.hoosh_usage where id = 'mended.reversal'",
    finds: { code: 'cost', reservation: 'mended', unit: 'tokens', found: 130, expected: 30 },
  },
  {
    does: 'terms are no JSON',
    table: 'pools',
    text: "update $.hoosh_pools set override = 'nonsense' where name = 'user:ann'",
    finds: { code: 'terms', pool: 'user:ann', found: 'nonsense' },
  },
  {
    does: 'the tables are of another version',
    table: 'schema',
    text: 'update $.hoosh_schema set version = 99',
    finds: { code: 'schema', found: 99 },
  },
]

describe.each(DATABASES)('a look at the books on $name', ({ missing, make }) => {
  const opened = async () => {
    const clock = { now: Date.now() - 10_000 }
    const database = make({ clock: () => clock.now, retention: { entryDays: 1, usageDays: 1 } })
    onTestFinished(() => database.remove())
    return { database, storage: await filled(database, clock), clock }
  }

  it.skipIf(missing !== null)('finds nothing where nothing is wrong, and says how much it saw', async () => {
    const { storage } = await opened()
    expect(await diagnose(storage)).toEqual({
      verdict: 'sound',
      findings: [],
      looked: { accounts: 2, 'open reservations': 1, entries: 10, 'usage records': 6, 'audit entries': 0 },
    })
  })

  it.skipIf(missing !== null)('finds each broken invariant by its name, and changes nothing', async () => {
    const { database, storage } = await opened()
    const tables = [...new Set([...BROKEN.map(({ table }) => table), 'pools'])]
    for (const table of tables) await database.tamper(`create table $.kept_${table} as select * from $.hoosh_${table}`)
    for (const { does, table, text, finds } of BROKEN) {
      await database.tamper(text)
      const broken = await database.read(`select * from $.hoosh_${table}`)
      const { verdict, findings } = await diagnose(storage)
      expect(findings, does).toContainEqual(expect.objectContaining(finds))
      expect(verdict, does).not.toBe('sound')
      for (const { message, help } of findings) expect(`${message} ${help}`).not.toMatch(/undefined|NaN|null/)
      expect(await database.read(`select * from $.hoosh_${table}`), does).toEqual(broken)
      for (const name of new Set([table, 'pools'])) {
        await database.tamper(`delete from $.hoosh_${name}`)
        await database.tamper(`insert into $.hoosh_${name} select * from $.kept_${name}`)
      }
    }
    expect((await diagnose(storage)).findings).toEqual([])
  })

  it.skipIf(missing !== null)('finds credits that do not come to what was given', async () => {
    const { database, storage, clock } = await opened()
    const { budgets } = storage
    const give = (id: string, expiresAt: number) =>
      budgets.credit(POOLS[1], { id, amount: { tokens: 500, nanoUsd: 0 }, expiresAt, note: null }, clock.now)
    const reserve = (id: string) =>
      budgets.reserve({
        id,
        owner: 'ann',
        phase: 'reserved',
        pools: POOLS,
        ask: { fixed: amount(100), each: amount(0), floor: 0, wish: 0, atMost: 0 },
        leaseMs: 60_000,
        now: clock.now,
        onExpire: 'charge',
      })
    await give('gift', clock.now + 5_000)
    await give('short', clock.now + 1_000)
    await reserve('paid')
    await budgets.settle('paid', amount(80))
    clock.now += 2_000
    await budgets.expire({ onExpire: 'charge', limit: 10 })
    await reserve('held')
    expect((await diagnose(storage)).findings).toEqual([])
    const tampered = async (table: string, to: string, back: string, finds: Partial<Finding>) => {
      await database.tamper(`update $.hoosh_${table} set ${to}`)
      const { findings } = await diagnose(storage)
      expect(findings).toContainEqual(expect.objectContaining({ code: 'credit', pool: 'user:ann', ...finds }))
      for (const { message, help } of findings) expect(`${message} ${help}`).not.toMatch(/undefined|NaN|null/)
      await database.tamper(`update $.hoosh_${table} set ${back}`)
    }
    const [more, less] = ['left_tokens = left_tokens + 7', 'left_tokens = left_tokens - 7']
    const given = { unit: 'tokens', expected: 1_000 } as const
    await tampered('credits', `${more} where credit = 'gift'`, `${less} where credit = 'gift'`, {
      ...given,
      found: 1_007,
    })
    await tampered('credits', `${less} where credit = 'gift'`, `${more} where credit = 'gift'`, {
      ...given,
      found: 993,
    })
    const beyond = { what: 'of one less than nothing is left, or more than was given' }
    await tampered('credits', less, more, beyond)
    const [drawn, undrawn] = ['drawn_tokens = drawn_tokens + 5', 'drawn_tokens = drawn_tokens - 5']
    const ofAnn = "where pool = 'user:ann'"
    await tampered('accounts', `${drawn} ${ofAnn}`, `${undrawn} ${ofAnn}`, { ...given, found: 1_005 })
    await storage.sweep!(clock.now + 2 * 86_400_000)
    expect((await diagnose(storage)).findings).toEqual([])
  })

  it.skipIf(missing !== null)(
    'finds terms that nobody can read, which freeze their pool, and no other, until they are set anew',
    async () => {
      const { database, storage, clock } = await opened()
      await database.tamper("update $.hoosh_pools set override = 'nonsense' where name = 'user:ann'")
      const gateway = createGateway({
        storage,
        clock: () => clock.now,
        providers: [{ type: 'demo' }],
        pools: { '*': { tokens: 900 } },
        logger: false,
      })
      onTestFinished(() => gateway.close())
      await gateway.ready()
      const call = (user: string) =>
        gateway.as({ user, pool: `user:${user}` }).chat({ model: 'demo', messages: [{ role: 'user', content: 'hi' }] })
      const [ann, bob] = await Promise.allSettled([call('ann'), call('bob')])
      expect(ann).toMatchObject({ reason: { code: 'pool_frozen', details: { pool: 'user:ann' } } })
      expect(bob.status).toBe('fulfilled')
      await storage.sweep!(clock.now)
      await storage.budgets.define('user:ann', POOLS[1].terms)
      await call('ann')
      expect((await diagnose(storage)).findings).toEqual([])
    },
  )

  it.skipIf(missing !== null)('knows what retention has dropped', async () => {
    const { database, storage, clock } = await opened()
    await storage.sweep!(clock.now + 2 * 86_400_000)
    const [left] = await database.read<{ many: unknown }>('select count(*) as many from $.hoosh_holds')
    expect(Number(left!.many)).toBe(2)
    expect((await diagnose(storage)).findings).toEqual([])
  })
})
