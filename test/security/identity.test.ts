import { type IncomingMessage, type RequestListener, request as rawRequest } from 'node:http'
import { connect } from 'node:net'
import { bearerTokens, firstOf, fromJwt, fromReqUser, HooshError, type Identify, type Identity } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express from 'express'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chat, door, errorOf, request } from '../support/door.js'
import { people, serve } from '../support/mounts.js'

const options = { providers: [{ type: 'demo' as const }], pools: { '*': {} }, logger: false as const }

/** Starts a listener for one test; resolves with what `GET` answers, its headers exactly these. */
async function served(
  listener: RequestListener,
): Promise<(path: string, headers?: Record<string, string>) => Promise<[number, string]>> {
  const { url, close } = await serve(listener)
  onTestFinished(close)
  const { port, host } = new URL(url)
  return (path, headers = { host }) =>
    new Promise((resolve, reject) => {
      const sending = rawRequest({ host: '127.0.0.1', port, path, headers, setHost: false }, (reply) => {
        let text = ''
        reply.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        reply.on('end', () => resolve([reply.statusCode!, text]))
      })
      sending.on('error', reject).end()
    })
}

/** What a server answers to a text, until it hangs up. */
function exchanged(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.setEncoding('utf8').on('data', (piece: string) => {
      answer += piece
    })
    socket.on('end', () => resolve(answer)).on('error', reject)
  })
}

const mounts: [name: string, listener: () => RequestListener][] = [
  ['node:http', () => toNodeHandler(options)],
  ['Express', () => express().use(hoosh(options))],
  ['Koa', () => new Koa().use(koaHoosh(options)).callback()],
]

describe.each(mounts)('without identify, on %s', (_name, listener) => {
  it.each<[string, Record<string, string>]>([
    ['127.0.0.1', { host: '127.0.0.1:3000' }],
    ['localhost', { host: 'localhost' }],
    ['a name below localhost', { host: 'app.localhost:3000' }],
    ['IPv6', { host: '[::1]:3000' }],
    ['an Origin of this machine', { host: 'localhost:3000', origin: 'http://localhost:5173' }],
    ['a Host in capitals', { host: 'LOCALHOST:3000' }],
  ])('callers of this machine are served as anonymous: %s', async (_what, headers) => {
    const get = await served(listener())
    const [status, text] = await get('/v1/tokens/pools', headers)
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject([{ name: 'default', capacity: null }])
  })

  it.each<[string, Record<string, string>]>([
    ['x-forwarded-for', { host: 'localhost', 'x-forwarded-for': '203.0.113.9' }],
    ['x-forwarded-host', { host: 'localhost', 'x-forwarded-host': 'localhost' }],
    ['x-forwarded-proto', { host: 'localhost', 'x-forwarded-proto': 'https' }],
    ['any x-forwarded header', { host: 'localhost', 'X-Forwarded-Anything': '' }],
    ['forwarded', { host: 'localhost', forwarded: 'for=127.0.0.1' }],
    ['x-real-ip', { host: 'localhost', 'x-real-ip': '127.0.0.1' }],
    ['via', { host: 'localhost', via: '1.1 proxy' }],
    ['a foreign Host (DNS rebinding)', { host: 'evil.example:3000' }],
    ['a Host that begins like ours', { host: 'localhost.evil.example' }],
    ['a Host that ends like ours', { host: 'evillocalhost' }],
    ['a Host with a user', { host: 'localhost@evil.example' }],
    ['an address of the network', { host: '192.168.1.5' }],
    ['all addresses', { host: '0.0.0.0' }],
    ['a foreign Origin', { host: 'localhost', origin: 'https://evil.example' }],
    ['an Origin that begins like ours', { host: 'localhost', origin: 'http://localhost.evil.example' }],
    ['a sandboxed page', { host: 'localhost', origin: 'null' }],
    ['an extension', { host: 'localhost', origin: 'chrome-extension://abc' }],
  ])('others get 401: %s', async (_what, headers) => {
    const get = await served(listener())
    const [status, text] = await get('/v1/tokens/pools', headers)
    expect([status, JSON.parse(text).error.code]).toEqual([401, 'unauthenticated'])
  })

  it.each(['10.0.0.7', '192.168.1.5', '::ffff:203.0.113.9', 'fe80::1', '2001:db8::1', undefined])(
    'others get 401: a socket from %s',
    async (remoteAddress) => {
      const inner = listener()
      const get = await served((req, res) => {
        Object.defineProperty(req.socket, 'remoteAddress', { value: remoteAddress, configurable: true })
        inner(req, res)
      })
      expect((await get('/v1/tokens/pools'))[0]).toBe(401)
    },
  )

  it.each<[string, RegExp]>([
    ['1.0', /^HTTP\/1.1 401 .*HTTP\/1\.0.*`identify`/s],
    ['1.1', /^HTTP\/1.1 200 /],
  ])(
    'a proxy that names us alone, as nginx does for `proxy_pass`, is told by HTTP/1.0: %s',
    async (version, answer) => {
      const { url, close } = await serve(listener())
      onTestFinished(close)
      const { port, host } = new URL(url)
      const asked = `GET /v1/tokens/pools HTTP/${version}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
      expect(await exchanged(Number(port), asked)).toMatch(answer)
    },
  )

  it('anonymous is no admin', async () => {
    const get = await served(listener())
    expect((await get('/v1/health/providers'))[0]).toBe(403)
  })
})

describe('identify', () => {
  const opened = (identify: Identify<unknown>) => door({ pools: { '*': {} } }, { identify })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('db at 10.0.0.3 refused my-password')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('db at 10.0.0.3 refused my-password'))],
    [
      'throws a text',
      () => {
        throw 'db at 10.0.0.3 refused my-password'
      },
    ],
  ])('that %s is 500 identify_failed, with the cause in the log only', async (_what, identify) => {
    const to = await opened(identify as Identify<unknown>)
    for (const reply of [await to.get('/v1/models'), await chat(to, 'demo', { stream: true })]) {
      expect(reply.status).toBe(500)
      expect(errorOf(reply)).toMatchObject({ type: 'api_error', code: 'identify_failed', param: null })
      expect(reply.text).not.toMatch(/10\.0\.0\.3|my-password/)
    }
    const line = to.logged.find(({ details }) => details.code === 'identify_failed')!
    expect(line.level).toBe('error')
    expect(String((line.details.err as Error).message ?? line.details.err)).toContain('10.0.0.3')
    expect(line.details.requestId).toEqual(expect.any(String))
  })

  it.each([
    new HooshError('store_unavailable', { message: 'The login is down.', details: { retryAfterMs: 2_000 } }),
    new HooshError('forbidden', { message: 'Not from here.' }),
    new HooshError('unauthenticated', { message: 'Your session has ended.' }),
  ])('that throws a HooshError answers with it: $code', async (error) => {
    const to = await opened(() => {
      throw error
    })
    const reply = await to.get('/v1/models')
    expect([reply.status, errorOf(reply).code, errorOf(reply).message]).toEqual([
      error.status,
      error.code,
      error.message,
    ])
    if (error.details.retryAfterMs !== undefined) expect(reply.headers.get('retry-after')).toBe('2')
  })

  it.each([null, undefined, false, 0, ''])('that returns %j knows nobody: 401', async (nobody) => {
    const reply = await (await opened(() => nobody as null)).get('/v1/models')
    expect([reply.status, errorOf(reply).code]).toEqual([401, 'unauthenticated'])
  })

  it.each<[string, unknown, RegExp]>([
    ['a text', 'ada', /an object with a `user`/],
    ['a list', [{ user: 'ada' }], /an object with a `user`/],
    ['no user', {}, /`user`/],
    ['an empty user', { user: '' }, /`user`/],
    ['a number for a user', { user: 42 }, /`user`.*type number/],
    ['a user with a line break', { user: 'a\nb' }, /`user`/],
    ['a user that is too long', { user: 'x'.repeat(257) }, /`user`/],
    ['a pool that is no text', { user: 'ada', pool: [7] }, /`pool`/],
    ['a null pool', { user: 'ada', pool: null }, /`pool`/],
    ['roles as a text', { user: 'ada', roles: 'admin' }, /`roles`.*array/],
    ['models as a text', { user: 'ada', models: 'gpt-4o' }, /`models`/],
    ['a limit below 0', { user: 'ada', limits: { concurrent: -1 } }, /`limits\.concurrent`/],
    ['a limit of a fraction', { user: 'ada', limits: { requestsPerMinute: 0.5 } }, /`limits\.requestsPerMinute`/],
    ['metadata that is no text', { user: 'ada', metadata: { age: 3 } }, /`metadata\.age`/],
  ])('that returns %s is 500, and the log names the field, not the value', async (_what, identity, field) => {
    const to = await opened(() => identity as Identity)
    const reply = await to.get('/v1/models')
    expect([reply.status, errorOf(reply).code]).toEqual([500, 'identify_failed'])
    const line = to.logged.find(({ details }) => details.code === 'identify_failed')!
    expect((line.details.err as Error).message).toMatch(field)
  })

  it.each<[string, object, string]>([
    ['pools', { pools: ['team'] }, 'pool'],
    ['Pool', { Pool: 'team' }, 'pool'],
    ['pool, undefined, beside poool', { pool: undefined, poool: 'team' }, 'pool'],
    ['model', { model: ['gpt-4o'] }, 'models'],
    ['tool', { pool: 'team', tool: ['search'] }, 'tools'],
    ['limit', { limit: { concurrent: 1 } }, 'limits'],
    ['rolse', { rolse: ['admin'] }, 'roles'],
    ['prority', { prority: 'low' }, 'priority'],
    ['limits.requestPerMinute', { limits: { requestPerMinute: 1 } }, 'limits.requestsPerMinute'],
  ])('that misspells a field, %s, spends nothing: 500, and the log says what was meant', async (_what, slip, meant) => {
    const to = await opened(() => ({ user: 'ada', ...slip }) as Identity)
    const reply = await chat(to, 'demo')
    expect([reply.status, errorOf(reply).code]).toEqual([500, 'identify_failed'])
    expect(errorOf(reply).message).not.toContain(meant)
    const line = to.logged.find(({ details }) => details.code === 'identify_failed')!
    expect((line.details.err as Error).message).toContain(`did you mean \`${meant}\`?`)
  })

  it("may spread the host's own record, and a field that is spelt right needs no second one", async () => {
    const record = { mode: 'dark', room: 7, post: 1, role: 'editor', note: '', poll: 1, rules: [], id: 3, name: 'Ada' }
    const more = { spool: 1, users: [], models: ['*'], model: 'a', limits: { id: 1 }, credentials: {}, toString: 1 }
    for (const [identity, pool] of [
      [{ ...record, user: 'ada' }, 'default'],
      [{ ...record, ...more, user: 'ada', pool: 'team' }, 'team'],
      [{ metaData: { plan: 7 }, meta_data: null, Metadata: [], user: 'ada' }, 'default'],
      [{ metaData: { plan: 7 }, metadata: { plan: 'seven' }, user: 'ada', pool: 'team' }, 'team'],
    ] as const) {
      const to = await opened(() => identity as Identity)
      expect((await chat(to, 'demo')).status).toBe(200)
      expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ name: pool }])
    }
  })

  it('is asked once for a request, and not for one that needs nobody', async () => {
    let asked = 0
    const to = await opened(() => {
      asked += 1
      return { user: 'ada' }
    })
    await chat(to, 'demo')
    expect(asked).toBe(1)
    await to.get('/v1/health/live')
    await to.get('/v1/nothing')
    await to.send('DELETE', '/v1/models')
    expect(asked).toBe(1)
  })

  it('decides the pools: every one of them pays, an empty list means `default`', async () => {
    const to = await opened(() => ({ user: 'ada', pool: ['a', 'b', 'a'] }))
    await chat(to, 'demo')
    const rows = (await to.get('/v1/tokens/pools')).body as { name: string; used: number }[]
    expect(rows.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(rows[0]!.used).toBeGreaterThan(0)
    expect(rows[1]!.used).toBe(rows[0]!.used)
    const none = await opened(() => ({ user: 'ada', pool: [] }))
    expect((await none.get('/v1/tokens/pools')).body).toMatchObject([{ name: 'default' }])
  })

  it("a call's own `pool` only checks that it is the caller's; an admin names any, and that one alone pays", async () => {
    const who = { user: 'ada', pool: ['a', 'b'] }
    const to = await opened((req) => ({ ...who, roles: (req as IncomingMessage).headers['x-admin'] ? ['admin'] : [] }))
    for (const pool of ['c', 'default']) {
      const reply = await chat(to, 'demo', { pool })
      expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([403, 'pool_not_allowed', 'pool'])
    }
    expect((await chat(to, 'demo', { pool: 'b' })).status).toBe(200)
    const used = async () =>
      Object.fromEntries(
        (
          (await to.get('/v1/tokens/pools', { headers: { 'x-admin': '1' } })).body as { name: string; used: number }[]
        ).map((row) => [row.name, row.used]),
      )
    const before = await used()
    expect(before.a).toBe(before.b)
    expect((await chat(to, 'demo', { pool: 'c' }, { headers: { 'x-admin': '1' } })).status).toBe(200)
    const after = await used()
    expect([after.a, after.b]).toEqual([before.a, before.b])
    expect(after.c).toBeGreaterThan(0)
  })
})

describe('the ready-made ones', () => {
  /** Who a resolver says it is, in an Express app whose login has left this on the request. */
  const whoIs = async (
    identify: Identify<unknown>,
    left: Record<string, unknown>,
    headers: Record<string, string> = {},
  ) => {
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, left)
      next()
    })
    app.use(hoosh({ ...options, identify }))
    app.get('/me', async (req, res) => {
      res.json(await req.hoosh.identity().catch((error: HooshError) => error.code))
    })
    const { url, close } = await serve(app)
    onTestFinished(close)
    return (await request(`${url}/me`, 'GET', { as: 'nobody', headers })).body
  }

  it('fromReqUser takes what the login found', async () => {
    expect(await whoIs(fromReqUser(), { user: { id: 'ada', role: 'admin' } })).toEqual({ user: 'ada' })
    expect(await whoIs(fromReqUser(), { user: { id: 42 } })).toEqual({ user: '42' })
    expect(await whoIs(fromReqUser(), {})).toBe('unauthenticated')
    const named = fromReqUser({
      user: 'email',
      roles: (user) => (user.isBoss === true ? ['admin'] : []),
      pool: (user) => [`user:${String(user.email)}`, 'team'],
    })
    expect(await whoIs(named, { user: { email: 'a@b.c', isBoss: true } })).toEqual({
      user: 'a@b.c',
      roles: ['admin'],
      pool: ['user:a@b.c', 'team'],
    })
  })

  it('fromReqUser of a user without an id is a fault of the host, not nobody', async () => {
    expect(await whoIs(fromReqUser(), { user: { name: 'ada' } })).toBe('identify_failed')
  })

  it('fromReqUser spends from no `default` because the user lacks the field that names the pool', async () => {
    const team = fromReqUser({ pool: 'team' })
    expect(await whoIs(team, { user: { id: 'ada', team: 'red' } })).toEqual({ user: 'ada', pool: 'red' })
    expect(await whoIs(team, { user: { id: 'ada', teamName: 'red' } })).toBe('identify_failed')
    expect(await whoIs(fromJwt({ pool: 'team' }), { auth: { sub: 'ada' } })).toBe('identify_failed')
    // A field that is there says that there is no team, and so does a function.
    expect(await whoIs(team, { user: { id: 'ada', team: null } })).toEqual({ user: 'ada' })
    expect(await whoIs(fromReqUser({ pool: () => undefined }), { user: { id: 'ada' } })).toEqual({ user: 'ada' })
  })

  it('fromJwt takes verified claims, bare or beside their header', async () => {
    expect(await whoIs(fromJwt(), { auth: { sub: 'ada', scope: 'all' } })).toEqual({ user: 'ada' })
    const parts = { header: { alg: 'RS256' }, payload: { sub: 'ada', groups: ['admin'] }, token: 'e.y.J' }
    expect(await whoIs(fromJwt({ roles: 'groups' }), { auth: parts })).toEqual({ user: 'ada', roles: ['admin'] })
    expect(await whoIs(fromJwt(), { auth: { sub: 'ada', payload: 'a claim of that name' } })).toEqual({ user: 'ada' })
    expect(
      await whoIs(fromJwt({ pool: (claims) => `org:${String(claims.org)}` }), { auth: { sub: 'a', org: 7 } }),
    ).toEqual({
      user: 'a',
      pool: 'org:7',
    })
    expect(await whoIs(fromJwt(), {})).toBe('unauthenticated')
  })

  it('fromJwt verifies nothing itself: a token in a header is nobody', async () => {
    const authorization = 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.'
    expect(await whoIs(fromJwt(), {}, { authorization })).toBe('unauthenticated')
  })

  it('bearerTokens knows its tokens and no others', async () => {
    const { token, ...alice } = people.alice
    const tokens = bearerTokens([people.alice, people.bob])
    const as = (authorization: string) => whoIs(tokens, {}, { authorization })
    expect(await as(`Bearer ${token}`)).toEqual(alice)
    expect(await as(`bearer   ${token} `)).toEqual(alice)
    for (const other of [
      token,
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Basic ${token}`,
      'Bearer',
      `Bearer ${token} ${token}`,
    ])
      expect(await as(other)).toBe('unauthenticated')
  })

  it.each<[string, unknown, RegExp]>([
    ['is empty', [{ token: '', user: 'a' }], /at 0 has to be a text.*environment variable set\?$/],
    ['is not set', [{ token: undefined, user: 'a' }], /at 0/],
    [
      'has a space',
      [
        { token: 'x', user: 'a' },
        { token: 'a b', user: 'b' },
      ],
      /at 1/,
    ],
    [
      'is there twice',
      [
        { token: 'x', user: 'a' },
        { token: 'x', user: 'b' },
      ],
      /at 1 is there twice/,
    ],
  ])('bearerTokens refuses a token that %s when the app starts', (_what, entries, says) => {
    expect(() => bearerTokens(entries as never)).toThrow(
      expect.objectContaining({ code: 'invalid_options', message: expect.stringMatching(says) }),
    )
  })

  it('firstOf asks one after the other, and a store that is down ends the search', async () => {
    const asked: string[] = []
    const says = (name: string, answer: () => Identity | null): Identify<unknown> => {
      return async () => {
        asked.push(name)
        return answer()
      }
    }
    const ada = says('ada', () => ({ user: 'ada' }))
    const nobody = says('nobody', () => null)
    const down = says('down', () => {
      throw new HooshError('store_unavailable')
    })
    expect(await whoIs(firstOf(nobody, ada, down), {})).toEqual({ user: 'ada' })
    expect(asked).toEqual(['nobody', 'ada'])
    expect(await whoIs(firstOf(nobody, down, ada), {})).toBe('store_unavailable')
    expect(await whoIs(firstOf(nobody, nobody), {})).toBe('unauthenticated')
    expect(await whoIs(firstOf(bearerTokens([people.alice]), fromReqUser()), { user: { id: 'ada' } })).toEqual({
      user: 'ada',
    })
  })
})
