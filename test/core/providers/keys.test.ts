import type { ProviderOptions } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, upstream, whoAnswered } from '../../support/door.js'

/** One route with keys, and what its provider makes of each. */
async function keyed(config: Partial<ProviderOptions>, more: readonly ProviderOptions[] = []) {
  const provider = await upstream()
  const to = await door({
    providers: [{ type: 'openai', name: 'main', baseUrl: provider.url, ...config }, ...more],
  })
  const used = () => provider.requests.map(({ headers }) => headers.authorization?.replace('Bearer ', ''))
  return { to, provider, used }
}

const times = async (count: number, step: () => Promise<unknown>) => {
  for (let index = 0; index < count; index += 1) await step()
}

const health = async (to: Door) =>
  ((await to.get('/v1/health/providers', { as: 'admin' })).body as Record<string, unknown>[])[0]!

describe('several keys of a route', () => {
  const apiKeys = ['key-number-one', 'key-number-two']

  it.each([429, 401, 402, 403])('after a %s the same call goes on with the next', async (status) => {
    const { to, provider, used } = await keyed({ apiKeys })
    provider.script({ status })
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
    expect(used()).toEqual(apiKeys)
    await chat(to, 'm')
    expect(used().at(-1)).toBe('key-number-two')
    expect(await health(to)).toMatchObject({ status: 'healthy', consecutive_failures: 0 })
  })

  it('one that is refused is left alone, for 30 s', async () => {
    const { to, provider, used } = await keyed({ apiKeys })
    provider.script({ status: 401 }, { status: 429 }, { status: 503 })
    await chat(to, 'm')
    expect(used()).toEqual(apiKeys)
    await times(2, () => chat(to, 'm'))
    expect(used().slice(2)).toEqual(['key-number-two', 'key-number-two'])
    to.clock.advance(30_000)
    provider.script({ status: 429 })
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
    expect(used().at(-1)).toBe('key-number-one')
  })

  it('all limited: the call fails with the smallest wait, and the next asks once', async () => {
    const { to, provider } = await keyed({ apiKeys })
    provider.script(
      { status: 429, headers: { 'retry-after': '40' } },
      { status: 429, headers: { 'retry-after': '20' } },
    )
    const first = await chat(to, 'm')
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '20'])
    to.clock.advance(5_000)
    provider.script({ status: 429, headers: { 'retry-after': '15' } })
    const second = await chat(to, 'm')
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '15'])
    expect(provider.requests).toHaveLength(3)
    to.clock.advance(20_000)
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
  })

  it('never reach the caller, whichever of them was sent', async () => {
    const { to, provider } = await keyed({ apiKeys })
    const body = { error: { message: `Bad keys ${apiKeys.join(' and ')}.`, type: 'x', param: null, code: null } }
    provider.script({ status: 400, body })
    const { text } = await chat(to, 'm')
    for (const key of apiKeys) expect(text).not.toContain(key)
  })
})

describe('a single key', () => {
  it('that is refused three times is left alone for 30 s; the circuit has nothing to do with it', async () => {
    const { to, provider } = await keyed({ apiKey: 'the-only-key' })
    provider.script({ status: 403, times: 3 })
    await times(3, async () => expect(errorOf(await chat(to, 'm')).code).toBe('provider_auth'))
    const reply = await chat(to, 'm')
    expect([reply.status, errorOf(reply).code, reply.headers.get('retry-after')]).toEqual([502, 'provider_auth', '30'])
    expect(await health(to)).toMatchObject({ status: 'unhealthy' })
    expect(provider.requests).toHaveLength(3)
    to.clock.advance(30_000)
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
    expect(await health(to)).toMatchObject({ status: 'healthy', consecutive_failures: 0 })
  })

  it('that is refused now and then stays in use: a provider refuses single requests with 403, too', async () => {
    const { to, provider } = await keyed({ apiKey: 'the-only-key' })
    for (let round = 0; round < 4; round += 1) {
      provider.script({ status: 403, times: 2 })
      await times(2, () => chat(to, 'm'))
      expect(whoAnswered(await chat(to, 'm'))).toBe('main')
    }
  })

  it('that is limited is passed over until then, though calls could be sent', async () => {
    const { to, provider } = await keyed({ apiKey: 'the-only-key' }, [{ type: 'demo', name: 'spare' }])
    provider.script({ status: 429, headers: { 'retry-after': '30' } })
    await times(3, async () => expect(whoAnswered(await chat(to, 'm'))).toBe('spare'))
    expect(provider.requests).toHaveLength(1)
    expect(await health(to)).toMatchObject({ status: 'healthy' })
    to.clock.advance(30_000)
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
  })

  it('that is limited is asked all the same where nothing else is left: its limit may be of one model', async () => {
    const { to, provider } = await keyed({ apiKey: 'the-only-key' })
    provider.script({ status: 429, headers: { 'retry-after': '30' } })
    expect((await chat(to, 'm')).status).toBe(429)
    expect(whoAnswered(await chat(to, 'another'))).toBe('main')
    expect(provider.requests).toHaveLength(2)
  })
})

describe("a provider's rate headers", () => {
  it.each<[string, Record<string, string>, number]>([
    [
      'requests, as OpenAI says it',
      { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1m0s' },
      60_000,
    ],
    ['tokens, in part', { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '7.66s' }, 7_660],
    ['in milliseconds', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '120ms' }, 120],
    ['in seconds', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '3' }, 3_000],
    [
      'as a date, as Anthropic says it',
      { 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:09Z' },
      9_000,
    ],
    ['absurdly long: a minute', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '99d' }, 60_000],
  ])('that say nothing is left of %s are believed before a call is refused', async (_what, headers, restMs) => {
    const { to, provider } = await keyed({}, [{ type: 'demo', name: 'spare' }])
    provider.script({ headers })
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
    to.clock.advance(restMs - 1)
    expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
    to.clock.advance(1)
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
  })

  it.each<[string, Record<string, string>]>([
    ['with something left', { 'x-ratelimit-remaining-requests': '1', 'x-ratelimit-reset-requests': '1m0s' }],
    ['that say not when', { 'x-ratelimit-remaining-requests': '0' }],
    ['that cannot be read', { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': 'tomorrow' }],
  ])('%s change nothing', async (_what, headers) => {
    const { to, provider } = await keyed({}, [{ type: 'demo', name: 'spare' }])
    provider.script({ headers })
    await times(2, async () => expect(whoAnswered(await chat(to, 'm'))).toBe('main'))
  })
})

describe('a key that a function gives', () => {
  it('may change from call to call', async () => {
    let key = 'first-of-them'
    const { to, used } = await keyed({ apiKey: () => key })
    await chat(to, 'm')
    key = 'second-of-them'
    await chat(to, 'm')
    expect(used()).toEqual(['first-of-them', 'second-of-them'])
  })

  it('may come as a promise, and is kept out of what callers see, old ones too', async () => {
    let key = 'first-of-them'
    const { to, provider, used } = await keyed({ apiKey: async () => key })
    await chat(to, 'm')
    key = 'second-of-them'
    const body = { error: { message: 'Not first-of-them nor second-of-them.', type: 'x', param: null, code: null } }
    provider.script({ status: 400, body })
    expect(errorOf(await chat(to, 'm')).message).toBe('Not [redacted] nor [redacted].')
    expect(used()).toEqual(['first-of-them', 'second-of-them'])
  })

  it('that was refused is used again as soon as it is another', async () => {
    let key = 'revoked-key'
    const { to, provider } = await keyed({ apiKey: () => key })
    provider.script({ status: 401, times: 3 })
    await times(3, () => chat(to, 'm'))
    key = 'renewed-key'
    to.clock.advance(30_000)
    expect(whoAnswered(await chat(to, 'm'))).toBe('main')
  })

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('vault says secret-of-the-vault')
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault says secret-of-the-vault'))],
    ['gives what no header can carry', () => 'line\nbreak'],
  ])('that %s: the next candidate answers, and the cause stays inside', async (_what, apiKey) => {
    const alone = await keyed({ apiKey })
    const reply = await chat(alone.to, 'm')
    expect([reply.status, errorOf(reply).code]).toEqual([502, 'provider_auth'])
    expect(reply.text).not.toMatch(/secret-of|line/)
    expect(alone.provider.requests).toHaveLength(0)
    const { to } = await keyed({ apiKey }, [{ type: 'demo', name: 'spare' }])
    expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
  })
})
