import { createGateway, type Gateway, type HooshOptions, type Storage } from '@hoosh/core'
import { fakeClock } from '@hoosh/core/testing'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'
import { hasPostgres, postgresSchema } from '../support/postgres.js'
import { randomFrom } from '../support/random.js'
import { sqliteFile } from '../support/sqlite.js'
import { HOSTS, type HostsDatabase, type HostsTransaction } from '../support/transactions.js'

const CAPACITY = 1_000

/** A gateway on a storage, which has started and ends with the test. */
async function gatewayOn(storage: Partial<Storage>, options: HooshOptions = {}): Promise<Gateway> {
  const gateway = await startedOn(storage, options)
  onTestFinished(() => gateway.close())
  return gateway
}

async function startedOn(storage: Partial<Storage>, options: HooshOptions = {}): Promise<Gateway> {
  const gateway = createGateway({
    storage,
    providers: [{ type: 'demo' }],
    pools: { '*': { tokens: CAPACITY } },
    logger: false,
    ...options,
  })
  await gateway.ready()
  return gateway
}

const annOf = (gateway: Gateway) => gateway.as({ user: 'ann', pool: 'user:ann' })

/** Two processes on a host's database, which the tests of one kind share: each is about a person of its own. */
function shops(make: (typeof HOSTS)[number]['make']) {
  const database = make()
  const gateways: Gateway[] = []
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()))
    await database.remove()
  })
  return async (user: string) => {
    if (gateways.length === 0) {
      for (let count = 0; count < 2; count += 1) gateways.push(await startedOn(await database.open()))
      const table = await database.begin()
      await table.run('create table $.orders (id text primary key, owner text not null, tokens bigint not null)')
      await table.commit()
    }
    const people = gateways.map((gateway) => gateway.as({ user, pool: `user:${user}` }))
    return {
      database,
      people,
      person: people[0]!,
      /** What the log says of the person's reservations, linked or not. */
      async told() {
        const event = `select event from $.hoosh_staged where subject = '${user}'
          union all select event from $.hoosh_audit where subject = '${user}' order by event`
        return (await database.read<{ event: string }>(event)).map((row) => row.event)
      },
      orderOf: (id: string, tokens: number) => `insert into $.orders values ('${id}', '${user}', ${tokens})`,
      /** What was ordered, and what the pool has used and holds. */
      async books() {
        const [pool] = await people[0]!.budget.pools()
        const text = `select tokens from $.orders where owner = '${user}'`
        const orders = await database.read<{ tokens: number | string }>(text)
        const ordered = orders.reduce((sum, { tokens }) => sum + Number(tokens), 0)
        return { orders: orders.length, ordered, used: pool!.used.tokens, held: pool!.held.tokens }
      },
    }
  }
}

/** Does what is given in a transaction of the host's, which is rolled back where that fails. */
async function inTransaction(database: HostsDatabase, work: (open: HostsTransaction) => Promise<void>): Promise<void> {
  const open = await database.begin()
  try {
    await work(open)
  } catch (error) {
    await open.rollback()
    throw error
  }
  await open.commit()
}

describe.each(HOSTS)('an order and its charge: $name', ({ isThere, make }) => {
  const shop = shops(make)

  it.skipIf(!isThere)('are one commit, or neither is there', async () => {
    const { database, person, orderOf, books, told } = await shop('ann')
    const order = async ({ transaction, run }: HostsTransaction, id: string) => {
      const hold = await person.budget.reserve({ tokens: 300 }, { transaction })
      await run(orderOf(id, 200))
      await hold.settle({ tokens: 200 }, { transaction })
      return hold
    }
    const dropped = await database.begin()
    const lost = await order(dropped, 'a')
    await dropped.rollback()
    expect(await books()).toEqual({ orders: 0, ordered: 0, used: 0, held: 0 })
    await expect(lost.settle({ tokens: 200 })).rejects.toMatchObject({ code: 'not_held' })
    await expect(lost.release()).rejects.toMatchObject({ code: 'not_held' })
    expect(await told()).toEqual([])

    await inTransaction(database, async (open) => void (await order(open, 'a')))
    expect(await books()).toEqual({ orders: 1, ordered: 200, used: 200, held: 0 })
    expect(await told()).toEqual(['budget.reserved', 'budget.settled'])
    // The order is there already: its charge goes with it.
    await expect(inTransaction(database, async (open) => void (await order(open, 'a')))).rejects.toThrow()
    expect(await books()).toEqual({ orders: 1, ordered: 200, used: 200, held: 0 })
  })

  it.skipIf(!isThere)('a hold may be taken before, and ended in the transaction of what it paid for', async () => {
    const { database, person, books } = await shop('bob')
    const hold = await person.budget.reserve({ tokens: 300 })
    const open = await database.begin()
    await hold.settle({ tokens: 250 }, open)
    await open.rollback()
    expect(await books()).toEqual({ orders: 0, ordered: 0, used: 0, held: 300 })
    await inTransaction(database, ({ transaction }) => hold.settle({ tokens: 240 }, { transaction }))
    expect(await books()).toEqual({ orders: 0, ordered: 0, used: 240, held: 0 })
  })

  const count = process.env.HOOSH_LONG === '1' ? 500 : 50
  it.skipIf(!isThere)(
    `${count} at once, of which some are rolled back or refused: what is ordered is what is used`,
    {
      timeout: 120_000,
    },
    async () => {
      const { database, people, orderOf, books } = await shop('eve')
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = randomFrom(seed)
      const plans = Array.from({ length: count }, (_, index) => ({
        id: `o${index}`,
        person: people[index % 2]!,
        held: random.between(20, 60),
        share: random.between(0, 10) / 10,
        fails: random.chance(0.3),
        outside: random.chance(0.2),
      }))
      const told = { committed: 0, failed: 0, refused: 0, outside: 0 }
      let outsideTokens = 0
      await Promise.all(
        plans.map(async ({ id, person, held, share, fails, outside }) => {
          const tokens = Math.round(held * share)
          try {
            if (outside) {
              await (await person.budget.reserve({ tokens: held })).settle({ tokens })
              told.outside += 1
              outsideTokens += tokens
              return
            }
            await inTransaction(database, async ({ transaction, run }) => {
              const hold = await person.budget.reserve({ tokens: held }, { transaction })
              await run(orderOf(id, tokens))
              await hold.settle({ tokens }, { transaction })
              if (fails) throw new TypeError('changed his mind')
            })
            told.committed += 1
          } catch (error) {
            if ((error as { code?: string }).code === 'budget_exceeded') told.refused += 1
            else if (error instanceof TypeError) told.failed += 1
            else throw new TypeError(`seed ${seed}`, { cause: error })
          }
        }),
      )
      const { orders, ordered, used, held } = await books()
      const message = `seed ${seed}: ${JSON.stringify(told)}`
      expect({ orders, used, held }, message).toEqual({
        orders: told.committed,
        used: ordered + outsideTokens,
        held: 0,
      })
      expect(used, message).toBeLessThanOrEqual(CAPACITY)
    },
  )
})

describe.each(DATABASES)('a process that is killed, on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)(
    'leaves the orders it has committed with their charges, and nothing of the others',
    {
      timeout: 60_000,
    },
    async () => {
      const database = make()
      onTestFinished(() => database.remove())
      const ann = annOf(await gatewayOn(await database.open()))
      const shopkeeper = await child(new URL('../processes/order-child.mjs', import.meta.url), [database.place])
      expect(shopkeeper.line).toBe('one order is committed, one is not')
      await killed(shopkeeper.process)
      // On Postgres the pool is locked until the server has noticed.
      const hold = await ann.budget.reserve({ tokens: 800 })
      expect(await database.read('select id from $.orders')).toEqual([{ id: 'first' }])
      expect((await ann.budget.pools())[0]).toMatchObject({ used: { tokens: 200 }, held: { tokens: 800 } })
      await hold.release()
    },
  )
})

describe("a process's heartbeat", () => {
  const LEASE_MS = 600_000

  async function beating() {
    const clock = fakeClock(1_700_000_000_000)
    const sqlite = sqliteFile({ clock: clock.now })
    onTestFinished(() => sqlite.remove())
    const { budgets, ...others } = await sqlite.open()
    const beats: string[][] = []
    const listening: Storage['budgets'] = {
      ...budgets,
      async renew(running, leaseMs) {
        const lost = await budgets.renew(running, leaseMs)
        beats.push(running.map(({ id }) => id))
        return lost
      },
    }
    const gateway = await gatewayOn(
      { ...others, budgets: listening },
      { clock: clock.now, budget: { leaseMs: LEASE_MS, renewMs: 5, sweepMs: 60_000 } },
    )
    const database = new Database(sqlite.file)
    onTestFinished(() => void database.close())
    const beat = async () => {
      const before = beats.length
      await expect.poll(() => beats.length).toBeGreaterThan(before + 1)
      return beats.at(-1)!
    }
    const until = async (id: string) => (await budgets.find({ id }))?.leaseUntil
    return { clock, ann: annOf(gateway), database, beat, until }
  }

  it('keeps a hold alive whose settle was rolled back, and leaves it alone once it is committed', async () => {
    const { clock, ann, database, beat, until } = await beating()
    const hold = await ann.budget.reserve({ tokens: 300 })
    database.exec('begin immediate')
    await hold.settle({ tokens: 300 }, { transaction: database })
    database.exec('rollback')
    clock.advance(LEASE_MS - 1)
    expect(await beat()).toEqual([hold.id])
    expect(await until(hold.id)).toBe(clock.now() + LEASE_MS)
    database.exec('begin immediate')
    await hold.settle({ tokens: 100 }, { transaction: database })
    database.exec('commit')
    clock.advance(LEASE_MS)
    const younger = await ann.budget.reserve({ tokens: 1 })
    await expect.poll(beat).toEqual([younger.id])
  })

  it('forgets a hold that was rolled back once its lease would be over, and not while it may still be committed', async () => {
    const { clock, ann, database, beat } = await beating()
    database.exec('begin immediate')
    const lost = await ann.budget.reserve({ tokens: 300 }, { transaction: database })
    database.exec('rollback')
    const kept = await ann.budget.reserve({ tokens: 1 })
    clock.advance(LEASE_MS - 1)
    expect(await beat()).toEqual([lost.id, kept.id])
    clock.advance(1)
    await expect.poll(beat).toEqual([kept.id])
  })
})

describe('what cannot be joined is refused, and told by the name of the field', () => {
  const refusal = (message: RegExp) => ({
    code: 'invalid_options',
    details: { param: 'transaction' },
    message: expect.stringMatching(message) as string,
  })

  it('a gateway that has not started, whose start would wait for the transaction', async () => {
    const gateway = createGateway({ logger: false, providers: [{ type: 'demo' }] })
    onTestFinished(() => gateway.close())
    const early = annOf(gateway).budget.reserve({ tokens: 1 }, { transaction: {} })
    await expect(early).rejects.toMatchObject({ code: 'not_ready', details: { param: 'transaction' } })
  })

  it('a storage whose budgets are elsewhere', async () => {
    const ann = annOf(await gatewayOn({}))
    await expect(ann.budget.reserve({ tokens: 1 }, { transaction: {} })).rejects.toMatchObject(refusal(/\(memory\)/))
    const hold = await ann.budget.reserve({ tokens: 1 })
    await expect(hold.settle({ tokens: 1 }, { transaction: {} })).rejects.toMatchObject(refusal(/leave it out/))
    await expect(hold.release({ transaction: {} })).rejects.toMatchObject(refusal(/leave it out/))
    await hold.release()
  })

  it('on SQLite: no transaction, one that has not begun, one on another file', async () => {
    const sqlite = sqliteFile()
    const { budgets } = await sqlite.open()
    onTestFinished(() => sqlite.remove())
    const database = new Database(':memory:')
    const release = (transaction: object) => Promise.resolve(budgets.join!(transaction).release('r'))
    const settled = (transaction: object) => expect((async () => release(transaction))()).rejects
    await settled(null as unknown as object).toMatchObject(refusal(/must be the SQLite database/))
    await settled({ query() {} }).toMatchObject(refusal(/must be the SQLite database/))
    await settled(database).toMatchObject(refusal(/no transaction is open/))
    database.exec('begin')
    await settled(database).toMatchObject(refusal(/has no tables/))
    database.exec('rollback')
  })

  it.skipIf(!hasPostgres)(
    'on PostgreSQL: no transaction, one that has not begun or is over, one elsewhere',
    async () => {
      const schema = postgresSchema()
      const { budgets } = await schema.open()
      onTestFinished(() => schema.remove())
      const release = async (transaction: object) => await budgets.join!(transaction).release('r')
      await expect(release({ prepare() {} })).rejects.toMatchObject(refusal(/must be a client of `pg`/))
      await expect(release(schema.pool())).rejects.toMatchObject(refusal(/no transaction is open/))
      const kysely = HOSTS[1]!.make()
      onTestFinished(() => kysely.remove())
      const over = await kysely.begin()
      await over.commit()
      await expect(release(over.transaction)).rejects.toMatchObject(refusal(/no transaction is open/))
      const elsewhere = sqlStorage(schema.pool(), { schema: 'hoosh_is_not_here' }).budgets
      const client = await schema.pool().connect()
      await client.query('begin')
      const there = async () => await elsewhere.join!(client).release('r')
      await expect(there()).rejects.toMatchObject(refusal(/has no tables/))
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
      await client.query('rollback')
      client.release()
    },
  )
})

describe.skipIf(!hasPostgres)("on PostgreSQL, the host's settings hold in the host's transaction", () => {
  async function twoClients() {
    const schema = postgresSchema()
    onTestFinished(() => schema.remove())
    const ann = annOf(await gatewayOn(await schema.open()))
    const pool = schema.pool()
    const [first, second] = [await pool.connect(), await pool.connect()]
    onTestFinished(async () => {
      for (const client of [first, second]) {
        await client.query('rollback')
        client.release()
      }
    })
    return { ann, first, second }
  }

  it('its limit for locks, after which it goes on; none of ours is left behind', async () => {
    const { ann, first, second } = await twoClients()
    for (const client of [first, second]) await client.query("begin; set local lock_timeout = '30ms'")
    await ann.budget.reserve({ tokens: 600 }, { transaction: first })
    const late = ann.budget.reserve({ tokens: 600 }, { transaction: second })
    await expect(late).rejects.toMatchObject({ code: 'store_unavailable', cause: { code: '55P03' } })
    const { rows } = await second.query("select current_setting('lock_timeout') as ms")
    expect(rows).toEqual([{ ms: '30ms' }])
    await first.query('rollback')
    await ann.budget.reserve({ tokens: 600 }, { transaction: second })
    await second.query('commit')
    expect(await ann.budget.available()).toEqual({ tokens: 400 })
  })

  it('its isolation: where another was quicker, the later one is told to begin again, and nothing is spent twice', async () => {
    const { ann, first, second } = await twoClients()
    for (const client of [first, second]) {
      await client.query('begin isolation level repeatable read')
      await client.query('select 1')
    }
    await ann.budget.reserve({ tokens: 600 }, { transaction: first })
    const late = ann.budget.reserve({ tokens: 400 }, { transaction: second })
    await first.query('commit')
    await expect(late).rejects.toMatchObject({ code: 'store_unavailable', cause: { code: '40001' } })
    await second.query('rollback')
    await second.query('begin isolation level serializable')
    const again = { transaction: second }
    await expect(ann.budget.reserve({ tokens: 401 }, again)).rejects.toMatchObject({ code: 'budget_exceeded' })
    await ann.budget.reserve({ tokens: 400 }, again)
    await second.query('commit')
    expect(await ann.budget.available()).toEqual({ tokens: 0 })
  })
})
