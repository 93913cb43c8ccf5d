import { setTimeout as pause } from 'node:timers/promises'
import { faultProxy, gate } from '@hoosh/core/testing'
import { type SqlStorageOptions, sqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { takenApart, words } from '../support/answers.js'
import { ask, billed, type StoreKind, type Till, till, until } from '../support/money.js'
import { hasPostgres, PATIENT_MS, postgresPool, postgresSchema } from '../support/postgres.js'
import { hasPostgresPrograms, postgresServer } from '../support/postgres-server.js'

/** PostgreSQL behind a port, as a host has it; what is not about silence is not to fail because the machine paused. */
function behind(port: number, options: SqlStorageOptions): StoreKind {
  return {
    name: 'PostgreSQL',
    async open() {
      // Without a limit of its own, a pool waits for ever for a connection that nobody answers.
      const pool = postgresPool({ port, connectionTimeoutMillis: 1_000 })
      const storage = sqlStorage(pool, options)
      return {
        storage,
        records: () => [],
        remove: async () => void pool.end().catch(() => {}),
      }
    },
  }
}

const TOKENS = 60

/** A stream that stops in the middle until it is let go on. */
async function openStream(counter: Till) {
  const middle = gate()
  counter.provider.script({ tokens: TOKENS, holdAfter: { events: 6, gate: middle } })
  const reply = await counter.call(ask({ stream: true, max_tokens: 100 }))
  expect(reply.status).toBe(200)
  return {
    async goOn() {
      middle.open()
      return takenApart(reply, await reply.text())
    },
  }
}

async function start(kind: StoreKind): Promise<Till> {
  // Heartbeats that fail must not end what has its lease.
  const counter = await till(kind, {
    pools: { 'user:*': { tokens: 100_000 } },
    budget: { renewMs: 100, leaseMs: 120_000 },
    deadlines: { idleMs: 120_000 },
  })
  onTestFinished(() => counter.close())
  await counter.gateway.ready()
  // The first call of a process makes connections and rows.
  await (await counter.call(ask())).text()
  await counter.settled()
  return counter
}

/** New calls are refused, not unidentified, and nobody upstream hears of them. */
async function refuses(counter: Till): Promise<number> {
  const before = counter.provider.bill.attempts
  const asked = performance.now()
  const reply = await counter.call(ask())
  const ms = performance.now() - asked
  expect([reply.status, await reply.json()]).toMatchObject([503, { error: { code: 'store_unavailable' } }])
  expect(counter.provider.bill.attempts).toBe(before)
  return ms
}

async function refusals(counter: Till, count: number): Promise<number[]> {
  const took: number[] = []
  while (took.length < count) took.push(await refuses(counter))
  return took
}

/** Ids of reservations that the gateway has told its caller of. */
async function reserved(counter: Till): Promise<string[]> {
  const replies = await Promise.all(
    Array.from({ length: 10 }, () => counter.call({ tokens: 5 }, { path: 'tokens/reserve' })),
  )
  const bodies = (await Promise.all(replies.map((reply) => reply.json()))) as { reservation_id: string }[]
  return bodies.map(({ reservation_id }) => reservation_id)
}

/** All is paid, and nothing is held any more. */
async function balances(counter: Till): Promise<void> {
  await until(async () => {
    const { held, used } = await counter.pool().catch(() => ({ held: { tokens: 1 }, used: { tokens: 0 } }))
    return held.tokens === 0 && used.tokens === billed(counter.provider.bill).tokens
  }, 1_500)
  const { used, held } = await counter.pool()
  expect({ used, held: held.tokens }).toEqual({ used: billed(counter.provider.bill), held: 0 })
}

describe.skipIf(!hasPostgres)('a PostgreSQL that says nothing any more', () => {
  it('refuses new calls within 250 ms, lets streams end, and takes their charge once it is back', {
    retry: 3,
    timeout: 60_000,
  }, async () => {
    const schema = postgresSchema()
    const proxy = await faultProxy('http://127.0.0.1:5432')
    onTestFinished(async () => {
      await proxy.close()
      await schema.remove()
    })
    const counter = await start(behind(proxy.port, { schema: schema.schema }))
    const stream = await openStream(counter)
    proxy.set({ halfOpen: true })
    for (let call = 0; call < 5; call += 1) expect(await refuses(counter)).toBeLessThan(250)
    const { isDone, said } = await stream.goOn()
    expect([isDone, words(said)]).toEqual([true, TOKENS])
    proxy.set({})
    await balances(counter)
    expect((await counter.call(ask())).status).toBe(200)
    await balances(counter)
  })

  it('of a commit whose answer was lost: one hold, one charge', async () => {
    const schema = postgresSchema()
    const proxy = await faultProxy('http://127.0.0.1:5432')
    onTestFinished(async () => {
      await proxy.close()
      await schema.remove()
    })
    const pool = postgresPool({ port: proxy.port, max: 1 })
    onTestFinished(() => pool.end())
    const { budgets, migrate } = sqlStorage(pool, { schema: schema.schema, silenceMs: 1_000 })
    await migrate()
    const terms = { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
    const amount = { tokens: 40, nanoUsd: 0 }
    const request = {
      id: 'r',
      owner: 'ann',
      phase: 'sent',
      pools: [{ name: 'user:ann', terms }],
      ask: { fixed: amount, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
      leaseMs: 60_000,
      now: 0,
      onExpire: 'charge',
    } as const
    // The line breaks somewhere in the conversation, a little later each time, the last word of the commit included.
    for (let bytes = 100; bytes < 1_600; bytes += 100) {
      proxy.set({ cutAfterBytes: bytes })
      await Promise.resolve(budgets.reserve(request)).catch(() => {})
      await Promise.resolve(budgets.settle('r', amount)).catch(() => {})
      proxy.resetAll()
    }
    proxy.set({})
    if ((await budgets.find({ id: 'r' })) === null) await budgets.reserve(request)
    await budgets.settle('r', amount)
    const [state] = await budgets.read(request.pools, 0)
    expect([state!.used.tokens, state!.held.tokens]).toEqual([40, 0])
    expect(await budgets.entries('user:ann', { limit: 10 })).toHaveLength(1)
  })
})

describe.skipIf(!hasPostgresPrograms)('a PostgreSQL that has become a replica', () => {
  it('is no silence either: the error says by which code it refuses, and to look for the primary', {
    timeout: 60_000,
  }, async () => {
    const server = await postgresServer()
    onTestFinished(() => server.remove())
    const pool = postgresPool({ port: server.port })
    onTestFinished(() => pool.end())
    const storage = sqlStorage(pool, { silenceMs: 5_000 })
    await storage.open!({ migrate: true })
    await server.demote()
    expect(await storage.usage.totals({})).toEqual([])
    const refused = (state: string) => ({
      code: 'store_unavailable',
      message: expect.stringMatching(new RegExp(`SQLSTATE ${state}.*whether it is the primary`)),
    })
    await expect(storage.budgets.expire({ limit: 1, onExpire: 'charge' })).rejects.toMatchObject(refused('0A000'))
    await expect(storage.cache.delete('k')).rejects.toMatchObject(refused('25006'))
  })
})

describe.skipIf(!hasPostgres)('a PostgreSQL that does not let us in', () => {
  it('is listened to once, however often the start is tried again', async () => {
    const pool = postgresPool({ port: 1 })
    onTestFinished(() => pool.end())
    const storage = sqlStorage(pool)
    for (let tries = 0; tries < 3; tries += 1) await expect(storage.open!({ migrate: true })).rejects.toThrow()
    expect(pool.listenerCount('error')).toBe(1)
    await storage.close!()
    expect(pool.listenerCount('error')).toBe(0)
  })

  it('for want of rights is no silence: the error says by which code it refuses', async () => {
    const postgres = postgresSchema()
    const pool = postgres.pool({ max: 1 })
    const guest = `${postgres.schema}_guest`
    onTestFinished(async () => {
      await pool.query('reset role')
      await postgres.read(`drop role ${guest}`)
      await postgres.remove()
    })
    await postgres.open()
    await postgres.read(`create role ${guest}`)
    await pool.query(`set role ${guest}`)
    const storage = sqlStorage(pool, { schema: postgres.schema })
    await expect(storage.open!({ migrate: true })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/SQLSTATE 42501.*rights of its role/),
    })
  })

  it('since the host has all connections of its pool: the error says so', async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const pool = postgres.pool({ max: 1 })
    const storage = sqlStorage(pool, { schema: postgres.schema })
    await storage.open!({ migrate: true })
    const taken = await pool.connect()
    await expect(storage.usage.totals({})).rejects.toThrow(/No connection to the database was free/)
    taken.release()
    expect(await storage.usage.totals({})).toEqual([])
  })
})

const TIMES = process.env.HOOSH_LONG === '1' ? [100, 5_000, 60_000] : [100]

describe.skipIf(!hasPostgresPrograms)('a PostgreSQL that is stopped in mid-stream', () => {
  it.each(TIMES.flatMap((ms) => [['fast', ms] as const, ['immediate', ms] as const]))(
    '(%s) for %d ms loses nothing that it acknowledged, and ends no stream',
    { timeout: 240_000 },
    async (mode, ms) => {
      const server = await postgresServer()
      onTestFinished(() => server.remove())
      const counter = await start(behind(server.port, { silenceMs: PATIENT_MS }))
      const { budgets } = counter.vault.storage
      const streams = [await openStream(counter), await openStream(counter)]
      const acknowledged = await reserved(counter)
      await server.stop(mode)
      const stoppedAt = performance.now()
      const quickest = Math.min(...(await refusals(counter, 3)))
      const first = await streams[0]!.goOn()
      expect([first.isDone, words(first.said)]).toEqual([true, TOKENS])
      await pause(Math.max(0, ms - (performance.now() - stoppedAt)))
      expect(Math.min(quickest, ...(await refusals(counter, 3)))).toBeLessThan(250)
      await server.start()
      const away = Math.round(performance.now() - stoppedAt)
      const second = await streams[1]!.goOn()
      expect([second.isDone, words(second.said)]).toEqual([true, TOKENS])
      await until(async () => (await counter.call(ask())).status === 200)
      // It may still be slower than the patience of a host.
      for (const id of acknowledged) {
        await expect.poll(async () => (await budgets.find({ id }))?.state).toBe('held')
        await expect.poll(async () => (await budgets.release(id)).outcome).toBe('released')
      }
      await balances(counter)
      if (ms > 100) console.log(`${mode}: away for ${away} ms, refused within ${Math.round(quickest)} ms, all charged`)
    },
  )
})
