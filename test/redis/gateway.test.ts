import { setTimeout as pause } from 'node:timers/promises'
import { createGateway, type Gateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import type { Storage } from '@hoosh/core/storage'
import { gate, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { redisStorage } from '@hoosh/redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, billed, headersOf, identify, PRICES, PROMPT, until } from '../support/money.js'
import { serve } from '../support/mounts.js'
import { CLIENT_KINDS, type ClientKind, connected, redisLedger, redisMissing } from '../support/redis.js'
import { type OwnRedis, ownRedis, redisServerMissing } from '../support/redis-server.js'
import { sqliteFile } from '../support/sqlite.js'

const missing = await redisMissing()
const noServer = redisServerMissing()

interface Door {
  readonly gateway: Gateway
  readonly provider: ScriptedProvider
  readonly url: string
  call(body: Record<string, unknown>): Promise<Response>
  pool(): Promise<{ used: object; held: { tokens: number } }>
}

async function door(storage: Partial<Storage>, options: object = {}): Promise<Door> {
  const provider = await scriptedProvider()
  const gateway = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url }],
    prices: PRICES,
    pools: { 'user:*': { tokens: 100_000, usd: 5, window: 'hour', limits: { requestsPerMinute: 3 } } },
    storage,
    migrate: true,
    logger: false,
    ...options,
  })
  const served = await serve(toNodeHandler(gateway, { identify }))
  onTestFinished(async () => {
    provider.release()
    await served.close()
    await gateway.close({ timeoutMs: 0 })
    await provider.close()
  })
  return {
    gateway,
    provider,
    url: served.url,
    call: (body) =>
      fetch(`${served.url}/v1/chat/completions`, {
        method: 'POST',
        headers: headersOf(),
        body: JSON.stringify(body),
      }),
    pool: async () => (await gateway.as({ user: 'alice', pool: 'user:alice' }).budget.pools())[0]!,
  }
}

describe.skipIf(missing !== null)(`a gateway on Redis ${missing ?? ''}`, () => {
  it.each(CLIENT_KINDS)('meters calls through %s, and limits them', async (kind) => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    const { call, pool, provider } = await door(await ledger.open(kind))
    expect((await call(ask())).status).toBe(200)
    const streamed = await call(ask({ stream: true }))
    expect(await streamed.text()).toContain('data: [DONE]')
    expect(await pool()).toMatchObject({ used: billed(provider.bill), held: { tokens: 0 } })
    expect((await call(ask())).status).toBe(200)
    const limited = await call(ask())
    expect([limited.status, await limited.json()]).toMatchObject([429, { error: { code: 'rate_limit_exceeded' } }])
  })

  it('beside SQL, which keeps what Redis does not', async () => {
    const ledger = redisLedger()
    const sqlite = sqliteFile()
    onTestFinished(async () => {
      await sqlite.remove()
      await ledger.remove()
    })
    const { budgets, rates, cache } = await ledger.open()
    const sql = await sqlite.open()
    const { call, pool, provider } = await door({ ...sql, budgets, rates, cache }, { audit: { key: 'of this test' } })
    expect((await call(ask())).status).toBe(200)
    expect(await pool()).toMatchObject({ used: billed(provider.bill), held: { tokens: 0 } })
    const totals = await sql.usage.totals({})
    expect(totals).toMatchObject([{ requests: 1, nanoUsd: billed(provider.bill).nanoUsd, pool: 'user:alice' }])
    await until(async () => (await sql.audit.query({ event: 'inference.response', limit: 9 })).entries.length > 0)
    const { entries } = await sql.audit.query({ limit: 100 })
    expect(entries.map(({ record }) => record.event)).toEqual(
      expect.arrayContaining(['inference.request', 'inference.response']),
    )
  })

  it('leaves no key without an end but those of what is held, of lifetimes, and the names', async () => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    const storage = await ledger.open()
    const { call, pool } = await door(storage)
    for (let at = 0; at < 2; at += 1) await (await call(ask())).text()
    await until(async () => (await pool()).held.tokens === 0)
    await storage.cache.put('k', Buffer.from('v'), 60_000)
    const lasting = [...(await ledger.keys())].filter(([, endsMs]) => endsMs < 0).map(([key]) => key)
    expect(lasting).toEqual(['', 'names'])
  })
})

describe.skipIf(noServer !== null)(`a gateway whose Redis goes away ${noServer ?? ''}`, () => {
  const LIFETIME = {
    pools: { 'user:*': { tokens: 100_000 } },
    audit: false,
    budget: { leaseMs: 120_000, renewMs: 100 },
    deadlines: { idleMs: 120_000 },
  }
  const TIMES = process.env.HOOSH_LONG === '1' ? [100, 5_000, 60_000] : [100]

  const started = async (kind: ClientKind): Promise<Door & { own: OwnRedis }> => {
    const own = await ownRedis('appendonly yes', 'appendfsync always')
    onTestFinished(() => own.remove())
    const { client, close } = await connected(kind, own.url)
    onTestFinished(close)
    return { own, ...(await door(redisStorage(client), LIFETIME)) }
  }

  it.each(CLIENT_KINDS)('refuses new calls at once, through %s', { retry: 2 }, async (kind) => {
    const { own, call, provider, gateway } = await started(kind)
    await gateway.ready()
    await own.stop('SIGKILL')
    const took: number[] = []
    for (let at = 0; at < 5; at += 1) {
      const began = performance.now()
      const reply = await call(ask())
      took.push(performance.now() - began)
      expect([reply.status, await reply.json()]).toMatchObject([503, { error: { code: 'store_unavailable' } }])
    }
    // The quickest: this machine may do other things too.
    expect(Math.min(...took)).toBeLessThan(250)
    expect(provider.bill.attempts).toBe(0)
  })

  it.each(CLIENT_KINDS.flatMap((kind) => TIMES.map((ms) => [kind, ms] as const)))(
    'through %s, for %d ms: lets streams go on, settles them when it is back, and charges nothing that was refused meanwhile',
    { timeout: 240_000 },
    async (kind, ms) => {
      const { own, call, provider, pool, gateway } = await started(kind)
      const holding = await Promise.all(
        Array.from({ length: 5 }, () =>
          gateway.as({ user: 'alice', pool: 'user:alice' }).budget.reserve({ tokens: 9 }),
        ),
      )
      const [ended, going] = [gate(), gate()]
      for (const middle of [ended, going]) provider.script({ tokens: 60, holdAfter: { events: 6, gate: middle } })
      const streams = [await call(ask({ stream: true })), await call(ask({ stream: true }))] as const
      await own.stop('SIGKILL')
      const stoppedAt = performance.now()
      const refused = await Promise.all(Array.from({ length: 5 }, () => call(ask())))
      expect(refused.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
      ended.open()
      expect([streams[0].status, (await streams[0].text()).includes('data: [DONE]')]).toEqual([200, true])
      await pause(Math.max(0, ms - (performance.now() - stoppedAt)))
      expect((await call(ask())).status).toBe(503)
      await own.start()
      const away = Math.round(performance.now() - stoppedAt)
      going.open()
      expect((await streams[1].text()).includes('data: [DONE]')).toBe(true)
      await expect.poll(pool).toMatchObject({ used: billed(provider.bill), held: { tokens: 5 * 9 } })
      expect(provider.bill).toMatchObject({ attempts: 2, promptTokens: 2 * PROMPT.billed })
      await Promise.all(holding.map((one) => one.release()))
      expect((await call(ask())).status).toBe(200)
      await expect.poll(pool).toMatchObject({ used: billed(provider.bill), held: { tokens: 0 } })
      if (ms > 100) console.log(`${kind}: away for ${away} ms, all charged`)
    },
  )
})
