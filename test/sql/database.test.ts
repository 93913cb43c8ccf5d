import { randomUUID } from 'node:crypto'
import { createGateway } from '@hoosh/core'
import type { BudgetStore, ReserveRequest } from '@hoosh/core/storage'
import { nothing } from '@hoosh/core/storage'
import { type SqlDatabase, type SqlStorageOptions, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuditLog } from '../../packages/core/src/audit/log.js'
import { sqliteFile } from '../support/sqlite.js'

const tokens = (count: number) => ({ tokens: count, nanoUsd: 0 })

const request = (id: string, more: Partial<ReserveRequest> = {}): ReserveRequest => {
  const terms = { capacity: { tokens: 1_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
  const ask = { fixed: tokens(10), each: nothing, floor: 0, wish: 0, atMost: 0 }
  const call = { owner: 'ann', phase: 'sent', leaseMs: 60_000, now: 0, onExpire: 'charge' } as const
  return { id, pools: [{ name: 'user:ann', terms }], ask, ...call, ...more }
}

/** Blobs as better-sqlite3 gives them: libsql's are bare ArrayBuffers. */
const withBuffers = (rows: unknown[]) =>
  (rows as Record<string, unknown>[]).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value instanceof ArrayBuffer ? Buffer.from(value) : value]),
    ),
  )

/** A database that counts what is run on it, with no method but the one that hoosh needs. */
async function counted(options: SqlStorageOptions = {}) {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  onTestFinished(async () => {
    database.close()
    await sqlite.remove()
  })
  const ran: string[] = []
  const only: SqlDatabase = {
    prepare(source) {
      const statement = database.prepare(source)
      const note = <Result>(result: Result) => {
        ran.push(source)
        return result
      }
      return {
        reader: statement.reader,
        all: (parameters) => note(withBuffers(statement.all(parameters))),
        run: (parameters) => note(statement.run(parameters)),
      }
    },
  }
  const storage = sqlStorage(only, options)
  await storage.open!({ migrate: true })
  ran.length = 0
  const times = (text: string) => ran.filter((source) => source === text).length
  return {
    database,
    storage,
    file: sqlite.file,
    commits: () => ({ begun: times('begin immediate'), committed: times('commit') }),
    pragma: (name: string) => Object.values(database.prepare(`pragma ${name}`).all([])[0] as object)[0],
  }
}

const states = async (budgets: BudgetStore, ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => (await budgets.find({ id }))?.state))

describe('commits are shared', () => {
  const ids = Array.from({ length: 200 }, (_, index) => `r${index}`)

  it('200 reserves at once are one transaction, and so are their settles with usage and records', async () => {
    const { storage, commits } = await counted()
    const intent = (id: string) => ({ id: `i${id}`, timestamp: 1, event: 'x', level: 'info', message: id }) as const
    const roomy = { pools: [{ name: 'open', terms: { ...request('').pools[0]!.terms!, capacity: {} } }] }
    await Promise.all(ids.map(async (id) => storage.budgets.reserve({ ...request(id, roomy), intent: intent(id) })))
    expect(commits()).toEqual({ begun: 1, committed: 1 })
    await Promise.all(ids.map(async (id) => storage.budgets.settle(id, tokens(3), { audit: [intent(`o${id}`)] })))
    expect(commits()).toEqual({ begun: 2, committed: 2 })
    expect((await storage.audit.query({ limit: 1 })).total).toBe(400)
  })

  it('what is refused among them undoes nothing of the others', async () => {
    const { storage, commits } = await counted()
    const outcomes = await Promise.allSettled(ids.map(async (id) => storage.budgets.reserve(request(id))))
    expect(commits()).toEqual({ begun: 1, committed: 1 })
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100)
    const found = await states(storage.budgets, ids)
    expect(found).toEqual(outcomes.map(({ status }) => (status === 'fulfilled' ? 'held' : undefined)))
  })

  it('one that comes alone waits for nobody, and 1,000 leave the event loop its turns', async () => {
    const { storage, commits } = await counted()
    await storage.budgets.reserve(request('alone'))
    expect(commits()).toEqual({ begun: 1, committed: 1 })
    await Promise.all(
      Array.from({ length: 1_000 }, async () => storage.budgets.renew([{ id: 'alone', counted: nothing }], 1)),
    )
    expect(commits()).toEqual({ begun: 5, committed: 5 })
  })

  it('fifty calls through a gateway take far fewer commits than the hundred that they write', async () => {
    const { storage, commits } = await counted()
    const gateway = createGateway({ storage, providers: [{ type: 'demo' }], logger: false })
    onTestFinished(() => gateway.close())
    const ann = gateway.as({ user: 'ann' })
    await ann.budget.available()
    const before = commits().begun
    const call = () => ann.chat({ model: 'demo', messages: [{ role: 'user', content: 'hi' }], max_tokens: 20 })
    await Promise.all(Array.from({ length: 50 }, call))
    expect(commits().begun - before).toBeLessThan(40)
  })
})

describe('the connection', () => {
  it('may give blobs as Buffers', async () => {
    const { storage } = await counted()
    let now = 0
    const clock = () => now++
    const log = createAuditLog({ store: storage.audit, node: 'n', clock, ids: randomUUID, mode: 'strict' })
    await log.start()
    await log.stage(log.record({ event: 'host.event', level: 'info', message: 'ünïcode' }))
    await log.close()
    await log.scrub()
    const { entries } = await log.query({ limit: 10 })
    expect(entries.map(({ event, message }) => [event, message])[1]).toEqual(['host.event', 'ünïcode'])
    expect(log.status()).toMatchObject({ chain_valid: true, verified_through: { [log.writer]: 3 } })
  })

  it('is told to write ahead, and to wait for the disk only where that is asked', async () => {
    const normal = await counted()
    expect([normal.pragma('journal_mode'), normal.pragma('synchronous')]).toEqual(['wal', 1])
    expect((await counted({ durability: 'full' })).pragma('synchronous')).toBe(2)
  })

  it("keeps the host's own patience with locks", async () => {
    const { database, pragma } = await counted()
    expect(pragma('busy_timeout')).toBe(250)
    database.exec('pragma busy_timeout = 7')
    await sqlStorage(database).open!({ migrate: false })
    expect(pragma('busy_timeout')).toBe(7)
  })

  it.each(['commit', 'rollback'])(
    "waits for a transaction of the host's on the same object that ends with %s",
    async (end) => {
      const { database, storage } = await counted()
      database.exec('create table orders (n)')
      database.exec('begin')
      database.exec('insert into orders values (1)')
      const reserving = (async () => storage.budgets.reserve(request('r')))()
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      expect(database.prepare('select count(*) as held from hoosh_holds').all([])).toEqual([{ held: 0 }])
      database.exec(end)
      await reserving
      expect(await states(storage.budgets, ['r'])).toEqual(['held'])
      expect(database.prepare('select n from orders').all([])).toEqual(end === 'commit' ? [{ n: 1 }] : [])
    },
  )

  it('behind a lock that does not end says so, has done nothing, and works again afterwards', async () => {
    const { database, storage, file } = await counted()
    database.exec('pragma busy_timeout = 1')
    const other = new Database(file)
    onTestFinished(() => void other.close())
    other.exec('begin immediate')
    await expect((async () => storage.budgets.reserve(request('r')))()).rejects.toMatchObject({
      code: 'store_unavailable',
      message: 'The SQL storage does not answer; try again.',
    })
    expect(await states(storage.budgets, ['r'])).toEqual([undefined])
    other.exec('commit')
    await storage.budgets.reserve(request('r'))
    expect(await states(storage.budgets, ['r'])).toEqual(['held'])
  })

  it('waits for another process that stands with the lock in hand', async () => {
    const { database, storage, file } = await counted()
    database.exec('pragma busy_timeout = 1')
    const other = new Database(file)
    onTestFinished(() => void other.close())
    other.exec('begin immediate')
    const reserving = (async () => storage.budgets.reserve(request('r')))()
    await new Promise((resolve) => setTimeout(resolve, 500))
    other.exec('commit')
    await reserving
    expect(await states(storage.budgets, ['r'])).toEqual(['held'])
  })

  it('of another kind of database is refused', async () => {
    const none: SqlDatabase = {
      prepare() {
        throw new TypeError('function sqlite_version() does not exist')
      },
    }
    await expect(sqlStorage(none).open!({ migrate: true })).rejects.toMatchObject({
      code: 'not_ready',
      message: expect.stringContaining('SQLite'),
    })
  })

  it('takes nothing any more once the storage is closed, and stays the host’s', async () => {
    const { database, storage } = await counted()
    const last = (async () => storage.budgets.reserve(request('r')))()
    await storage.close!()
    await last
    await expect((async () => storage.budgets.reserve(request('s')))()).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    expect(database.prepare('select reservation from hoosh_holds').all([])).toEqual([{ reservation: 'r' }])
  })
})
