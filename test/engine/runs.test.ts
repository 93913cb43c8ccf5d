import { createGateway, type HooshOptions, type Identity } from '@hoosh/core'
import { fakeClock } from '@hoosh/core/testing'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chatOf, type Door, door, errorOf, upstream } from '../support/door.js'
import { billed, PRICES, STORES, type StoreKind, until } from '../support/money.js'

const ann: Identity = { user: 'ann', pool: ['user:ann', 'team'] }

/** Two gateways of one storage, as two processes have them. */
async function open(kind: StoreKind, options: HooshOptions = {}) {
  const clock = fakeClock(1_795_000_000_000)
  const provider = await upstream()
  const vault = await kind.open(clock.now)
  const make = () =>
    createGateway({
      providers: [{ type: 'openai', baseUrl: provider.url }],
      pools: { '*': { tokens: 1_000_000 } },
      prices: PRICES,
      storage: vault.storage,
      migrate: true,
      clock: clock.now,
      logger: false,
      audit: false,
      budget: { sweepMs: 200 },
      ...options,
    })
  const gateways = [make(), make()] as const
  onTestFinished(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close({ timeoutMs: 0 })))
    await vault.remove()
  })
  const { budgets } = vault.storage
  const names = async () => (await budgets.list({ limit: 1_000, now: clock.now() })).map(({ name }) => name)
  return {
    clock,
    provider,
    budgets,
    names,
    as: gateways[0].as,
    me: gateways[0].as(ann),
    elsewhere: gateways[1].as(ann),
  }
}

const ask = (more: Record<string, unknown> = {}) => chatOf('gpt-4o', more)
const unknown = { code: 'unknown_run', status: 404 }

const firstOf = async <T>(items: AsyncIterable<T>) => {
  for await (const item of items) return item
  return undefined
}

describe.each(STORES)('a run, with budgets in $name', (kind) => {
  it('opens none within it once it is closed', async () => {
    const { me } = await open(kind)
    const run = await me.budget.run({ tokens: 400 })
    const inner = await run.budget.run({ tokens: 100 })
    await run.close()
    for (const closed of [run, inner]) await expect(closed.budget.run({ tokens: 100 })).rejects.toMatchObject(unknown)
  })

  it('is paid by its own pool and by the whole chain, refuses by its cap, and is gone when it is closed', async () => {
    const { provider, budgets, names, me } = await open(kind)
    const run = await me.budget.run({ tokens: 400 })
    provider.script({ tokens: 30 })
    await run.chat(ask())
    const used = billed(provider.bill).tokens
    expect((await run.budget.pools()).map((pool) => [pool.name, pool.used.tokens, pool.held.tokens])).toEqual([
      ['user:ann', used, 0],
      ['team', used, 0],
      [`run:${run.id}`, used, 0],
    ])
    expect(await run.budget.available()).toMatchObject({ tokens: 400 - used })
    await expect(run.budget.reserve({ tokens: 400 })).rejects.toMatchObject({
      code: 'budget_exceeded',
      details: { pool: `run:${run.id}`, available: 400 - used },
    })
    await me.chat(ask())
    expect(await run.close()).toMatchObject({ name: `run:${run.id}`, used: { tokens: used }, held: { tokens: 0 } })
    expect(await names()).toEqual(['team', 'user:ann'])
    expect(await budgets.overrides()).toEqual([])
    expect(await budgets.entries(`run:${run.id}`, { limit: 10 })).toMatchObject([{ amount: { tokens: used } }])
    await expect(run.chat(ask())).rejects.toMatchObject(unknown)
    await expect(run.embed({ model: 'text-embedding-3-small', input: 'x' })).rejects.toMatchObject(unknown)
    await expect(firstOf(run.stream(ask()))).rejects.toMatchObject(unknown)
    await expect(run.budget.pools()).rejects.toMatchObject(unknown)
    await expect(run.budget.reserve({ tokens: 1 })).rejects.toMatchObject(unknown)
    expect(await run.close()).toBe(null)
    expect(provider.requests).toHaveLength(2)
  })

  it('is known to every process at once, its price rule too, and closed for all', async () => {
    const { clock, me, elsewhere, provider } = await open(kind, { prices: { 'gpt-4o': PRICES['*'] } })
    const run = await me.budget.run({ usd: '0.01', ttlMs: 60_000 })
    const there = new OpenAI({
      apiKey: 'x',
      baseURL: 'http://hoosh/v1',
      fetch: elsewhere.fetch,
      maxRetries: 0,
      defaultHeaders: { 'x-hoosh-run': run.id },
    })
    await expect(there.chat.completions.create(chatOf('nobody-prices-it'))).rejects.toMatchObject({
      code: 'unpriced_model',
    })
    await there.chat.completions.create(ask())
    expect((await run.budget.pools()).at(-1)?.used).toEqual(billed(provider.bill))
    await run.close()
    await expect(there.chat.completions.create(ask())).rejects.toMatchObject(unknown)
    const next = await elsewhere.budget.run({ tokens: 1_000, ttlMs: 60_000 })
    clock.advance(60_000)
    await expect(next.chat(ask())).rejects.toMatchObject(unknown)
    expect(await next.close()).toBe(null)
  })

  it('ends with its time, and leaves neither an override nor a place behind', async () => {
    const { clock, budgets, names, me } = await open(kind)
    const runs = await Promise.all(Array.from({ length: 100 }, () => me.budget.run({ tokens: 10, ttlMs: 60_000 })))
    await expect(me.budget.run({ tokens: 10 })).rejects.toMatchObject({ code: 'too_many_runs', status: 429 })
    await runs[0]!.close()
    const long = await me.budget.run({ tokens: 10, ttlMs: 86_400_000 })
    expect(await budgets.overrides()).toHaveLength(100)
    clock.advance(60_000)
    await until(async () => (await budgets.overrides()).length === 1)
    expect(await names()).toEqual([`run:${long.id}`])
    const more = Array.from({ length: 99 }, () => me.budget.run({ tokens: 10 }))
    expect(await Promise.all(more)).toHaveLength(99)
    await expect(me.budget.run({ tokens: 10 })).rejects.toMatchObject({ code: 'too_many_runs' })
  })

  it('that is closed lets its calls end, and is gone then', async () => {
    const { provider, names, me } = await open(kind)
    const run = await me.budget.run({ tokens: 5_000 })
    provider.script({ tokens: 20 })
    provider.hold()
    const answer = run.chat(ask())
    await provider.received(1)
    expect(await run.close()).toMatchObject({ used: { tokens: 0 } })
    await expect(run.chat(ask())).rejects.toMatchObject(unknown)
    provider.release()
    expect((await answer).choices).toHaveLength(1)
    await until(async () => !(await names()).includes(`run:${run.id}`))
    expect(await names()).toEqual(['team', 'user:ann'])
    expect((await me.budget.pools()).map(({ used, held }) => [used.tokens, held.tokens])).toEqual(
      [1, 2].map(() => [billed(provider.bill).tokens, 0]),
    )
  })
})

describe('a run in process', () => {
  const [memory] = STORES

  it('carries streams, embeddings, the host’s holds and `fetch`', async () => {
    const { provider, me } = await open(memory!)
    const run = await me.budget.run({ tokens: 100_000 })
    for await (const _chunk of run.stream(ask()));
    await run.embed({ model: 'text-embedding-3-small', input: 'one' })
    const client = new OpenAI({ apiKey: 'x', baseURL: 'http://hoosh/v1', fetch: run.fetch })
    await client.chat.completions.create(ask())
    const hold = await run.budget.reserve({ tokens: 70 })
    await hold.settle({ tokens: 60 })
    const pools = await run.budget.pools()
    expect(pools.map(({ used }) => used.tokens)).toEqual(pools.map(() => billed(provider.bill).tokens + 60))
  })

  it('has runs within it, which pay for their calls together', async () => {
    const { me } = await open(memory!)
    const outer = await me.budget.run({ tokens: 5_000 })
    const inner = await outer.budget.run({ tokens: 2_000 })
    await (await inner.budget.reserve({ tokens: 500 })).settle({ tokens: 500 })
    const answer = await inner.fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-hoosh-run': outer.id },
      body: JSON.stringify(ask({ max_tokens: 50 })),
    })
    expect(answer.status).toBe(200)
    const used = (await inner.budget.pools()).map((pool) => [pool.name, pool.used.tokens])
    expect(used.map(([name]) => name)).toEqual(['user:ann', 'team', `run:${outer.id}`, `run:${inner.id}`])
    expect(new Set(used.map(([, tokens]) => tokens)).size).toBe(1)
    await outer.close()
    await expect(inner.chat(ask())).rejects.toMatchObject(unknown)
  })

  it('is refused by name where what it is to be is wrong', async () => {
    const { me } = await open(memory!)
    const invalid = (param: string) => ({ code: 'invalid_request', status: 400, details: { param } })
    await expect(me.budget.run({})).rejects.toMatchObject(invalid('tokens'))
    await expect(me.budget.run({ tokens: 0.5 })).rejects.toMatchObject(invalid('tokens'))
    await expect(me.budget.run({ usd: 'much' })).rejects.toMatchObject(invalid('usd'))
    await expect(me.budget.run({ tokens: 1, ttlMs: 86_400_001 })).rejects.toMatchObject(invalid('ttlMs'))
  })

  it('is paid by beside whatever pool an admin names', async () => {
    const { provider, as } = await open(memory!)
    const run = await as({ ...ann, roles: ['admin'] }).budget.run({ tokens: 5_000 })
    await run.chat(ask({ pool: 'jobs' }))
    const used = (await run.budget.pools()).map((pool) => pool.used.tokens)
    expect(used).toEqual([0, 0, billed(provider.bill).tokens])
    expect(await as({ user: 'x', pool: 'jobs' }).budget.pools()).toMatchObject([{ used: { tokens: used[2] } }])
  })
})

/** What clients get to see of runs. */
describe('a run over the wire', () => {
  const opened = async (to: Door, body: object = { tokens: 5_000 }) =>
    (await to.post('/v1/tokens/runs', body)).body as { id: string }
  const say = { model: 'demo', messages: [{ role: 'user' as const, content: 'x' }] }

  it('is opened, used through the client of OpenAI, looked at and closed', async () => {
    const to = await door({ audit: {} })
    const reply = await to.post('/v1/tokens/runs', { tokens: 5_000, usd: '1.50', ttl_seconds: 60 })
    expect(reply.status).toBe(201)
    const { id, expires_at } = reply.body as { id: string; expires_at: string }
    expect(reply.body).toEqual({
      id,
      expires_at: new Date(to.clock.now() + 60_000).toISOString(),
      capacity: 5_000,
      used: 0,
      reserved: 0,
      available: 5_000,
      usd: { capacity: '1.5', used: '0', reserved: '0', available: '1.5' },
    })
    expect(expires_at).toBeDefined()
    const client = new OpenAI({
      apiKey: 'alice-token',
      baseURL: `${to.url}/v1`,
      defaultHeaders: { 'x-hoosh-run': id },
      maxRetries: 0,
    })
    const { usage } = await client.chat.completions.create(say)
    const state = (await to.get(`/v1/tokens/runs/${id}`)).body as { used: number }
    expect(state).toMatchObject({ id, used: usage!.total_tokens, reserved: 0 })
    const pools = (await to.get('/v1/tokens/pools')).body as { name: string; used: number }[]
    expect(pools.map(({ name, used }) => [name, used])).toEqual([['user:alice', usage!.total_tokens]])
    const all = (await to.get('/v1/tokens/pools', { as: 'admin' })).body as { name: string }[]
    expect(all.map(({ name }) => name)).toContain(`run:${id}`)
    const closed = await to.send('DELETE', `/v1/tokens/runs/${id}`)
    expect(closed.body).toMatchObject({ id, closed: true, used: usage!.total_tokens })
    const after = (await to.get('/v1/tokens/pools', { as: 'admin' })).body as { name: string }[]
    expect(after.map(({ name }) => name)).not.toContain(`run:${id}`)
    await expect(client.chat.completions.create(say)).rejects.toMatchObject({ status: 404, code: 'unknown_run' })
    const told = (await to.get('/v1/audit?event=inference.request', { as: 'admin' })).text
    expect(told).toContain(`run:${id}`)
  })

  it('pays for reservations too, beside the pool that they name', async () => {
    const to = await door()
    const { id } = await opened(to, { tokens: 500 })
    const inRun = { headers: { 'x-hoosh-run': id } }
    const check = async (tokens: number) => (await to.post('/v1/tokens/check', { tokens }, inRun)).body
    expect([await check(500), await check(501)]).toEqual([
      { allowed: true, available: 500 },
      { allowed: false, available: 500 },
    ])
    const refused = await to.post('/v1/tokens/reserve', { tokens: 501 }, inRun)
    expect(refused.status).toBe(429)
    expect(refused.body).toMatchObject({ reserved: false, available: 500, error: { pool: `run:${id}` } })
    const held = (await to.post('/v1/tokens/reserve', { pool: 'user:alice', tokens: 300 }, inRun)).body
    expect(held).toMatchObject({ reserved: true, available: 200 })
    const { reservation_id } = held as { reservation_id: string }
    expect((await to.post('/v1/tokens/report', { reservation_id, actual: 120 })).body).toMatchObject({ available: 380 })
    expect((await to.get(`/v1/tokens/runs/${id}`)).body).toMatchObject({ used: 120, reserved: 0 })
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ name: 'user:alice', used: 120, reserved: 0 }])
    const itself = await to.post('/v1/tokens/reserve', { pool: `run:${id}`, tokens: 1 }, inRun)
    expect([itself.status, errorOf(itself).code]).toEqual([403, 'pool_not_allowed'])
  })

  it("another's, a closed, an expired and a made-up one are answered alike", async () => {
    const to = await door()
    const [mine, closed, late] = [await opened(to), await opened(to), await opened(to, { tokens: 9, ttl_seconds: 1 })]
    await to.send('DELETE', `/v1/tokens/runs/${closed.id}`)
    const theirs = (await to.post('/v1/tokens/runs', { tokens: 9 }, { as: 'bob' })).body as { id: string }
    to.clock.advance(1_000)
    const forged = mine.id.replace(/^\d{13}/, (expires) => String(Number(expires) + 1))
    const asAdmin = { as: 'admin' as const }
    const ids = [closed.id, late.id, theirs.id, forged, 'x', `${mine.id},${theirs.id}`]
    for (const id of ids) {
      const answers = [
        await to.post('/v1/chat/completions', say, { headers: { 'x-hoosh-run': id } }),
        await to.post('/v1/embeddings', { model: 'demo', input: 'x' }, { headers: { 'x-hoosh-run': id } }),
        await to.post('/v1/tokens/check', { tokens: 1 }, { headers: { 'x-hoosh-run': id } }),
        await to.post('/v1/tokens/reserve', { tokens: 1 }, { headers: { 'x-hoosh-run': id } }),
        await to.get(`/v1/tokens/runs/${id}`),
        await to.send('DELETE', `/v1/tokens/runs/${id}`),
        await to.send('DELETE', `/v1/tokens/runs/${mine.id}`, asAdmin),
      ]
      const error = {
        message: 'You have no open run of this id: it is over, or never was.',
        type: 'invalid_request_error',
        param: 'x-hoosh-run',
        code: 'unknown_run',
      }
      expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [404, { error }]))
    }
    const mineStill = await to.post('/v1/chat/completions', say, { headers: { 'x-hoosh-run': mine.id } })
    expect(mineStill.status).toBe(200)
  })

  it('is checked as it is opened', async () => {
    const to = await door()
    const errors = [
      [{}, 'tokens'],
      [{ tokens: -1 }, 'tokens'],
      [{ usd: true }, 'usd'],
      [{ tokens: 1, ttl_seconds: 86_401 }, 'ttl_seconds'],
      [{ tokens: 1, ttl: 5 }, 'ttl'],
    ] as const
    for (const [body, param] of errors) {
      const reply = await to.post('/v1/tokens/runs', body)
      expect([reply.status, errorOf(reply).param]).toEqual([400, param])
    }
    const long = await to.post('/v1/tokens/runs', { tokens: 1, ['x'.repeat(5_000)]: 1 })
    expect([long.status, long.text.length < 500]).toEqual([400, true])
    const many = Array.from({ length: 9 }, () => 'x').join(',')
    const reply = await to.post('/v1/chat/completions', say, { headers: { 'x-hoosh-run': many } })
    expect(reply.status).toBe(400)
  })

  it('is not made by a template, whatever pattern it matches', async () => {
    const to = await door({ pools: { '*': {} } })
    const { id } = await opened(to)
    await to.send('DELETE', `/v1/tokens/runs/${id}`)
    const reply = await to.post('/v1/chat/completions', say, { headers: { 'x-hoosh-run': id } })
    expect(reply.body).toMatchObject({ error: { code: 'unknown_run' } })
  })
})
