import type { HooshOptions, Identity } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, type Reply, type Sending, upstream } from '../support/door.js'

type Ask = (to: Door) => Promise<Reply>

const call: Ask = (to) => chat(to, 'm')
const stranger: Sending = { as: 'nobody', headers: { authorization: 'Bearer wrong' } }

/** Limits, the call that is refused by them, and what it takes until it is. */
const PATHS: [
  what: string,
  code: string,
  options: HooshOptions,
  limits: Identity['limits'],
  ask: Ask,
  before: Ask[],
][] = [
  ['requests of a user', 'rate_limit_exceeded', {}, { requestsPerMinute: 2 }, call, [call, call]],
  ['tokens of a user', 'rate_limit_exceeded', {}, { tokensPerMinute: 20 }, call, [call]],
  [
    'requests of a pool',
    'rate_limit_exceeded',
    { pools: { '*': { limits: { requestsPerMinute: 1 } } } },
    {},
    call,
    [call],
  ],
  [
    'requests of a model',
    'rate_limit_exceeded',
    { limits: { models: { m: { requestsPerMinute: 1 } } } },
    {},
    call,
    [call],
  ],
  [
    'failed authentication',
    'rate_limit_exceeded',
    { limits: { failedAuthPerMinute: 2 } },
    {},
    (to) => to.get('/v1/models', stranger),
    [(to) => to.get('/v1/models', stranger), (to) => to.get('/v1/models', stranger)],
  ],
  [
    'a budget of a minute',
    'budget_exceeded',
    { pools: { '*': { tokens: 200, window: { everyMs: 60_000 } } } },
    {},
    call,
    [call],
  ],
]

/** A door to one provider, its caller bound by limits. */
async function opened(options: HooshOptions, limits: Identity['limits']) {
  const provider = await upstream()
  const to = await door(
    { providers: [{ type: 'vllm', baseUrl: provider.url }], pools: { '*': {} }, ...options },
    {
      identify: (request) =>
        (request as { headers: Record<string, string> }).headers.authorization === 'Bearer wrong'
          ? null
          : { user: 'lea', ...(limits && { limits }) },
    },
  )
  return { to, provider }
}

describe('Retry-After is right to the second', () => {
  it.each(PATHS)('for %s: %s', async (_what, code, options, limits, ask, before) => {
    const { to } = await opened(options, limits)
    to.clock.advance(1_234)
    for (const one of before) {
      const reply = await one(to)
      expect([200, 401]).toContain(reply.status)
      to.clock.advance(3_333)
    }
    const refused = await ask(to)
    expect([refused.status, errorOf(refused).code]).toEqual([429, code])
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(1)
    to.clock.advance((seconds - 1) * 1_000)
    expect((await ask(to)).status).toBe(429)
    to.clock.advance(1_000)
    expect((await ask(to)).status).not.toBe(429)
  })

  it('where the route has used up its own rpm', async () => {
    const provider = await upstream()
    const to = await door({ providers: [{ type: 'vllm', baseUrl: provider.url, rpm: 1 }] })
    expect((await call(to)).status).toBe(200)
    to.clock.advance(1_500)
    const refused = await call(to)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '59'])
    to.clock.advance(58_000)
    expect((await call(to)).status).toBe(429)
    to.clock.advance(1_000)
    expect((await call(to)).status).toBe(200)
  })

  it('where every provider of the model is left alone', async () => {
    const { to, provider } = await opened({}, {})
    provider.script({ status: 503, times: 20 })
    let refused = await call(to)
    while (errorOf(refused).code !== 'providers_unavailable') refused = await call(to)
    const seconds = Number(refused.headers.get('retry-after'))
    provider.reset()
    to.clock.advance((seconds - 1) * 1_000)
    expect((await call(to)).status).toBe(503)
    to.clock.advance(1_000)
    expect((await call(to)).status).toBe(200)
  })

  it('and no `x-ratelimit-reset` of the limit that refuses is sooner, whichever of several it is', async () => {
    const provider = await upstream()
    const to = await door(
      {
        providers: [{ type: 'vllm', baseUrl: provider.url }],
        pools: { '*': {} },
        limits: { models: { m: { requestsPerMinute: 1 } } },
      },
      {
        identify: (request) => ({
          user: (request as { headers: Record<string, string> }).headers['x-user']!,
          limits: { requestsPerMinute: 2 },
        }),
      },
    )
    const as = (user: string): Sending => ({ as: 'nobody', headers: { 'x-user': user } })
    await chat(to, 'n', {}, as('lea'))
    await chat(to, 'n', {}, as('lea'))
    to.clock.advance(50_000)
    await chat(to, 'm', {}, as('ben'))
    const refused = await chat(to, 'm', {}, as('lea'))
    expect(refused.status).toBe(429)
    const reset = refused.headers.get('x-ratelimit-reset-requests')
    expect([refused.headers.get('retry-after'), reset]).toEqual(['60', '1m0s'])
  })

  it('and there is one for calls that end because the gateway closes', async () => {
    const { to, provider } = await opened({}, {})
    provider.script({ fault: 'hang-before-head' })
    const running = call(to)
    await provider.received(1)
    await to.gateway.close({ timeoutMs: 0 })
    for (const reply of [await running, await call(to)]) {
      expect([reply.status, errorOf(reply).code, reply.headers.get('retry-after')]).toEqual([503, 'shutting_down', '1'])
    }
  })
})
