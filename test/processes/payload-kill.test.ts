import { once } from 'node:events'
import { expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { sqliteFile } from '../support/sqlite.js'

const LONG = process.env.HOOSH_LONG === '1'
/** Between a payload and the entry that names it, of the request and of the answer; `:2` is the answer's. */
const POINTS = LONG
  ? ['before', 'in', 'sent', 'after'].flatMap((at) => [`${at}-put`, `${at}-put:2`, `${at}-reserve`, `${at}-settle`])
  : ['after-put', 'after-put:2']
const script = new URL('./gateway-child.mjs', import.meta.url)
const OPTIONS = JSON.stringify({ audit: { key: 'a key of this test', payloads: { key: 'k'.repeat(32) } } })

interface Entry {
  readonly id: string
  readonly metadata?: { readonly payload_hash?: string }
}

it(`kill -9 at ${POINTS.join(', ')}: what an entry names is there and is what it says, and what nothing names goes with its user`, {
  timeout: 600_000,
}, async () => {
  const sqlite = sqliteFile()
  onTestFinished(() => sqlite.remove())
  const call = async (port: string, stream: boolean) => {
    const reply = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo', stream, messages: [{ role: 'user', content: 'Good day.' }] }),
    })
    return reply.text()
  }
  for (const [round, point] of POINTS.entries()) {
    const running = await child(script, [sqlite.file, OPTIONS], { HOOSH_KILL_AT: point })
    onTestFinished(() => killed(running.process))
    const died = once(running.process, 'exit')
    void call(running.line, round % 2 === 1).catch(() => undefined)
    expect([point, ...(await died)]).toEqual([point, null, 'SIGKILL'])
  }
  const last = await child(script, [sqlite.file, OPTIONS])
  onTestFinished(() => killed(last.process))
  const ask = async (path: string, method = 'GET') =>
    (await fetch(`http://127.0.0.1:${last.line}/v1/audit${path}`, { method })).json()
  await call(last.line, true)
  const { entries } = (await ask('?limit=1000')) as { entries: Entry[] }
  const named = entries.filter(({ metadata }) => metadata?.payload_hash !== undefined)
  expect(named.length).toBeGreaterThanOrEqual(3)
  for (const { id, metadata } of named)
    expect(await ask(`/${id}/payload`)).toMatchObject({ status: 'kept', hash: metadata!.payload_hash, matches: true })
  await sqlite.open()
  const stored = sqlite.read<{ id: string }>('select id from hoosh_payloads').map(({ id }) => id)
  const ids = new Set(named.map(({ id }) => id))
  expect(stored.filter((id) => !ids.has(id)).length).toBeGreaterThanOrEqual(2)
  expect(await ask('/subjects/ann', 'DELETE')).toMatchObject({ erased: true })
  for (const id of stored) expect(await ask(`/${id}/payload`)).toMatchObject({ status: 'erased' })
  expect(await ask('/verify')).toMatchObject({ valid: true })
})
