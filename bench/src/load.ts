import assert from 'node:assert/strict'
import { Pool } from 'undici'
import { CHAT_PATH, EVENTS } from './payload.js'

/** A client of one server, with keep-alive connections of its own. */
export interface Client {
  /** As many calls as fit into `ms`, `concurrency` at a time; resolves to how many there were. */
  plain(body: string, load: { ms: number; concurrency: number }): Promise<number>
  /** `count` streams at the same time, read to their end; resolves to the events that the upstream wrote for them. */
  streams(body: string, count: number): Promise<number>
  /** One call after the other for `ms`; milliseconds until the first byte of each answer. */
  firstBytes(body: string, ms: number): Promise<number[]>
  /** Opens streams and reads along for `ms`; they stay open until the function it resolves to is called. */
  open(body: string, load: { count: number; ms: number }): Promise<() => void>
  close(): Promise<void>
}

export function clientOf(url: string): Client {
  const pool = new Pool(url, { connections: 256, pipelining: 1, headersTimeout: 20_000, bodyTimeout: 20_000 })
  return {
    plain: (body, load) => plain(pool, body, load),
    streams: (body, count) => streams(pool, body, count),
    firstBytes: (body, ms) => firstBytes(pool, body, ms),
    open: (body, load) => open(pool, body, load),
    close: () => pool.destroy(),
  }
}

async function plain(pool: Pool, body: string, load: { ms: number; concurrency: number }): Promise<number> {
  const until = performance.now() + load.ms
  let calls = 0
  const caller = async (): Promise<void> => {
    do {
      const answer = await post(pool, body)
      await answer.arrayBuffer()
      calls++
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: load.concurrency }, caller))
  return calls
}

async function streams(pool: Pool, body: string, count: number): Promise<number> {
  const read = async (): Promise<void> => {
    const answer = await post(pool, body)
    let last = ''
    for await (const chunk of answer) last = (last + (chunk as Buffer).toString('latin1')).slice(-2_048)
    assert.match(last, /"completion_tokens":200[\s\S]*data: \[DONE\]\n\n$/)
  }
  await Promise.all(Array.from({ length: count }, read))
  return count * EVENTS
}

async function firstBytes(pool: Pool, body: string, ms: number): Promise<number[]> {
  const until = performance.now() + ms
  const times: number[] = []
  while (performance.now() < until) {
    const began = performance.now()
    const answer = await post(pool, body)
    times.push(performance.now() - began)
    await answer.arrayBuffer()
  }
  return times
}

async function open(pool: Pool, body: string, load: { count: number; ms: number }): Promise<() => void> {
  const answers = await Promise.all(Array.from({ length: load.count }, () => post(pool, body)))
  for (const answer of answers) answer.on('error', () => {}).resume()
  await new Promise((resolve) => setTimeout(resolve, load.ms))
  return () => {
    for (const answer of answers) answer.destroy()
  }
}

async function post(pool: Pool, body: string): Promise<Awaited<ReturnType<Pool['request']>>['body']> {
  const answer = await pool.request({
    method: 'POST',
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: 'Bearer caller' },
    body,
  })
  if (answer.statusCode !== 200) assert.fail(`status ${answer.statusCode}: ${await answer.body.text()}`)
  return answer.body
}
