import {
  bearerTokens,
  browserTokens,
  createGateway,
  firstOf,
  type HooshOptions,
  type Identity,
  virtualKeys,
} from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { chat, type Door, door, errorOf, type Sending } from '../support/door.js'

const ORIGIN = 'https://app.example.org'
const [NEW, OLD] = ['n'.repeat(32), 'o'.repeat(32)]
const alice: Identity = { user: 'alice', pool: ['user:alice', 'team:red'] }

const opened = (options: HooshOptions = {}) =>
  door(
    { pools: { '*': {} }, keys: { tokenSecrets: [NEW] }, cors: { origins: [ORIGIN] }, ...options },
    {
      identify: firstOf(
        browserTokens(),
        virtualKeys(),
        bearerTokens([{ token: 'root', user: 'root', roles: ['admin'] }]),
      ),
    },
  )

type Ask = Parameters<ReturnType<Door['gateway']['as']>['browserToken']>[0]
const minted = async ({ gateway }: Pick<Door, 'gateway'>, who: Identity = alice, more: Partial<Ask> = {}) =>
  (await gateway.as(who).browserToken({ origin: ORIGIN, ...more })).token

const from = (token: string, headers: Record<string, string> = { origin: ORIGIN }): Sending => ({
  as: 'nobody',
  headers: { authorization: `Bearer ${token}`, ...headers },
})

const status = async (to: Door, token: string, headers?: Record<string, string>) =>
  (await chat(to, 'demo', {}, from(token, headers))).status

describe('a browser token', () => {
  it('lets a page of its origin stream straight from /v1, as its user, with what CORS wants', async () => {
    const to = await opened()
    const preflight = await to.send('OPTIONS', '/v1/chat/completions', {
      as: 'nobody',
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    const reply = await chat(to, 'demo', { stream: true }, from(await minted(to)))
    expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([200, ORIGIN])
    expect(reply.text).toContain('[DONE]')
    const refused = await chat(to, 'demo', {}, from('hooshweb_x'))
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, ORIGIN])
    const [pool] = await to.gateway.as(alice).budget.pools()
    expect(pool!.used.tokens).toBeGreaterThan(0)
  })

  it.each<[string, Record<string, string>, number]>([
    ['another origin', { origin: 'https://evil.example' }, 401],
    ['one that begins alike', { origin: `${ORIGIN}.evil.example` }, 401],
    ['another scheme', { origin: 'http://app.example.org' }, 401],
    ['another port', { origin: `${ORIGIN}:8443` }, 401],
    ['a sandboxed page', { origin: 'null' }, 401],
    ['no origin', {}, 401],
    ['no origin, from another site', { 'sec-fetch-site': 'cross-site' }, 401],
    ['its own server, whose name is another', { 'sec-fetch-site': 'same-origin' }, 401],
    ['its own origin', { origin: ORIGIN }, 200],
  ])('sent from %s is %#', async (_what, headers, expected) => {
    const to = await opened()
    expect(await status(to, await minted(to), headers)).toBe(expected)
  })

  it("may be sent with a GET to the page's own server, which browsers send without an origin", async () => {
    const to = await opened()
    const token = await minted(to, alice, { origin: to.url })
    expect((await to.get('/v1/models', from(token, { 'sec-fetch-site': 'same-origin' }))).status).toBe(200)
    expect((await to.get('/v1/models', from(token, {}))).status).toBe(401)
  })

  it('ends to the millisecond, after five minutes or as said', async () => {
    const to = await opened()
    const [five, one] = [await minted(to), await minted(to, alice, { ttlMs: 60_000 })]
    to.clock.advance(59_999)
    expect(await status(to, one)).toBe(200)
    to.clock.advance(1)
    expect([await status(to, one), await status(to, five)]).toEqual([401, 200])
    to.clock.advance(240_000)
    expect(await status(to, five)).toBe(401)
  })

  it('opens nothing once a byte of it is another', async () => {
    const to = await opened()
    const token = await minted(to)
    const [head, payload, mac] = token.split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { identity: object }
    const forged = (change: object) => Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url')
    const wrong = [
      `${head}.${forged({ expiresAt: 9e15 })}.${mac}`,
      `${head}.${forged({ identity: { ...claims.identity, roles: ['admin'] } })}.${mac}`,
      `${head}.${payload}.${mac.slice(0, -1)}`,
      `${head}.${payload}.${'A'.repeat(43)}`,
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `hooshweb_00000000.${payload}.${mac}`,
      `${token}=`,
      'hooshweb_',
    ]
    for (const text of wrong) expect([text, await status(to, text)]).toEqual([text, 401])
    expect(await status(to, token)).toBe(200)
  })

  it('outlives the change of the secret as long as the old one is listed', async () => {
    const before = createGateway({ keys: { tokenSecrets: [OLD] }, logger: false })
    const token = await minted({ gateway: before })
    await before.close()
    expect(await status(await opened({ keys: { tokenSecrets: [NEW, OLD] } }), token)).toBe(200)
    expect(await status(await opened({ keys: { tokenSecrets: [NEW] } }), token)).toBe(401)
    expect(await status(await opened({ keys: {} }), token)).toBe(401)
  })

  it('calls models, and nothing else of its user', async () => {
    const to = await opened({ keys: { tokenSecrets: [NEW], selfService: true } })
    const token = await minted(to, { user: 'root', roles: ['admin'] })
    const codes = async (...paths: string[]) =>
      Promise.all(paths.map(async (path) => errorOf(await to.get(path, from(token))).code))
    expect(await codes('/v1/audit', '/v1/costs', '/v1/keys', '/v1/tokens/pools', '/v1/metrics')).toEqual(
      Array(5).fill('forbidden'),
    )
    expect((await to.post('/v1/keys', {}, from(token))).status).toBe(403)
    expect((await to.get('/v1/models', from(token))).status).toBe(200)
  })

  it('has no more than it was given, and is given no more than its user has', async () => {
    const to = await opened()
    const nora = {
      user: 'nora',
      pool: ['user:nora', 'team:red'],
      models: ['demo', 'gpt-*'],
      limits: { requestsPerMinute: 1 },
    }
    const token = await minted(to, nora, { pool: 'team:red', models: ['demo'] })
    expect(errorOf(await chat(to, 'gpt-4o', {}, from(token))).code).toBe('model_not_allowed')
    expect(errorOf(await chat(to, 'demo', { pool: 'user:nora' }, from(token))).code).toBe('pool_not_allowed')
    expect(await status(to, token)).toBe(200)
    expect(await status(to, await minted(to, nora))).toBe(429)
    const [own, team] = await to.gateway.as(nora).budget.pools()
    expect([own!.used.tokens, team!.used.tokens > 0]).toEqual([0, true])
    for (const [more, code] of [
      [{ pool: 'user:bob' }, 'pool_not_allowed'],
      [{ models: ['*'] }, 'model_not_allowed'],
      [{ ttlMs: 3_600_001 }, 'invalid_request'],
      [{ ttlMs: 0 }, 'invalid_request'],
      [{ origin: `${ORIGIN}/` }, 'invalid_request'],
      [{ origin: '*' }, 'invalid_request'],
    ] as const) {
      await expect(minted(to, nora, more)).rejects.toMatchObject({ code })
    }
  })

  it('makes no other one', async () => {
    const to = await opened()
    const page = { ...alice, credential: { kind: 'browser', id: 'x' } } as const
    await expect(minted(to, page)).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('is asked about with the host, who may say no', async () => {
    const to = await door(
      { pools: { '*': {} }, keys: { tokenSecrets: [NEW] } },
      { identify: browserTokens({ allow: ({ user }) => user !== 'alice' }) },
    )
    expect(await status(to, await minted(to))).toBe(401)
    expect(await status(to, await minted(to, { user: 'bob' }))).toBe(200)
  })
})

it('without a secret no token is made, and a short secret is refused at the start', async () => {
  const to = await opened({ keys: {} })
  await expect(minted(to)).rejects.toMatchObject({ code: 'invalid_options' })
  const short = createGateway({ keys: { tokenSecrets: ['too-short'] }, logger: false })
  await expect(short.ready()).rejects.toMatchObject({ code: 'invalid_options', message: expect.stringContaining('32') })
})
