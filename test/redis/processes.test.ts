import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createGateway, type PoolSnapshot } from '@hoosh/core'
import { diagnose } from '@hoosh/core/storage'
import { scriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { PRICES, until } from '../support/money.js'
import { CLIENT_KINDS, REDIS_URL, redisLedger, redisMissing } from '../support/redis.js'
import { balances } from '../support/redis-invariants.js'
import { RUSH_POOLS, SEEDS as RUSH_SEEDS, rush } from '../support/rush.js'

const missing = await redisMissing()
const isLong = process.env.HOOSH_LONG === '1'
const PROCESSES = 4
const CALLS = isLong ? 10_000 : 2_000
const SEEDS = Array.from({ length: isLong ? 20 : 2 }, (_, index) => index + 1)
const LONG_MS = 1_800_000

const gatewayChild = new URL('../processes/gateway-child.mjs', import.meta.url)
const path = (script: string) => fileURLToPath(new URL(script, import.meta.url))

/** Reservations of four processes at once, that begin together; what they came to, and every sample meanwhile. */
async function reservations(seed: number, cap: number, pools: readonly string[]) {
  const ledger = redisLedger()
  onTestFinished(() => ledger.remove())
  const books = balances(REDIS_URL, ledger.prefix)
  onTestFinished(() => books.close())
  const started = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, at) => {
      const args = [REDIS_URL, ledger.prefix, CLIENT_KINDS[at % 2]!, seed * 100 + at, CALLS / PROCESSES, cap, ...pools]
      const running = spawn(process.execPath, [path('reserve-child.mjs'), ...args.map(String)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      onTestFinished(() => killed(running))
      let output = ''
      running.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      while (!output.includes('\n')) await once(running.stdout, 'data')
      return { running, ended: once(running, 'exit'), said: () => output.split('\n')[1] ?? '{}' }
    }),
  )
  for (const { running } of started) running.stdin.end()
  let isOver = false
  const over = Promise.all(started.map(({ ended }) => ended)).then(() => {
    isOver = true
  })
  const { budgets } = await ledger.open()
  // How this server is set is not what is tested.
  const faults = async () => (await diagnose({ budgets })).findings.filter(({ code }) => code !== 'setting')
  const samples = []
  do {
    if (samples.length > 0) expect(await faults()).toEqual([])
    for (const pool of pools) samples.push(await books.of(pool))
    // Adding up stops the server for everybody, so not without pause.
    await pause(100)
  } while (!isOver)
  await over
  expect(await faults()).toEqual([])
  const outcomes: Record<string, number> = {}
  for (const { said } of started) {
    for (const [outcome, count] of Object.entries(JSON.parse(said()) as Record<string, number>))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count
  }
  const last = await Promise.all(pools.map((pool) => books.of(pool)))
  return { outcomes, samples: [...samples, ...last], last }
}

describe.skipIf(missing !== null)(`processes on one Redis ${missing ?? ''}`, () => {
  it.each([
    ['one pool', ['hot']],
    ['three pools, named in random order', ['hot', 'warm', 'cold']],
  ])(
    `of ${CALLS} reservations at once by four of them, over %s that fit half, exactly half are granted, every seed`,
    { timeout: LONG_MS },
    async (_, pools) => {
      for (const seed of SEEDS) {
        const { outcomes, samples, last } = await reservations(seed, CALLS / 2, pools)
        const { settled = 0, held = 0, ...refused } = outcomes
        expect([settled + held, refused], `seed ${seed}`).toEqual([CALLS / 2, { budget_exceeded: CALLS / 2 }])
        for (const { used, held: inHold, openHolds, entries } of samples) {
          expect([inHold, used], `seed ${seed}`).toEqual([openHolds, entries])
          expect(used + inHold).toBeLessThanOrEqual(CALLS / 2)
        }
        expect(last).toEqual(pools.map(() => ({ used: settled, entries: settled, held, openHolds: held, open: held })))
      }
    },
  )

  it('of 50 calls at once before four gateways, what five can cost, five are answered, every seed', {
    timeout: LONG_MS,
  }, async () => {
    const ledger = redisLedger()
    const provider = await scriptedProvider()
    const options = {
      providers: [{ type: 'openai', baseUrl: provider.url }],
      prices: PRICES,
      pools: RUSH_POOLS,
      budget: {},
      audit: false,
    } as const
    // A fifth, which only looks.
    const watcher = createGateway({ ...options, storage: await ledger.open(), logger: false })
    const args = [`${REDIS_URL}?prefix=${ledger.prefix}`, JSON.stringify(options)]
    const started = await Promise.all(Array.from({ length: PROCESSES }, () => child(gatewayChild, args)))
    onTestFinished(async () => {
      for (const { process } of started) await killed(process)
      await watcher.close()
      await provider.close()
      await ledger.remove()
    })
    const urls = started.map(({ line }) => `http://127.0.0.1:${line}`)
    const pool = async (name: string): Promise<PoolSnapshot> =>
      (await watcher.as({ user: 'watcher', pool: name }).budget.pools())[0]!
    for (const seed of RUSH_SEEDS) await rush(seed, ['tight'], { provider, urls, pool })
  })

  it('kill -9 in mid-stream: nothing is held after the lease, and of three that sweep one charges the hold in full', async () => {
    const ledger = redisLedger()
    onTestFinished(() => ledger.remove())
    const start = async () => {
      const started = await child(gatewayChild, [`${REDIS_URL}?prefix=${ledger.prefix}`])
      onTestFinished(() => killed(started.process))
      const url = `http://127.0.0.1:${started.line}`
      type Pool = { reserved: number; used: number }
      const pool = async () => ((await (await fetch(`${url}/v1/tokens/pools`)).json()) as [Pool])[0]
      return { ...started, url, pool }
    }
    const first = await start()
    const reply = await fetch(`${first.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'demo-slow',
        stream: true,
        max_tokens: 500,
        messages: [{ role: 'user', content: 'hi' }],
      }),
    })
    const reader = reply.body!.getReader()
    await reader.read()
    const before = await first.pool()
    expect(before.reserved).toBeGreaterThan(0)
    await killed(first.process)
    await reader.cancel().catch(() => {})
    const others = await Promise.all([start(), start(), start()])
    // A gateway does nothing before its first request.
    await Promise.all(others.map((one) => one.pool()))
    await until(async () => (await others[0]!.pool()).reserved === 0)
    expect(await others[1]!.pool()).toMatchObject({ reserved: 0, used: before.reserved })
    const { budgets } = await ledger.open()
    const entries = await budgets.entries('user:ann', { limit: 10 })
    expect(entries.map(({ kind }) => kind)).toEqual(['expired'])
  })
})
