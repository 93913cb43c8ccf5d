import type { HooshEvent } from '@hoosh/core'
import { gate } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { chat, type Door, deadUrl, door } from '../support/door.js'
import { pair, settledPool } from '../support/pair.js'

const of = <Type extends HooshEvent['type']>({ events }: Door, type: Type) =>
  events.filter((event): event is Extract<HooshEvent, { type: Type }> => event.type === type)

describe.each([false, true])('onEvent (stream: %s)', (stream) => {
  it('hears inference.completed with what it cost and how long it took', async () => {
    const { to, main } = await pair({ prices: { m: { input: '1', output: '2' } } })
    const head = gate()
    main.script({ holdHead: head })
    const asking = chat(to, 'm', { stream })
    await head.reached
    to.clock.advance(250)
    head.open()
    const reply = await asking
    expect(to.events).toEqual([
      {
        type: 'inference.completed',
        requestId: reply.headers.get('x-request-id'),
        provider: 'openai',
        route: 'main',
        model: 'm',
        tokens: main.bill.totalTokens,
        nanoUsd: main.bill.promptTokens * 1_000 + main.bill.completionTokens * 2_000,
        latencyMs: 250,
      },
    ])
  })

  it('hears inference.failed with its code, and the route that was tried last', async () => {
    const { to, main, spare } = await pair()
    for (const provider of [main, spare]) provider.script({ status: 503 })
    const reply = await chat(to, 'm', { stream })
    expect(to.events).toEqual([
      {
        type: 'inference.failed',
        requestId: reply.headers.get('x-request-id'),
        provider: 'openai',
        route: 'spare',
        model: 'm',
        code: 'provider_error',
      },
    ])
  })

  it('hears inference.refused of what no provider heard of', async () => {
    const { to } = await pair({ pools: { 'user:*': { tokens: 0 } } })
    const reply = await chat(to, 'm', { stream })
    expect(to.events).toEqual([
      {
        type: 'inference.refused',
        requestId: reply.headers.get('x-request-id'),
        user: 'alice',
        code: 'budget_exceeded',
      },
    ])
  })

  it('hears usage.implausible with what was claimed and what was charged', async () => {
    const { to, main } = await pair()
    main.script({ tokens: 10, usage: { prompt_tokens: 500_000, completion_tokens: 400_000 } })
    const reply = await chat(to, 'm', { stream, max_tokens: 20 })
    const { used } = await settledPool(to)
    expect(of(to, 'usage.implausible')).toEqual([
      {
        type: 'usage.implausible',
        requestId: reply.headers.get('x-request-id'),
        claimedTokens: 900_000,
        chargedTokens: used,
      },
    ])
    expect(used).toBeLessThan(1_000)
  })

  it('hears rate.limited with whose limit it was', async () => {
    const to = await door({ pools: { 'user:*': { tokens: 1e6, limits: { requestsPerMinute: 1 } } } })
    await chat(to, 'demo', { stream })
    await chat(to, 'demo', { stream })
    expect(of(to, 'rate.limited')).toEqual([{ type: 'rate.limited', key: expect.stringContaining('user:alice') }])
  })

  it('hears route.health of each change', async () => {
    const to = await door({ providers: [{ type: 'openai', name: 'gone', baseUrl: await deadUrl() }] })
    for (let call = 0; call < 4; call += 1) await chat(to, 'm', { stream })
    expect(of(to, 'route.health')).toEqual([{ type: 'route.health', route: 'gone', healthy: false }])
  })
})

it('budget.overrun says by how much a plain answer passed its hold', async () => {
  const { to, main } = await pair({ pools: { 'user:*': { tokens: 80 } } })
  main.script({ tokens: 70, honoursLimit: false, usage: { prompt_tokens: 60, completion_tokens: 70 } })
  const reply = await chat(to, 'gpt-4o', { max_tokens: 20 })
  const { used } = await settledPool(to)
  const [overrun] = of(to, 'budget.overrun')
  expect(overrun!.requestId).toBe(reply.headers.get('x-request-id'))
  expect(overrun!.tokens).toBeGreaterThan(0)
  expect(overrun!.nanoUsd).toBeGreaterThan(0)
  expect(used - overrun!.tokens).toBeLessThanOrEqual(80)
})

describe('budget.warning', () => {
  const used = async (to: Door, tokens: number) => {
    const reserved = await to.post('/v1/tokens/reserve', { tokens })
    const { reservation_id } = reserved.body as { reservation_id: string }
    await to.post('/v1/tokens/report', { reservation_id, actual: tokens })
  }
  const thresholds = (to: Door) => of(to, 'budget.warning').map(({ threshold }) => threshold)

  it('comes once at 80 and once at 95 per cent, with the pool as it is', async () => {
    const to = await door({ pools: { 'user:*': { tokens: 1_000, window: 'day' } } })
    await used(to, 799)
    expect(thresholds(to)).toEqual([])
    await used(to, 1)
    expect(to.events).toEqual([
      {
        type: 'budget.warning',
        threshold: 80,
        pool: {
          name: 'user:alice',
          window: 'day',
          windowStart: '2026-01-01T00:00:00.000Z',
          resetsAt: '2026-01-02T00:00:00.000Z',
          frozen: false,
          capacity: { tokens: 1_000 },
          used: { tokens: 800, nanoUsd: 0 },
          held: { tokens: 0, nanoUsd: 0 },
          available: { tokens: 200 },
          credits: [],
        },
      },
    ])
    await used(to, 149)
    expect(thresholds(to)).toEqual([80])
    await used(to, 1)
    await used(to, 10)
    expect(thresholds(to)).toEqual([80, 95])
  })

  it('comes with a call as with a reservation, and says the higher of two that were passed at once', async () => {
    const { to, main } = await pair({ pools: { 'user:*': { tokens: 1_000 } } })
    await used(to, 780)
    main.script({ tokens: 20 })
    await chat(to, 'm', { max_tokens: 40 })
    expect(thresholds(to)).toEqual([80])
    const other = await door({ pools: { 'user:*': { tokens: 1_000 } } })
    await used(other, 990)
    expect(thresholds(other)).toEqual([95])
  })

  it('comes for money too, and for what the host holds itself', async () => {
    const to = await door({ pools: { jobs: { usd: 1 } } })
    const hold = await to.gateway.as({ user: 'cron', pool: 'jobs' }).budget.reserve({ nanoUsd: 9e8 })
    await hold.settle({ nanoUsd: 8.5e8 })
    expect(of(to, 'budget.warning')).toMatchObject([
      { threshold: 80, pool: { name: 'jobs', used: { nanoUsd: 8.5e8 } } },
    ])
  })
})

it('budget.cutoff names the pool that could pay for no more', async () => {
  const { to, main } = await pair({ pools: { 'user:*': { tokens: 80 } } })
  main.script({ tokens: 1_000, honoursLimit: false })
  const reply = await chat(to, 'gpt-4o', { stream: true, max_tokens: 500 })
  expect(reply.text).toContain('"finish_reason":"length"')
  expect(of(to, 'budget.cutoff')).toEqual([
    { type: 'budget.cutoff', requestId: reply.headers.get('x-request-id'), pool: 'user:alice' },
  ])
  expect(of(to, 'inference.completed')).toHaveLength(1)
})

it('budget.cutoff names the empty one of several', async () => {
  const { main, to } = await pair({ pools: { 'user:*': { tokens: 100_000 }, team: { tokens: 80 } } })
  main.script({ tokens: 1_000, honoursLimit: false })
  const me = to.gateway.as({ user: 'alice', pool: ['user:alice', 'team'] })
  for await (const _chunk of me.stream({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'x' }],
    max_tokens: 500,
  }));
  expect(of(to, 'budget.cutoff')).toMatchObject([{ pool: 'team' }])
})

it('budget.expired and budget.overrun are told of reservations, too', async () => {
  const to = await door()
  const reserve = async (more: object) =>
    ((await to.post('/v1/tokens/reserve', { tokens: 100, ...more })).body as { reservation_id: string }).reservation_id
  const lost = await reserve({ ttl_seconds: 1 })
  const late = await reserve({})
  to.clock.advance(1_500)
  const reply = await to.post('/v1/tokens/report', { reservation_id: late, actual: 130 })
  await reserve({})
  expect(to.events).toEqual([
    { type: 'budget.overrun', requestId: reply.headers.get('x-request-id'), tokens: 30, nanoUsd: 0 },
    { type: 'budget.expired', reservation: lost, owner: 'alice', tokens: 100, nanoUsd: 0 },
  ])
})

it('an onEvent that throws, at once or later, is logged and changes nothing', async () => {
  for (const onEvent of [
    () => {
      throw new TypeError('boom')
    },
    async () => Promise.reject(new TypeError('boom')),
  ]) {
    const to = await door({ onEvent })
    expect((await chat(to, 'demo')).status).toBe(200)
    expect(to.logged).toContainEqual(expect.objectContaining({ level: 'error', message: 'onEvent threw' }))
  }
})
