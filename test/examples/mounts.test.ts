import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startExample } from './start.js'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hoosh-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const used = (text: string) => (JSON.parse(text) as [{ name: string; used: number; reserved: number }])[0]

it('examples/koa prints commands that sign in, ask, spend one budget, and stops when it is asked to', async () => {
  const { url, commands, run, stop } = await startExample('koa', { cwd: folder() })
  expect((await fetch(`${url}/v1/models`)).status).toBe(401)
  expect(
    (await fetch(`${url}/translate`, { method: 'POST', body: new URLSearchParams({ text: 'Hello' }) })).status,
  ).toBe(401)
  const wrong = await fetch(`${url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'ada', password: 'x' }),
  })
  expect(wrong.status).toBe(401)

  const [login, chat, translate, pools] = commands
  expect(JSON.parse(await run(login))).toEqual({ hello: 'ada' })
  const asked = JSON.parse(await run(chat))
  expect(asked).toMatchObject({ object: 'chat.completion', usage: { provider: 'demo' } })
  const translated = JSON.parse(await run(translate))
  expect(translated.text).toContain('Translate into French')
  const pool = used(await run(pools))
  expect(pool).toMatchObject({ name: 'user:ada', used: 20_000 - translated.left.tokens, reserved: 0 })
  expect(pool.used).toBeGreaterThan(asked.usage.total_tokens)
  expect(await stop()).toBe(0)
})

it('examples/hono prints a token and commands that ask, stream, spend one budget, and stops when it is asked to', async () => {
  const { url, commands, run, stop } = await startExample('hono', { cwd: folder() })
  for (const path of ['/v1/chat/completions', '/haiku']) {
    for (const authorization of ['Bearer forged', null]) {
      const headers = { 'content-type': 'application/json', ...(authorization !== null && { authorization }) }
      expect((await fetch(`${url}${path}`, { method: 'POST', headers, body: '{}' })).status).toBe(401)
    }
  }
  const [chat, haiku, pools] = commands
  const asked = JSON.parse(await run(chat))
  expect(asked).toMatchObject({ object: 'chat.completion', usage: { provider: 'demo' } })
  expect(await run(haiku)).toContain('Write a haiku about the sea.')
  const pool = used(await run(pools))
  expect(pool).toMatchObject({ name: 'user:ada', reserved: 0 })
  expect(pool.used).toBeGreaterThan(asked.usage.total_tokens)
  expect(await stop()).toBe(0)
})
