import type { IncomingMessage } from 'node:http'
import type { HooshOptions, Identify } from '@hoosh/core'
import { type Gate, gate } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chatOf, type Door, door, errorOf, type Reply, request, upstream, whoAnswered } from '../support/door.js'
import { until } from '../support/money.js'

const identify = (({ headers }: IncomingMessage) => {
  const [user = 'alice', priority] = String(headers['x-user'] ?? 'root').split('/')
  return { user, pool: `user:${user}`, roles: user === 'root' ? ['admin'] : [], ...(priority && { priority }) }
}) as Identify<unknown>

/** One route with so many places, its provider behind a gate. */
async function narrow(concurrency: number, options: HooshOptions = {}, spare = false) {
  const provider = await upstream()
  const to = await door(
    {
      providers: [
        { type: 'openai', name: 'main', baseUrl: provider.url, priority: 1, concurrency },
        ...(spare ? [{ type: 'demo' as const, name: 'spare' }] : []),
      ],
      ...options,
    },
    { identify },
  )
  return { to, provider }
}

interface Status {
  queued: number
  pending: number
  processing: number
  routes: { name: string; concurrency: number; running: number; queued: number }[]
}

const status = async (to: Door) => (await to.get('/v1/queue/status')).body as Status
const waits = (to: Door, count: number) => until(async () => (await status(to)).queued === count)

const ask = (to: Door, user: string, more: Record<string, unknown> = {}, priority?: string): Promise<Reply> =>
  request(`${to.url}/v1/chat/completions`, 'POST', {
    as: 'nobody',
    headers: { 'x-user': user, ...(priority && { 'x-hoosh-priority': priority }) },
    body: JSON.stringify(chatOf('m', more)),
  })

/** Takes the only place, lets the others queue one after the other, and says in which order they were served. */
async function order(to: Door, head: Gate, calls: (() => Promise<Reply>)[], served: string[], names: string[]) {
  const first = ask(to, 'first')
  await head.reached
  const rest: Promise<Reply>[] = []
  for (const [index, call] of calls.entries()) {
    rest.push(
      call().then((reply) => {
        served.push(names[index]!)
        return reply
      }),
    )
    await waits(to, index + 1)
  }
  head.open()
  return [await first, ...(await Promise.all(rest))]
}

describe.each([false, true])('a route with one place (stream: %s)', (stream) => {
  it('takes one call after the other, and says where each stood', async () => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head })
    const served: string[] = []
    const calls = ['a', 'a', 'a'].map((user) => () => ask(to, user, { stream }))
    const replies = await order(to, head, calls, served, ['1', '2', '3'])
    expect(replies.map(whoAnswered)).toEqual(['main', 'main', 'main', 'main'])
    expect(replies.map(({ headers }) => headers.get('x-hoosh-queue-position'))).toEqual([null, '1', '2', '3'])
    expect(served).toEqual(['1', '2', '3'])
    expect(await status(to)).toEqual({
      queued: 0,
      pending: 0,
      processing: 0,
      routes: [{ name: 'main', concurrency: 1, running: 0, queued: 0 }],
    })
  })

  it('never has two calls at its provider', async () => {
    const { to, provider } = await narrow(1)
    let most = 0
    const calls = Array.from({ length: 12 }, async (_, index) => {
      const reply = await ask(to, `u${index}`, { stream })
      most = Math.max(most, (await status(to)).processing)
      return whoAnswered(reply)
    })
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 12 }, () => 'main'))
    expect(provider.requests).toHaveLength(12)
    expect(most).toBeLessThanOrEqual(1)
  })

  it('serves the next where a call fails, or its caller leaves', async () => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head, status: 500 }, { fault: 'reset-before-head' })
    const served: string[] = []
    const calls = ['a', 'b'].map((user) => () => ask(to, user, { stream }))
    const replies = await order(to, head, calls, served, ['a', 'b'])
    expect(replies.map(whoAnswered)).toEqual(['provider_error', 'provider_error', 'main'])
    expect((await status(to)).processing).toBe(0)
  })
})

describe('who is served first', () => {
  it.each<[string, string[], string[]]>([
    ['pools take turns', ['a', 'a', 'a', 'b'], ['a', 'b', 'a', 'a']],
    [
      'a higher priority of the identity',
      ['a', 'b/low', 'c/critical', 'd/background'],
      ['c/critical', 'a', 'b/low', 'd/background'],
    ],
  ])('%s', async (_what, users, expected) => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head })
    const served: string[] = []
    await order(
      to,
      head,
      users.map((user) => () => ask(to, user)),
      served,
      users,
    )
    expect(served).toEqual(expected)
  })

  it('a pool with more weight gets more turns', async () => {
    const { to, provider } = await narrow(1, {
      pools: { 'user:*': {}, 'user:b': { limits: { weight: 3 } } },
    })
    const head = gate()
    provider.script({ holdHead: head })
    const served: string[] = []
    const users = ['a', 'a', 'b', 'b', 'b']
    await order(
      to,
      head,
      users.map((user) => () => ask(to, user)),
      served,
      users,
    )
    expect(served.slice(0, 3).filter((user) => user === 'b').length).toBeGreaterThanOrEqual(2)
    expect(served.at(-1)).toBe('a')
  })

  it('a call may ask for less than its identity may, and not for more', async () => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head })
    const served: string[] = []
    const calls = [
      () => ask(to, 'a', {}, 'low'),
      () => ask(to, 'b', {}, 'critical'),
      () => ask(to, 'c/high', {}, 'high'),
    ]
    await order(to, head, calls, served, ['low', 'normal', 'high'])
    expect(served).toEqual(['high', 'normal', 'low'])
  })

  it('a priority that is none is refused by name', async () => {
    const { to } = await narrow(1)
    const reply = await ask(to, 'a', {}, 'urgent')
    expect([reply.status, errorOf(reply).param]).toEqual([400, 'x-hoosh-priority'])
  })
})

describe('a call that waits', () => {
  it('holds its budget meanwhile, and gives it back where its caller leaves', async () => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head })
    const first = ask(to, 'first')
    await head.reached
    const leaving = new AbortController()
    const left = fetch(`${to.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'x-user': 'a', 'content-type': 'application/json' },
      body: JSON.stringify(chatOf('m')),
      signal: leaving.signal,
    }).catch(() => 'left')
    await waits(to, 1)
    const pool = async () => (await to.gateway.as({ user: 'a', pool: 'user:a' }).budget.pools())[0]!
    expect((await pool()).held.tokens).toBeGreaterThan(0)
    leaving.abort()
    expect(await left).toBe('left')
    await until(async () => (await pool()).held.tokens === 0)
    expect(await pool()).toMatchObject({ used: { tokens: 0 }, held: { tokens: 0 } })
    await waits(to, 0)
    head.open()
    expect(whoAnswered(await first)).toBe('main')
    expect(provider.requests).toHaveLength(1)
  })

  it('gives up after `queueMs`', async () => {
    const { to, provider } = await narrow(1, { deadlines: { queueMs: 20 } })
    const head = gate()
    provider.script({ holdHead: head })
    const first = ask(to, 'first')
    await head.reached
    const reply = await ask(to, 'a')
    expect([reply.status, errorOf(reply).code, reply.headers.get('retry-after')]).toEqual([503, 'providers_busy', '1'])
    head.open()
    await first
    expect(await status(to)).toMatchObject({ queued: 0, processing: 0 })
  })

  it('is one only where no other route is free', async () => {
    const { to, provider } = await narrow(1, {}, true)
    const head = gate()
    provider.script({ holdHead: head })
    const first = ask(to, 'first')
    await head.reached
    expect(whoAnswered(await ask(to, 'a'))).toBe('spare')
    head.open()
    expect(whoAnswered(await first)).toBe('main')
  })

  it('is told no later than the gateway closes', async () => {
    const { to, provider } = await narrow(1)
    const head = gate()
    provider.script({ holdHead: head })
    const first = ask(to, 'first')
    await head.reached
    const second = ask(to, 'a')
    await waits(to, 1)
    await to.gateway.close({ timeoutMs: 0 })
    expect([(await first).status, (await second).status]).toEqual([503, 503])
  })
})
