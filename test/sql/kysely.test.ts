import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditCases, budgetStoreCases } from '@hoosh/core/conformance'
import { nothing } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { type SqlStorage, sqlStorage } from '@hoosh/sql'
import { CamelCasePlugin, Kysely, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'

interface Orders {
  orders: { orderId: number }
}

/** A host's own instances on a file of its own, with a plugin that changes what it touches. */
function host(clock?: () => number) {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-'))
  const databases: InstanceType<typeof Database>[] = []
  onTestFinished(() => {
    for (const database of databases) database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const connect = () => {
    const database = new Database(join(folder, 'host.sqlite'))
    databases.push(database)
    const dialect = new SqliteDialect({ database })
    return new Kysely<Orders>({ dialect, plugins: [new CamelCasePlugin()] })
  }
  let last: Promise<SqlStorage | undefined> = Promise.resolve(undefined)
  return {
    connect,
    /** One after the other: on libsql, what Kysely prepared for a lock that it did not get blocks commits until it is collected. */
    open(kysely = connect()): Promise<SqlStorage> {
      const opening = last.then(async () => {
        const storage = sqlStorage({ kysely }, clock === undefined ? {} : { clock })
        await storage.open!({ migrate: true })
        return storage
      })
      last = opening
      return opening
    },
  }
}

const request = (id: string) => {
  const terms = { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
  const ask = { fixed: { tokens: 40, nanoUsd: 0 }, each: nothing, floor: 0, wish: 0, atMost: 0 }
  const call = { owner: 'ann', phase: 'sent', leaseMs: 60_000, now: 0, onExpire: 'charge' } as const
  return { id, pools: [{ name: 'user:ann', terms }], ask, ...call }
}

describe("the ledger on a host's own Kysely", () => {
  it.each(budgetStoreCases)('$name', async ({ run }) => {
    const clock = fakeClock(1_700_000_000_000)
    const { open } = host(clock.now)
    const advance = (ms: number) => void clock.advance(ms)
    await run({ open: async () => (await open()).budgets, now: clock.now, advance })
  })
})

describe("the audit log on a host's own Kysely", () => {
  it.each(auditCases)('$name', async ({ run }) => {
    const { open } = host()
    await run({ open: async () => (await open()).audit })
  })
})

describe('one connection for the host and for hoosh', () => {
  const shared = async () => {
    const { connect, open } = host()
    const kysely = connect()
    await sql`create table orders (order_id integer primary key)`.execute(kysely)
    const storage = await open(kysely)
    const orders = async () => (await kysely.selectFrom('orders').selectAll().execute()).map(({ orderId }) => orderId)
    return { kysely, storage, orders }
  }

  it("a transaction of the host's that is rolled back takes nothing of ours with it", async () => {
    const { kysely, storage, orders } = await shared()
    let reserving: Promise<unknown> | undefined
    const rolledBack = kysely.transaction().execute(async (transaction) => {
      await transaction.insertInto('orders').values({ orderId: 1 }).execute()
      reserving = (async () => storage.budgets.reserve(request('r')))()
      await new Promise((resolve) => setImmediate(resolve))
      throw new TypeError('the host thought better of it')
    })
    await expect(rolledBack).rejects.toThrow('thought better')
    await reserving
    expect(await orders()).toEqual([])
    expect(await storage.budgets.find({ id: 'r' })).toMatchObject({ state: 'held' })
  })

  it("what fails of ours takes nothing of the host's with it", async () => {
    const { kysely, storage, orders } = await shared()
    const [first, second] = await Promise.allSettled([
      kysely.insertInto('orders').values({ orderId: 1 }).execute(),
      storage.budgets.settle('nobody', nothing),
      kysely.insertInto('orders').values({ orderId: 2 }).execute(),
    ])
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
    expect(await orders()).toEqual([1, 2])
  })

  it('a hundred of ours and a hundred of the host side by side all come to their end', async () => {
    const { kysely, storage, orders } = await shared()
    const ids = Array.from({ length: 100 }, (_, index) => index)
    await Promise.all(
      ids.flatMap((id) => [
        kysely
          .transaction()
          .execute((transaction) => transaction.insertInto('orders').values({ orderId: id }).execute()),
        (async () => {
          await storage.budgets.reserve({
            ...request(`r${id}`),
            pools: [{ ...request('').pools[0]!, name: `user:${id}` }],
          })
          await storage.budgets.settle(`r${id}`, { tokens: 7, nanoUsd: 0 })
        })(),
      ]),
    )
    expect(await orders()).toEqual(ids)
    const states = await storage.budgets.list({ limit: 1_000, now: 0 })
    expect(states.map(({ used, held }) => [used.tokens, held.tokens])).toEqual(ids.map(() => [7, 0]))
  })
})
