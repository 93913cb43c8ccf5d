import { bearerTokens, firstOf, HooshError, type HooshOptions, virtualKeys } from '@hoosh/core'
import { memoryKeys } from '@hoosh/core/storage'
import { describe, expect, it } from 'vitest'
import { chat, chatOf, type Door, door, errorOf, request, type Sending } from '../support/door.js'
import { people } from '../support/mounts.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Key {
  readonly id: string
  readonly key: string
  readonly status: string
  readonly user: string
  readonly [field: string]: unknown
}

const logins = bearerTokens([
  ...Object.values(people),
  { token: 'narrow-token', user: 'nora', pool: ['user:nora', 'team:red'], models: ['demo', 'gpt-4o*'], tools: [] },
])

/** A gateway with keys; users make their own unless the test says otherwise. */
const opened = (options: HooshOptions = {}, resolver = virtualKeys()) =>
  door(
    { pools: { '*': { tokens: 1_000_000 } }, keys: { selfService: true }, ...options },
    { identify: firstOf(resolver, logins) },
  )

const narrow = { as: 'nobody', headers: { authorization: 'Bearer narrow-token' } } as const
const admin = { as: 'admin' } as const
const withKey = (key: string, headers = {}): Sending => ({
  as: 'nobody',
  headers: { authorization: `Bearer ${key}`, ...headers },
})

async function made(to: Door, body: object = {}, sending?: Sending): Promise<Key> {
  const reply = await to.post('/v1/keys', body, sending)
  expect([reply.status, reply.text]).toEqual([201, reply.text])
  return reply.body as Key
}

const status = async (to: Door, key: string) => (await chat(to, 'demo', {}, withKey(key))).status

describe('a key', () => {
  it('is shown once, calls as its user, on the pools it names, and is in the log', async () => {
    const to = await opened()
    const key = await made(to, { name: 'laptop' })
    expect(key).toMatchObject({ object: 'key', name: 'laptop', user: 'alice', status: 'active', pools: ['user:alice'] })
    expect(key.key).toMatch(/^hoosh_[0-9a-f]{32}_[\w-]{43}$/)
    const reply = await chat(to, 'demo', {}, withKey(key.key))
    expect(reply.status).toBe(200)
    const pools = (await to.get('/v1/tokens/pools')).body as { name: string; used: number }[]
    expect(pools).toMatchObject([{ name: 'user:alice' }])
    expect(pools[0]!.used).toBeGreaterThan(0)
    const shown = [await to.get('/v1/keys'), await to.get(`/v1/keys/${key.id}`), await to.get('/v1/audit', admin)]
    for (const { text } of shown) {
      expect(text).toContain(key.id)
      expect(text).not.toContain(key.key.slice(-43))
    }
    const entries = (shown[2]!.body as { entries: { event: string; subject: string; metadata: object }[] }).entries
    expect(entries.find(({ event }) => event === 'admin.key_created')).toMatchObject({
      subject: 'alice',
      metadata: { key: key.id, user: 'alice', pools: ['user:alice'] },
    })
    expect(entries.find(({ event }) => event === 'inference.request')).toMatchObject({ metadata: { key: key.id } })
  })

  it('is kept as a hash alone', async () => {
    const keys = memoryKeys()
    const to = await opened({ storage: { keys } })
    const { id, key } = await made(to)
    const kept = JSON.stringify(await keys.get(id))
    expect(kept).not.toContain(key.slice(-43))
    expect(JSON.stringify(to.logged)).not.toContain(key.slice(-43))
  })

  it('is rotated: the former text is good until the overlap ends, and the one before it no more', async () => {
    const to = await opened()
    const first = await made(to)
    const rotate = async (body: object) => (await to.post(`/v1/keys/${first.id}/rotate`, body)).body as Key
    const second = await rotate({ overlap_seconds: 3_600 })
    expect(second.id).toBe(first.id)
    expect(second.previous_secret_until).toBe(new Date(to.clock.now() + HOUR_MS).toISOString())
    expect([await status(to, first.key), await status(to, second.key)]).toEqual([200, 200])
    const third = await rotate({ overlap_seconds: 3_600 })
    expect(await Promise.all([first, second, third].map(({ key }) => status(to, key)))).toEqual([401, 200, 200])
    to.clock.advance(HOUR_MS - 1)
    expect(await status(to, second.key)).toBe(200)
    to.clock.advance(1)
    expect(await status(to, second.key)).toBe(401)
    const fourth = await rotate({ overlap_seconds: 0 })
    expect([await status(to, third.key), await status(to, fourth.key)]).toEqual([401, 200])
  })

  it('that was revoked opens nothing from then on, for good, whatever is repeated', async () => {
    const to = await opened()
    const key = await made(to)
    for (let times = 0; times < 2; times += 1) {
      const reply = await to.send('DELETE', `/v1/keys/${key.id}`)
      expect([reply.status, (reply.body as Key).status]).toEqual([200, 'revoked'])
    }
    expect(await status(to, key.key)).toBe(401)
    expect((await to.post(`/v1/keys/${key.id}/rotate`, {})).status).toBe(400)
    expect(await status(to, key.key)).toBe(401)
  })

  it('expires to the millisecond', async () => {
    const to = await opened()
    const key = await made(to, { expires_at: new Date(to.clock.now() + DAY_MS).toISOString() })
    to.clock.advance(DAY_MS - 1)
    expect(await status(to, key.key)).toBe(200)
    to.clock.advance(1)
    expect(await status(to, key.key)).toBe(401)
    expect(((await to.get(`/v1/keys/${key.id}`)).body as Key).status).toBe('expired')
  })

  it('is bound to its models and limits', async () => {
    const to = await opened()
    const key = await made(to, { models: ['demo'], limits: { requestsPerMinute: 1 } })
    const other = await made(to, { limits: { requestsPerMinute: 1 } })
    expect(errorOf(await chat(to, 'demo-fast', {}, withKey(key.key))).code).toBe('model_not_allowed')
    expect([await status(to, key.key), await status(to, key.key)]).toEqual([200, 429])
    expect([await status(to, other.key), (await chat(to, 'demo')).status]).toEqual([200, 200])
  })

  it.each([
    [['127.0.0.0/8'], 200],
    [['203.0.113.7', '127.0.0.1'], 200],
    [['203.0.113.0/24'], 401],
    [['::1/128'], 401],
  ])('that is bound to %j is %i from this machine', async (ip_ranges, expected) => {
    const to = await opened()
    const { key } = await made(to, { ip_ranges })
    expect(await status(to, key)).toBe(expected)
  })

  it('that is bound to addresses opens nothing where a proxy hides the address', async () => {
    const to = await opened()
    const { key } = await made(to, { ip_ranges: ['127.0.0.0/8'] })
    expect((await chat(to, 'demo', {}, withKey(key, { 'x-forwarded-for': '127.0.0.1' }))).status).toBe(401)
    const told = await opened({}, virtualKeys({ address: () => '2001:db8::7' }))
    const bound = await made(told, { ip_ranges: ['2001:db8::/32'] })
    expect(await status(told, bound.key)).toBe(200)
  })

  it('is asked about with the host, who may say no', async () => {
    let hasLeft = false
    const to = await opened({}, virtualKeys({ allow: ({ user }) => user === 'alice' && !hasLeft }))
    const { key } = await made(to)
    expect(await status(to, key)).toBe(200)
    hasLeft = true
    expect(await status(to, key)).toBe(401)
  })
})

describe('whose keys they are', () => {
  it("a user sees, rotates and revokes their own; an id that is not there and another's are one and the same 404", async () => {
    const to = await opened()
    const [own, foreign] = [await made(to), await made(to, {}, { as: 'bob' })]
    const { data } = (await to.get('/v1/keys?user=bob')).body as { data: Key[] }
    expect(data.map(({ id }) => id)).toEqual([own.id])
    const answers = new Set<string>()
    for (const id of [foreign.id, '01890a5d-ac96-7000-8a3e-0d9f2c4b6e1a', 'x', 'a%00b', `${'9'.repeat(300)}`]) {
      for (const [method, path, body] of [
        ['GET', `/v1/keys/${id}`, undefined],
        ['DELETE', `/v1/keys/${id}`, undefined],
        ['POST', `/v1/keys/${id}/rotate`, '{}'],
      ] as const) {
        const reply = await to.send(method, path, body === undefined ? {} : { body })
        answers.add(`${reply.status} ${reply.text}`)
      }
    }
    expect([...answers]).toEqual([expect.stringMatching(/^404 .*"There is no such key\."/)])
    expect(await status(to, foreign.key)).toBe(200)
  })

  it("an admin sees everybody's, page by page, and makes them for anybody", async () => {
    const to = await opened({ keys: {} })
    const ids = []
    for (const user of ['ann', 'bea', 'cay']) {
      ids.push((await made(to, { user, pools: [`user:${user}`] }, admin)).id)
    }
    const page = async (query: string) =>
      (await to.get(`/v1/keys?${query}`, admin)).body as { data: Key[]; next_before: string | null }
    const first = await page('limit=2')
    expect(first.data.map(({ user }) => user)).toEqual(['cay', 'bea'])
    const second = await page(`limit=2&before=${first.next_before}`)
    expect([second.data.map(({ user }) => user), second.next_before]).toEqual([['ann'], null])
    expect((await page('user=bea')).data.map(({ id }) => id)).toEqual([ids[1]])
    expect(errorOf(await to.post('/v1/keys', { user: 'dan' }, admin)).param).toBe('pools')
  })

  it.each(['user=a%00b', 'before=%00', 'before=x', 'limit=0', 'limit=1001'])('a list of ?%s is 400', async (query) => {
    const to = await opened()
    expect((await to.get(`/v1/keys?${query}`, admin)).status).toBe(400)
  })

  it('a user makes none where the host does not say so, and never for others', async () => {
    const closed = await opened({ keys: {} })
    expect((await closed.post('/v1/keys', {})).status).toBe(403)
    const to = await opened()
    expect(errorOf(await to.post('/v1/keys', { user: 'bob' })).code).toBe('forbidden')
    expect(errorOf(await to.post('/v1/keys', { user: 'bob', pools: ['user:bob'] })).code).toBe('forbidden')
  })

  it('a key makes, sees and changes no key: else it would outlive its end', async () => {
    const to = await opened()
    const { id, key } = await made(to)
    const replies = await Promise.all([
      to.post('/v1/keys', {}, withKey(key)),
      to.get('/v1/keys', withKey(key)),
      to.post(`/v1/keys/${id}/rotate`, {}, withKey(key)),
      to.send('DELETE', `/v1/keys/${id}`, withKey(key)),
    ])
    expect(replies.map((reply) => errorOf(reply).code)).toEqual(Array(4).fill('forbidden'))
  })

  it('a key of one who is bound is bound as well: pools, models, and limits that all of their calls share', async () => {
    const limited = bearerTokens([
      {
        token: 't',
        user: 'lea',
        pool: 'user:lea',
        models: ['demo'],
        limits: { requestsPerMinute: 2 },
        priority: 'low',
      },
    ])
    const to = await door(
      { pools: { '*': {} }, keys: { selfService: true } },
      { identify: firstOf(virtualKeys(), limited) },
    )
    const lea: Sending = { as: 'nobody', headers: { authorization: 'Bearer t' } }
    const keys = [await made(to, {}, lea), await made(to, { limits: { requestsPerMinute: 100 } }, lea)]
    expect(errorOf(await chat(to, 'gpt-4o', {}, withKey(keys[0]!.key))).code).toBe('model_not_allowed')
    const statuses = [await status(to, keys[0]!.key), await status(to, keys[1]!.key), await status(to, keys[0]!.key)]
    expect(statuses).toEqual([200, 200, 429])
    expect((await chat(to, 'demo', {}, lea)).status).toBe(429)
  })

  it.each([
    [{ pools: ['team:red'] }, 201],
    [{ pools: ['user:bob'] }, 'pool_not_allowed'],
    [{ pools: ['user:nora', 'default'] }, 'pool_not_allowed'],
    [{ models: ['demo'] }, 201],
    [{ models: ['gpt-4o*'] }, 201],
    [{ models: ['gpt-4o-mini'] }, 201],
    [{ models: ['*'] }, 'model_not_allowed'],
    [{ models: ['gpt-*'] }, 'model_not_allowed'],
    [{ models: ['gpt-4o-m*'] }, 'model_not_allowed'],
    [{ models: ['o3'] }, 'model_not_allowed'],
  ])('of one who has two pools and two patterns, %j is %s', async (body, expected) => {
    const to = await opened()
    const reply = await to.post('/v1/keys', body, narrow)
    expect(reply.status === 201 ? 201 : errorOf(reply).code).toBe(expected)
  })
})

describe('what is no key', () => {
  it('opens nothing, and says no more than that', async () => {
    const to = await opened()
    const { key } = await made(to)
    const [head, secret] = [key.slice(0, 39), key.slice(39)]
    const wrong = [
      'hoosh_',
      head,
      `${head}_`,
      `${head}${secret}x`,
      key.toUpperCase(),
      `${head}${[...secret].reverse().join('')}`,
      `hoosh_${'0'.repeat(32)}${secret}`,
      key.replace('hoosh_', 'hoosh-'),
    ]
    const replies = await Promise.all(wrong.map((text) => chat(to, 'demo', {}, withKey(text))))
    const bodies = new Set(replies.map(({ status: code, text }) => `${code} ${text}`))
    expect(bodies.size).toBe(1)
    expect([...bodies][0]).toMatch(/^401 /)
    expect(await status(to, key)).toBe(200)
  })

  it('is left to the next resolver, and a store that is down is 503', async () => {
    const away = async () => {
      throw new HooshError('store_unavailable')
    }
    const to = await opened({ storage: { keys: { ...memoryKeys(), get: away } } })
    expect((await chat(to, 'demo')).status).toBe(200)
    const reply = await chat(to, 'demo', {}, withKey(`hoosh_${'0'.repeat(32)}_${'A'.repeat(43)}`))
    expect(reply.status).toBe(503)
  })

  it.each([
    [{ ip_ranges: ['203.0.113.0/33'] }, 'ip_ranges'],
    [{ ip_ranges: ['example.org'] }, 'ip_ranges'],
    [{ ip_ranges: [] }, 'ip_ranges'],
    [{ expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ expires_at: 'soon' }, 'expires_at'],
    [{ expires_at: '2099-06-30T00:00:00' }, 'expires_at'],
    [{ expires_at: '06/07/2099' }, 'expires_at'],
    [{ expires_at: '2099-02-30' }, 'expires_at'],
    [{ limits: { requestsPerMinute: -1 } }, 'limits.requestsPerMinute'],
    [{ pools: [] }, 'pools'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ roles: ['admin'] }, 'roles'],
    [{ model: ['demo'] }, 'model'],
    [{ limits: { weight: 4 } }, 'limits.weight'],
    [{ limits: { concurrent: 1, rpm: 4 } }, 'limits.rpm'],
    [{ limits: 5 }, 'limits'],
  ])('asked for with %j is refused by name', async (body, param) => {
    const to = await opened()
    const reply = await to.post('/v1/keys', body)
    const { code, param: named, message } = errorOf(reply)
    expect([reply.status, code, named]).toEqual([400, 'invalid_request', param])
    expect(message).toContain(param)
  })
})

describe('when a key ends', () => {
  it.each([
    ['2099-06-30', '2099-06-30T00:00:00.000Z'],
    ['2099-06-30T00:00:00Z', '2099-06-30T00:00:00.000Z'],
    ['2099-06-30T00:00:00+02:00', '2099-06-29T22:00:00.000Z'],
  ])('as %s it is the same moment on any server', async (expires_at, expected) => {
    expect((await made(await opened(), { expires_at })).expires_at).toBe(expected)
  })
})

describe('how many there are', () => {
  it('a user has so many keys; those that have ended make room', async () => {
    const to = await opened({ keys: { selfService: true, perUser: 2 } })
    const first = await made(to)
    await made(to)
    const full = await to.post('/v1/keys', {})
    expect([full.status, errorOf(full).code, full.headers.get('x-should-retry')]).toEqual([
      429,
      'too_many_keys',
      'false',
    ])
    await to.send('DELETE', `/v1/keys/${first.id}`)
    await made(to)
    expect((await to.get(`/v1/keys/${first.id}`)).status).toBe(404)
    await made(to, {}, { as: 'bob' })
  })

  it('a user makes none that lives longer than the host allows', async () => {
    const to = await opened({ keys: { selfService: true, longestMs: DAY_MS } })
    const latest = new Date(to.clock.now() + DAY_MS).toISOString()
    expect((await made(to)).expires_at).toBe(latest)
    const late = { expires_at: new Date(to.clock.now() + DAY_MS + 1).toISOString() }
    expect(errorOf(await to.post('/v1/keys', late)).param).toBe('expires_at')
    expect((await made(to, {}, admin)).expires_at).toBeNull()
  })
})

it('without a gateway the resolver says what to do, in the log', async () => {
  const to = await door({}, { identify: (req) => virtualKeys()(req) })
  const reply = await request(`${to.url}/v1/chat/completions`, 'POST', {
    ...withKey(`hoosh_${'0'.repeat(32)}_${'A'.repeat(43)}`),
    body: JSON.stringify(chatOf('demo')),
  })
  expect([reply.status, errorOf(reply).code]).toEqual([500, 'identify_failed'])
  expect(reply.text).not.toContain('virtualKeys')
  const [line] = to.logged.filter(({ level }) => level === 'error')
  expect(line!.message).toContain('(request, gateway) =>')
})
