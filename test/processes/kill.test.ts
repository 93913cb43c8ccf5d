import { diagnose } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'

const script = new URL('../processes/gateway-child.mjs', import.meta.url)

const start = async (place: string, tokens = 1_000_000) => {
  const started = await child(script, [place, JSON.stringify({ pools: { 'user:*': { tokens } } })])
  onTestFinished(() => killed(started.process))
  return { process: started.process, url: `http://127.0.0.1:${started.line}` }
}

const read = async (url: string, path: string) => (await fetch(`${url}${path}`)).json() as Promise<never>

const until = async (holds: () => Promise<boolean>) => {
  for (let tries = 0; tries < 100 && !(await holds()); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
}

describe.each(DATABASES)('on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)(
    'kill -9 in mid-stream: nothing is held after the lease, and of three processes that sweep one charges, bills and tells',
    { timeout: 120_000 },
    async () => {
      const database = make()
      onTestFinished(() => database.remove())
      const { place } = database
      const first = await start(place)
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
      const [before] = (await read(first.url, '/v1/tokens/pools')) as [{ reserved: number }]
      expect(before.reserved).toBeGreaterThan(0)
      await killed(first.process)
      await reader.cancel().catch(() => {})

      const started = await Promise.all([1, 2, 3].map(() => start(place)))
      const { url } = started[0]!
      const pool = async () => ((await read(url, '/v1/tokens/pools')) as [{ reserved: number; used: number }])[0]
      // A gateway does nothing before its first request.
      await Promise.all(started.map((one) => read(one.url, '/v1/tokens/pools')))
      await until(async () => (await pool()).reserved === 0)
      expect(await pool()).toMatchObject({ reserved: 0, used: before.reserved })
      type Costs = { total_requests: number; total_prompt_tokens: number; total_completion_tokens: number }
      const costs = (await read(url, '/v1/costs')) as Costs
      expect(costs.total_requests).toBe(1)
      expect(costs.total_prompt_tokens + costs.total_completion_tokens).toBe(before.reserved)
      type Log = { chain_valid: boolean; entries: { event: string; integrity?: object }[] }
      const log = async () => (await read(url, '/v1/audit')) as Log
      const boots = ({ entries }: Log) => entries.filter(({ event }) => event === 'audit.boot').length
      await until(async () => {
        const now = await log()
        return boots(now) === 4 && now.entries.every(({ integrity }) => integrity !== undefined)
      })
      const { chain_valid, entries } = await log()
      expect(chain_valid).toBe(true)
      const events = entries.map(({ event }) => event)
      expect(events).toContain('inference.request')
      expect(events.filter((event) => event === 'inference.lost')).toHaveLength(1)
      expect(await diagnose(await database.open())).toMatchObject({ verdict: 'sound', findings: [] })
    },
  )

  it.skipIf(missing !== null)(
    'kill -9 in a call with an idempotency key: the process after it refuses the key rather than charge twice',
    { timeout: 120_000 },
    async () => {
      const database = make()
      onTestFinished(() => database.remove())
      const { place } = database
      const ask = (url: string, key: string, model: string) =>
        fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': key },
          body: JSON.stringify({ model, stream: true, max_tokens: 500, messages: [{ role: 'user', content: 'hi' }] }),
        })
      const first = await start(place)
      const answered = await (await ask(first.url, 'k-1', 'demo')).text()
      expect(answered).toContain('[DONE]')
      const reader = (await ask(first.url, 'k-2', 'demo-slow')).body!.getReader()
      await reader.read()
      await killed(first.process)
      await reader.cancel().catch(() => {})

      const { url } = await start(place)
      const pool = async () => ((await read(url, '/v1/tokens/pools')) as [{ reserved: number; used: number }])[0]
      const refused = async () => {
        const reply = await ask(url, 'k-2', 'demo-slow')
        return [reply.status, ((await reply.json()) as { error: { code: string } }).error.code]
      }
      expect(await refused()).toEqual([409, 'idempotency_unknown'])
      await until(async () => (await pool()).reserved === 0)
      const { used } = await pool()
      expect(await refused()).toEqual([409, 'idempotency_unknown'])
      expect(await pool()).toMatchObject({ reserved: 0, used })
    },
  )
})
