import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'

const script = new URL('../processes/gateway-child.mjs', import.meta.url)

const start = async (file: string, tokens = 1_000_000) => {
  const started = await child(script, [file, JSON.stringify({ pools: { 'user:*': { tokens } } })])
  onTestFinished(() => killed(started.process))
  return { process: started.process, url: `http://127.0.0.1:${started.line}` }
}

const read = async (url: string, path: string) => (await fetch(`${url}${path}`)).json() as Promise<never>

const until = async (holds: () => Promise<boolean>) => {
  for (let tries = 0; tries < 100 && !(await holds()); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
}

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

it('kill -9 in mid-stream: after restart and lease nothing is held, the call is charged, the log verifies and tells', async () => {
  const file = join(folder(), 'hoosh.sqlite')
  const first = await start(file)
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

  const second = await start(file)
  const pool = async () => ((await read(second.url, '/v1/tokens/pools')) as [{ reserved: number; used: number }])[0]
  await until(async () => (await pool()).reserved === 0)
  expect(await pool()).toMatchObject({ reserved: 0, used: before.reserved })
  type Log = { chain_valid: boolean; entries: { event: string; integrity?: object }[] }
  const log = async () => (await read(second.url, '/v1/audit')) as Log
  await until(async () => (await log()).entries.every(({ integrity }) => integrity !== undefined))
  const { chain_valid, entries } = await log()
  expect(chain_valid).toBe(true)
  const events = entries.map(({ event }) => event)
  expect(events).toContain('inference.request')
  expect(events).toContain('inference.lost')
  expect(events.filter((event) => event === 'audit.boot')).toHaveLength(2)
})
