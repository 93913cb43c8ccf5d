import { browserTokens, createGateway, firstOf, virtualKeys } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { identify, people, type Served, serve } from '../support/mounts.js'

const CANARY = 'sk-canary-0123456789abcdef'
const ORIGIN = 'https://app.example.org'
let now = 1_795_000_000_000
const gateway = createGateway({
  providers: [{ type: 'demo' }],
  pools: { 'user:*': { tokens: 100_000 } },
  rootRoutes: true,
  logger: false,
  keys: { tokenSecrets: ['s'.repeat(32)] },
  limits: { failedAuthPerMinute: 1_000_000 },
  clock: () => now,
})
let served: Served
let ended: ReturnType<typeof endedCredentials>
beforeAll(async () => {
  served = await serve(toNodeHandler(gateway, { identify: firstOf(virtualKeys(), browserTokens(), identify) }))
  ended = endedCredentials()
})
afterAll(async () => {
  await served.close()
  await gateway.close()
})

/** Credentials that were good once, or are good elsewhere. */
async function endedCredentials() {
  const made = async (ask: object) => {
    const reply = await send('POST', '/v1/keys', people.admin.token, ask)
    return (await reply.json()) as { id: string; key: string }
  }
  const [expired, revoked] = [await made({ expires_at: new Date(now + 1_000).toISOString() }), await made({})]
  await send('DELETE', `/v1/keys/${revoked.id}`, people.admin.token)
  const old = await gateway.as(people.admin).browserToken({ origin: ORIGIN, ttlMs: 1_000 })
  const elsewhere = createGateway({ keys: { tokenSecrets: ['e'.repeat(32)] }, logger: false })
  const foreign = await elsewhere.as(people.admin).browserToken({ origin: ORIGIN })
  await elsewhere.close()
  const page = await gateway.as(people.admin).browserToken({ origin: 'https://other.example.org' })
  now += 1_000
  return {
    'expired key': expired.key,
    'revoked key': revoked.key,
    'foreign key': `hoosh_${'0'.repeat(32)}_${'A'.repeat(43)}`,
    'expired token': old.token,
    'foreign token': foreign.token,
    'token of another origin': page.token,
  }
}

const routes = ROUTES.map((route) => ({ ...route, url: route.path.replace(/[:*]\w+/, 'x') }))
const send = (method: string, url: string, token?: string, body?: object) =>
  fetch(`${served.url}${url}`, {
    method,
    headers: { 'content-type': 'application/json', origin: ORIGIN, ...(token && { authorization: `Bearer ${token}` }) },
    ...(method === 'POST' || method === 'PUT' ? { body: JSON.stringify(body ?? {}) } : {}),
  })

describe('access, for every route there is', () => {
  it.each(routes.filter(({ access }) => access !== 'anyone'))(
    'nobody gets 401 on $method $path',
    async ({ method, url }) => {
      const reply = await send(method, url)
      expect(reply.status).toBe(401)
      expect(await reply.json()).toMatchObject({ error: { type: 'authentication_error', code: 'unauthenticated' } })
    },
  )

  it.each(routes.filter(({ access }) => access !== 'anyone'))(
    'an expired, a revoked and a foreign key and token get 401 on $method $path',
    async ({ method, url }) => {
      for (const [name, token] of Object.entries(await ended)) {
        const reply = await send(method, url, token)
        expect([name, reply.status]).toEqual([name, 401])
      }
    },
  )

  it.each(routes.filter(({ access, isForPages }) => access !== 'anyone' && isForPages !== true))(
    'a browser token gets 403 on $method $path, whatever its user may do',
    async ({ method, url }) => {
      const { token } = await gateway.as(people.admin).browserToken({ origin: ORIGIN })
      expect((await send(method, url, token)).status).toBe(403)
    },
  )

  it.each(routes.filter(({ access }) => access === 'admin' || access === 'scraper' || access === 'owner'))(
    'a user gets 403 on $method $path',
    async ({ method, url }) => {
      expect((await send(method, url, people.alice.token)).status).toBe(403)
    },
  )

  it.each(routes.filter(({ access }) => access === 'anyone'))(
    'anyone gets an answer on $method $path',
    async ({ method, url }) => {
      expect((await send(method, url)).status).toBe(200)
    },
  )
})

describe("one user and another's things", () => {
  it.each(['/v1/tokens/check', '/v1/tokens/reserve', '/v1/tokens/report', '/v1/chat/completions', '/v1/embeddings'])(
    'no foreign pool on %s, whether it exists or not',
    async (url) => {
      for (const pool of ['user:bob', 'no-such-pool']) {
        const body = {
          pool,
          tokens: 1,
          actual: 1,
          reserved: 1,
          model: 'demo',
          input: 'x',
          messages: [{ role: 'user', content: 'x' }],
        }
        const reply = await send('POST', url, people.alice.token, body)
        expect(reply.status).toBe(403)
        expect(await reply.json()).toMatchObject({ error: { code: 'pool_not_allowed' } })
      }
    },
  )

  it.each(['user:bob', 'no-such-pool'])('no history of the foreign pool %s, whether it exists or not', async (pool) => {
    const reply = await send('GET', `/v1/tokens/pools/${pool}/entries`, people.alice.token)
    expect([reply.status, await reply.json()]).toMatchObject([403, { error: { code: 'pool_not_allowed' } }])
  })

  it('no foreign reservation, no foreign costs, no foreign entries', async () => {
    const reserved = await send('POST', '/v1/tokens/reserve', people.bob.token, { tokens: 10 })
    const { reservation_id } = (await reserved.json()) as { reservation_id: string }
    expect((await send('POST', '/v1/tokens/report', people.alice.token, { reservation_id, actual: 1 })).status).toBe(
      404,
    )
    await (
      await send('POST', '/v1/chat/completions', people.bob.token, {
        model: 'demo',
        messages: [{ role: 'user', content: 'x' }],
      })
    ).text()
    for (const url of ['/v1/costs', '/v1/costs?user=bob', '/v1/audit', '/v1/audit?subject=bob', '/v1/tokens/pools']) {
      expect(await (await send('GET', url, people.alice.token)).text()).not.toContain('bob')
    }
    expect((await send('POST', '/v1/tokens/report', people.bob.token, { reservation_id, actual: 4 })).status).toBe(200)
  })

  it.each(['GET', 'DELETE'])('a foreign run answers to %s as one that there is not', async (method) => {
    const opened = await send('POST', '/v1/tokens/runs', people.bob.token, { tokens: 10 })
    const { id } = (await opened.json()) as { id: string }
    const told = async (run: string) => {
      const reply = await send(method, `/v1/tokens/runs/${run}`, people.alice.token)
      return [reply.status, (await reply.text()).replaceAll(run, 'ID')]
    }
    const missing = `${id.slice(0, -4)}${id.endsWith('0000') ? '1111' : '0000'}`
    expect(await told(id)).toEqual(await told(missing))
    expect((await told(id))[0]).toBe(404)
    expect((await send('GET', `/v1/tokens/runs/${id}`, people.bob.token)).status).toBe(200)
  })
})

it("the provider's key is in no body, header, log line, metric, event or entry of any failure", async () => {
  const seen: string[] = []
  const note = (...parts: unknown[]) =>
    void seen.push(
      JSON.stringify(parts, (_key, value) =>
        value instanceof Error ? { ...value, message: value.message, stack: value.stack, cause: value.cause } : value,
      ),
    )
  const provider = await scriptedProvider()
  const leaky = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url, apiKey: CANARY }],
    pools: { 'user:*': {} },
    logger: { debug: note, info: note, warn: note, error: note },
    onEvent: note,
  })
  const door = await serve(toNodeHandler(leaky, { identify }))
  const echo = {
    error: {
      message: `Incorrect key ${CANARY}; ${encodeURIComponent(CANARY)}; ${Buffer.from(CANARY).toString('base64')}`,
      type: 'x',
      code: CANARY,
    },
  }
  const get = async (method: string, path: string, body?: object) => {
    const reply = await fetch(`${door.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${people.admin.token}` },
      ...(body && { body: JSON.stringify(body) }),
    })
    seen.push(JSON.stringify([...reply.headers]), await reply.text())
  }
  for (const stream of [false, true]) {
    for (const status of [400, 401, 403, 404, 413, 422, 429, 500, 503, 200]) {
      provider.script({ status, body: echo })
      await get('POST', '/v1/chat/completions', { model: 'gpt-4o', stream, messages: [{ role: 'user', content: 'x' }] })
    }
    for (const fault of [
      'reset',
      'reset-before-head',
      'garbage',
      'html',
      'error-event',
      'half-event',
      'eof',
    ] as const) {
      provider.script({ fault })
      await get('POST', '/v1/chat/completions', { model: 'gpt-4o', stream, messages: [{ role: 'user', content: 'x' }] })
    }
  }
  for (const path of ['/v1/audit', '/v1/metrics', '/v1/health/providers', '/v1/costs', '/v1/models'])
    await get('GET', path)
  const all = seen.join('\n')
  for (const spelling of [CANARY, encodeURIComponent(CANARY), Buffer.from(CANARY).toString('base64').slice(0, 20)])
    expect(all).not.toContain(spelling)
  expect(provider.requests.some(({ headers }) => headers.authorization === `Bearer ${CANARY}`)).toBe(true)
  await door.close()
  await leaky.close()
  await provider.close()
})
