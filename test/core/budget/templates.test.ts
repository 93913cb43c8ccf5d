import type { HooshOptions, Identity, PoolSpec } from '@hoosh/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nanoUsdOf, usdText } from '../../../packages/core/src/amount.js'
import { poolTemplates } from '../../../packages/core/src/budget/pools.js'
import { poolTerms } from '../../../packages/core/src/budget/spec.js'

const ada: Identity = { user: 'ada' }
const bob: Identity = { user: 'bob' }

describe('of several templates that match', () => {
  const templates = poolTemplates({
    '*': { tokens: 1 },
    'user:*': { tokens: 2 },
    'user:a*': { tokens: 3 },
    '*:ada': { tokens: 4 },
    'user:ada': { tokens: 5 },
    'user:*:x': { tokens: 6 },
  })
  const tokens = async (name: string) => (await templates(name, ada))?.capacity.tokens

  it.each([
    ['user:ada', 5, 'a name without a star wins over every pattern'],
    ['user:abe', 3, 'then the pattern with more literal characters'],
    ['user:bob', 2, 'whatever the order they stand in'],
    ['team:ada', 4, 'a star may stand in front'],
    ['user:bob:x', 6, 'or in the middle'],
    ['team', 1, 'and alone it matches what is left'],
    ['default', 1, 'the pool of those who name none included'],
  ])('%s has the %d, since %s', async (name, expected) => {
    expect(await tokens(name)).toBe(expected)
  })

  it('the first of two that are as specific', async () => {
    const twins = poolTemplates({ 'a*c': { tokens: 1 }, '*bc': { tokens: 2 }, 'ab*': { tokens: 3 } })
    expect((await twins('abc', ada))?.capacity.tokens).toBe(1)
  })

  it('upper and lower case are different names, and nothing but the star is special', async () => {
    const literal = poolTemplates({ 'a.b*': { tokens: 1 }, 'x?': { tokens: 2 } })
    expect([await literal('aXb', ada), await literal('A.b', ada), await literal('xy', ada)]).toEqual([null, null, null])
    expect(await literal('a.b', ada)).not.toBeNull()
    expect(await literal('x?', ada)).not.toBeNull()
  })
})

describe('without a template', () => {
  it('a pool is unknown, never unlimited', async () => {
    const every: HooshOptions['pools'][] = [
      undefined,
      {},
      { 'team:*': {} },
      () => null,
      async () => null,
      () => undefined as never,
    ]
    for (const pools of every) {
      expect(await poolTemplates(pools)('user:ada', ada)).toBeNull()
    }
  })

  it('`default` has 10,000,000 tokens for a lifetime', async () => {
    const every: HooshOptions['pools'][] = [undefined, { 'team:*': {} }, () => null]
    for (const pools of every) {
      expect(await poolTemplates(pools)('default', ada)).toMatchObject({
        capacity: { tokens: 10_000_000 },
        window: null,
      })
    }
  })
})

describe('a function of the host', () => {
  const plans: Record<string, PoolSpec> = { ada: { tokens: 100 }, bob: { tokens: 7, window: 'day' } }

  it.each<[string, (name: string, identity: Identity) => PoolSpec | Promise<PoolSpec>]>([
    ['at once', (_name, { user }) => plans[user]!],
    ['later', async (_name, { user }) => plans[user]!],
  ])('answers %s, with the name and the identity before it', async (_when, pools) => {
    const templates = poolTemplates(pools)
    expect((await templates('user', ada))?.capacity).toEqual({ tokens: 100 })
    expect(await templates('user', bob)).toMatchObject({ capacity: { tokens: 7 }, window: 'day' })
  })

  it("answers with any library's promise", async () => {
    const later = Promise.resolve({ tokens: 5 })
    // biome-ignore lint/suspicious/noThenProperty: promises of libraries are not always instances of ours
    const pools = () => ({ then: later.then.bind(later) }) as Promise<PoolSpec>
    expect((await poolTemplates(pools)('user', ada))?.capacity.tokens).toBe(5)
  })

  it('is asked again for every look, and what it throws is not swallowed', async () => {
    let cap = 1
    const templates = poolTemplates(() => ({ tokens: cap++ }))
    expect([await templates('a', ada), await templates('a', ada)].map((terms) => terms?.capacity.tokens)).toEqual([
      1, 2,
    ])
    const away = poolTemplates(() => {
      throw new TypeError('the plans are away')
    })
    expect(() => away('a', ada)).toThrow(
      expect.objectContaining({ code: 'hook_failed', cause: new TypeError('the plans are away') }),
    )
  })

  it.each<[string, () => never]>([
    ['at once', () => ({ token: 5 }) as never],
    ['later', (() => Promise.resolve({ token: 5 })) as () => never],
  ])('that answers %s with no spec has failed, and the cause names what is wrong', async (_when, pools) => {
    const fault = expect.objectContaining({
      code: 'hook_failed',
      cause: expect.objectContaining({ message: expect.stringMatching(/pools\["user:ada"\].*token/) }),
    })
    await expect((async () => poolTemplates(pools)('user:ada', ada))()).rejects.toEqual(fault)
  })
})

describe('the spec of a pool', () => {
  it('caps tokens, money, both or nothing; the largest cap is 2^52', () => {
    expect(poolTerms({}).capacity).toEqual({})
    expect(poolTerms({ tokens: 0, usd: 0 }).capacity).toEqual({ tokens: 0, nanoUsd: 0 })
    expect(poolTerms({ tokens: 2 ** 52, usd: '4503599.627370496' }).capacity).toEqual({
      tokens: 2 ** 52,
      nanoUsd: 2 ** 52,
    })
    expect(poolTerms({ usd: '49.50' }).capacity).toEqual({ nanoUsd: 49_500_000_000 })
    expect(poolTerms({ usd: 0.1 }).capacity).toEqual({ nanoUsd: 100_000_000 })
  })

  it.each<[string, unknown]>([
    ['tokens', { tokens: 2 ** 52 + 1 }],
    ['tokens', { tokens: 1.5 }],
    ['tokens', { tokens: -1 }],
    ['tokens', { tokens: '5' }],
    ['tokens', { tokens: Number.NaN }],
    ['tokens', { tokens: null }],
    ['usd', { usd: '4503599.627370497' }],
    ['usd', { usd: '0.0000000001' }],
    ['usd', { usd: -0.5 }],
    ['usd', { usd: 'dear' }],
    ['usd', { usd: Number.POSITIVE_INFINITY }],
    ['window', { window: 'year' }],
    ['window.everyMs', { window: { everyMs: 0 } }],
    ['window.everyMs', { window: { everyMs: 1.5 } }],
    ['window.from', { window: { everyMs: 5, from: 'now' } }],
    ['timeZone', { timeZone: 'Mars/Olympus' }],
    ['limits.concurrent', { limits: { concurrent: -1 } }],
    ['limits.rpm', { limits: { rpm: 5 } }],
    ['unpriced', { unpriced: true }],
    ['tokns', { tokns: 5 }],
  ])('names what it cannot use: %s of %j', (field, spec) => {
    expect(() => poolTerms(spec, 'team')).toThrow(`pools["team"].${field} must be`)
  })

  it('is frozen, so that all pools of a template can share it', () => {
    const terms = poolTerms({ tokens: 5, window: { everyMs: 5 }, limits: { concurrent: 1 } })
    for (const part of [terms, terms.capacity, terms.window, terms.limits]) expect(Object.isFrozen(part)).toBe(true)
  })
})

describe('money', () => {
  it('goes from text to nano-USD and back without loss', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.nat(2 ** 21 - 1), (low, high) => {
        const nano = high * 2 ** 31 + low
        expect(nanoUsdOf(usdText(nano))).toBe(nano)
      }),
    )
  })

  it('as a number is what the number shows', () => {
    expect([0.1, 0.3, 1e-9, 5e-7, 1.25, 4_503_599].map(nanoUsdOf)).toEqual([1e8, 3e8, 1, 500, 1.25e9, 4_503_599e9])
    expect([0.1 + 0.2, 1e-10, 1.5e-9, 1e21, -1].map(nanoUsdOf)).toEqual([null, null, null, null, null])
  })

  it('is shown with the decimals that it has', () => {
    expect([0, 1, 10, 1e9, 2_500_000_000, -1_500_000_000].map(usdText)).toEqual([
      '0',
      '0.000000001',
      '0.00000001',
      '1',
      '2.5',
      '-1.5',
    ])
  })
})
