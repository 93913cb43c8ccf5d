import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { NO_KEYS } from './start.js'

it('examples/express starts, prints a curl line that works, streams, charges, logs, and stops when it is asked to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-'))
  const script = new URL('../../examples/express/dist/main.js', import.meta.url)
  const app = await child(script, [], {
    PORT: '0',
    DATABASE: join(folder, 'app.sqlite'),
    ...NO_KEYS,
  })
  onTestFinished(async () => {
    await killed(app.process)
    rmSync(folder, { recursive: true, force: true })
  })
  for (let tries = 0; tries < 100 && !app.output().includes('in a browser'); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
  const printed = app.output()
  const url = /http:\/\/localhost:\d+/.exec(printed)![0].replace('localhost', '127.0.0.1')
  const [ada, admin] = [/Ada +(\S+)/, /admin +(\S+)/].map((pattern) => pattern.exec(printed)![1]!)
  const as = (token: string | undefined) => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })

  const [, path, body] = /curl \S+?(\/v1\S+)[\s\S]*?-d '([^']+)'/.exec(printed)!
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: as(ada), body: body! })
  expect(await answer.json()).toMatchObject({ object: 'chat.completion', usage: { provider: 'demo' } })

  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: ada! })
  let text = ''
  for await (const chunk of await openai.chat.completions.create({
    model: 'demo',
    stream: true,
    messages: [{ role: 'user', content: 'Hello!' }],
  })) {
    text += chunk.choices[0]?.delta?.content ?? ''
  }
  expect(text).toMatch(/demo/)

  const summary = await fetch(`${url}/summarise`, { method: 'POST', headers: as(ada), body: '{"text":"abc"}' })
  const left = ((await summary.json()) as { left: { tokens: number } }).left.tokens
  const [pool] = (await (await fetch(`${url}/v1/tokens/pools`, { headers: as(ada) })).json()) as [
    { available: number; used: number; reserved: number },
  ]
  expect(pool).toMatchObject({ available: left, used: 20_000 - left, reserved: 0 })
  expect(
    (await fetch(`${url}/summarise`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }))
      .status,
  ).toBe(401)
  for (const [token, status] of [
    [ada, 200],
    ['forged', 401],
    [null, 401],
  ] as const) {
    const headers = token === null ? {} : as(token)
    const haiku = await fetch(`${url}/haiku`, { method: 'POST', headers, body: '{}' })
    const said =
      status === 200 ? { text: expect.any(String) } : { error: { message: expect.stringMatching('signed in') } }
    expect([haiku.status, await haiku.json()]).toEqual([status, said])
  }
  await expect(openai.responses.create({ model: 'demo', input: 'Hello!' })).rejects.toMatchObject({
    status: 404,
    code: 'not_found',
    message: expect.stringContaining('/v1/chat/completions'),
  })
  expect(await (await fetch(`${url}/v1/audit`, { headers: as(admin) })).json()).toMatchObject({ chain_valid: true })
  expect(await (await fetch(url)).text()).toContain('<title>hoosh example</title>')
  await killed(app.process, 'SIGTERM')
  expect(app.process.exitCode).toBe(0)
})
