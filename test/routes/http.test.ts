import { request as rawRequest } from 'node:http'
import { hoosh } from '@hoosh/express'
import express from 'express'
import express4 from 'express4'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { chat, chatOf, type Door, door, errorOf, request, upstream } from '../support/door.js'
import { identify, people, serve } from '../support/mounts.js'

const admin = { as: 'admin' } as const
const ORIGIN = 'https://app.example.org'
const routes = ROUTES.map((route) => ({ ...route, url: route.path.replace(/[:*]\w+/, 'demo') }))
const paths = [...new Set(routes.map(({ url }) => url))]
/** Of its own route, and of those with an open end that it lies below: a model may be called `pull`. */
const methodsOf = (url: string) => {
  const isOf = ({ url: own, path }: (typeof routes)[number]) =>
    own === url || (path.includes('*') && url.startsWith(path.replace(/\*.*/, '')))
  return [...new Set(routes.filter(isOf).map(({ method }) => method as string))]
}
const open = () => door({ rootRoutes: true })

/** As a browser does for a page of another origin: headers that are not exposed are not there. */
const fetchOfPage: typeof fetch = async (url, init) => {
  const headers = new Headers(init?.headers)
  headers.set('origin', ORIGIN)
  const { body, status, headers: sent } = await fetch(url, { ...init, headers })
  const shown = `content-type, ${sent.get('access-control-expose-headers')}`.split(', ')
  return new Response(body, { status, headers: [...sent].filter(([name]) => shown.includes(name)) })
}

describe('an answer', () => {
  // No key, no run, no entry and no pool is called `demo`, so there is nothing to show.
  it.each(
    routes.filter(({ method, path }) => method === 'GET' && !/(?:keys|runs)\/:id$|\/(?:payload|entries)$/.test(path)),
  )('of HEAD is that of GET without a body: $path', async ({ url }) => {
    const to = await open()
    const [get, head] = [await to.get(url, admin), await to.send('HEAD', url, admin)]
    expect(get.status).toBe(200)
    expect([head.status, head.text]).toEqual([200, ''])
    for (const name of ['content-type', 'cache-control']) expect(head.headers.get(name)).toBe(get.headers.get(name))
    // What is streamed has no length before its end.
    if (get.headers.has('content-length')) expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0)
  })

  it.each(paths)('to another method is 405 with Allow: %s', async (url) => {
    const to = await open()
    const known = methodsOf(url)
    const allow = [...known, ...(known.includes('GET') ? ['HEAD'] : [])].sort().join(', ')
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].filter((one) => !known.includes(one))) {
      const reply = await to.send(method, url, { as: 'nobody' })
      if (url.startsWith('/v1/models/') && method === 'GET') continue
      expect([method, reply.status, reply.headers.get('allow')]).toEqual([method, 405, allow])
      expect(errorOf(reply)).toMatchObject({ code: 'method_not_allowed', type: 'invalid_request_error' })
      expect(errorOf(reply).message).toContain(allow)
    }
    if (!known.includes('GET')) expect((await to.send('HEAD', url)).status).toBe(405)
  })

  it.each([
    '/v1',
    '/v1/',
    '/v1/chat',
    '/v1/chat/completions/',
    '/v1/Models',
    '/v2/models',
    '/nothing',
    '//v1/models',
    '/v1/models/%zz',
  ])('to %s is a JSON 404', async (url) => {
    const to = await door()
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const reply = await to.send(method, url)
      expect([method, reply.status, errorOf(reply).code]).toEqual([method, 404, 'not_found'])
      expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
      expect(errorOf(reply).message).toContain(method)
    }
  })

  it('carries the request id that was sent, if it is plain, else one of its own; errors too', async () => {
    const to = await door()
    const idOf = async (id: string, path = '/v1/health') =>
      (await to.get(path, { headers: { 'x-request-id': id } })).headers.get('x-request-id')
    expect(await idOf('trace-1.2:3')).toBe('trace-1.2:3')
    expect(await idOf('trace-1', '/nothing')).toBe('trace-1')
    for (const id of ['two words', '<script>', 'x'.repeat(129)]) expect(await idOf(id)).toMatch(/^[\w-]{8,}$/)
    expect(await idOf('a')).not.toBe(await idOf('b'))
    expect((await chat(to, 'demo', { stream: true })).headers.get('x-request-id')).toMatch(/^[\w-]{8,}$/)
  })

  it('to nobody is 401 that says how to sign in', async () => {
    const reply = await (await door()).get('/v1/models', { as: 'nobody' })
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(errorOf(reply)).toMatchObject({ type: 'authentication_error', code: 'unauthenticated', param: null })
  })
})

describe('GET /', () => {
  it('says what it is, to whoever is known also which version', async () => {
    const to = await open()
    expect((await to.get('/', { as: 'nobody' })).body).toEqual({ name: 'hoosh', status: 'ok' })
    const version = ((await to.get('/v1/health')).body as { version: string }).version
    expect((await to.get('/')).body).toEqual({ name: 'hoosh', status: 'ok', version })
  })

  it.each(['/', '/metrics'])('with %s is not there where it would shadow a page', async (path) => {
    expect((await (await door()).get(path, admin)).status).toBe(404)
    expect((await (await door({ basePath: '/ai' })).get(path, admin)).status).toBe(404)
    expect((await (await door({ basePath: '/ai' })).get(`/ai${path}`, admin)).status).toBe(200)
  })

  it('answers at the base path with and without a slash', async () => {
    const to = await door({ basePath: '/ai/' })
    for (const path of ['/ai', '/ai/']) expect((await to.get(path)).status).toBe(200)
    expect((await to.get('/ai/v1/models')).status).toBe(200)
    for (const path of ['/v1/models', '/aiv1/models', '/ai2', '/AI/v1/models'])
      expect((await to.get(path)).status).toBe(404)
  })
})

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('mounted under a path of %s', (_name, framework) => {
  const mounted = async (options = {}) => {
    const ai = hoosh({ providers: [{ type: 'demo' }], pools: { 'user:*': {} }, identify, logger: false, ...options })
    const app = framework()
    app.use('/ai', ai)
    app.use('/both', ai)
    app.use('/varied', (req, res, next) => void next(void res.vary(String(req.query.by))), ai)
    app.use(ai)
    app.get('/', (_req, res) => void res.send('the page of the host'))
    app.all('/v1/mine', (_req, res) => void res.send('a route of the host'))
    app.options('/v1/models', (_req, res) => void res.status(204).set('x-by', 'host').end())
    const served = await serve(app)
    onTestFinished(async () => {
      await served.close()
      await ai.gateway.close()
    })
    return (method: string, path: string, sending = {}) => request(`${served.url}${path}`, method, sending)
  }

  it('serves everything below it, the root and the metrics too', async () => {
    const send = await mounted()
    for (const path of ['/ai', '/ai/', '/both/'])
      expect((await send('GET', path)).body).toMatchObject({ name: 'hoosh' })
    expect((await send('GET', '/ai/metrics', admin)).text).toContain('hoosh_')
    expect((await send('GET', '/ai/v1/models')).status).toBe(200)
    expect((await send('POST', '/ai/v1/chat/completions', { body: JSON.stringify(chatOf('demo')) })).status).toBe(200)
  })

  it('shadows no page and no route of the host', async () => {
    const send = await mounted()
    expect((await send('GET', '/')).text).toBe('the page of the host')
    expect((await send('GET', '/metrics', admin)).status).toBe(404)
    expect((await send('GET', '/v1/mine')).text).toBe('a route of the host')
    const unknown = await send('GET', '/v1/nothing')
    expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
  })

  it('answers 405 itself, and leaves OPTIONS to the host unless it has CORS', async () => {
    const send = await mounted()
    expect((await send('DELETE', '/v1/models')).headers.get('allow')).toBe('GET, HEAD')
    expect((await send('OPTIONS', '/v1/models')).headers.get('x-by')).toBe('host')
    const open = await mounted({ cors: { origins: [ORIGIN] } })
    const reply = await open('OPTIONS', '/v1/models', { headers: { origin: ORIGIN } })
    expect([reply.status, reply.headers.get('x-by')]).toEqual([204, null])
  })

  it('leaves what answers of the host vary by, and says its own beside it', async () => {
    const send = await mounted({ cors: { origins: [ORIGIN] } })
    const varies = async (by: string) => (await send('GET', `/varied/v1/models?by=${by}`)).headers.get('vary')
    expect(await varies('Accept-Encoding')).toBe('Accept-Encoding, Origin')
    expect(await varies('origin')).toBe('origin')
    expect(await varies('*')).toBe('*')
    const body = JSON.stringify({ model: 'demo', stream: true, messages: [{ role: 'user', content: 'Hello' }] })
    const stream = await send('POST', '/varied/v1/chat/completions?by=Cookie', { body })
    expect([stream.headers.get('vary'), stream.text.includes('[DONE]')]).toEqual(['Cookie, Origin', true])
  })
})

describe('CORS', () => {
  const allowed = () => door({ cors: { origins: [ORIGIN, 'http://localhost:5173'] } })
  const preflight = (to: Door, origin: string, headers: Record<string, string> = {}) =>
    to.send('OPTIONS', '/v1/chat/completions', {
      as: 'nobody',
      headers: { origin, 'access-control-request-method': 'POST', ...headers },
    })

  it('answers a preflight of an allowed origin, without asking who it is', async () => {
    const reply = await preflight(await allowed(), ORIGIN)
    expect([reply.status, reply.text]).toEqual([204, ''])
    expect(reply.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(reply.headers.get('access-control-allow-methods')).toContain('POST')
    expect(reply.headers.get('access-control-allow-headers')).toMatch(/authorization.*content-type/)
    expect(Number(reply.headers.get('access-control-max-age'))).toBeGreaterThan(0)
    expect(reply.headers.get('vary')).toContain('Origin')
  })

  it('allows the headers that a browser says the openai package will send', async () => {
    const wanted =
      'authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count,idempotency-key'
    const reply = await preflight(await allowed(), ORIGIN, { 'access-control-request-headers': wanted })
    const allowedHeaders = reply.headers.get('access-control-allow-headers')!.toLowerCase().split(/, */)
    for (const name of wanted.split(',')) expect(allowedHeaders).toContain(name)
  })

  it('falls back to a list of its own where the names asked for are none', async () => {
    const reply = await preflight(await allowed(), ORIGIN, { 'access-control-request-headers': 'a;b <c>' })
    expect(reply.headers.get('access-control-allow-headers')).toMatch(/^authorization, content-type/)
  })

  it('lets an allowed origin read answers, refusals and our headers', async () => {
    const to = await allowed()
    const headers = { origin: ORIGIN }
    const replies = [
      await chat(to, 'demo', {}, { headers }),
      await chat(to, 'demo', { stream: true }, { headers }),
      await chat(to, 'demo', { max_tokens: -1 }, { headers }),
      await to.get('/v1/models', { as: 'nobody', headers }),
      await to.get('/nothing', { headers }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 400, 401, 404])
    for (const reply of replies) {
      expect(reply.headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(reply.headers.get('access-control-expose-headers')).toMatch(/x-hoosh-cost-micro-usd.*retry-after/)
    }
  })

  it('shows the openai package in a page that a call may have been billed, so that it is not made again', async () => {
    const provider = await upstream({ fallback: { fault: 'reset-before-head' } })
    const to = await door({
      providers: [{ type: 'openai', baseUrl: provider.url }],
      cors: { origins: [ORIGIN] },
    })
    const openai = new OpenAI({
      baseURL: `${to.url}/v1`,
      apiKey: people.alice.token,
      fetch: fetchOfPage,
      dangerouslyAllowBrowser: true,
    })
    await expect(openai.chat.completions.create(chatOf('m'))).rejects.toMatchObject({ status: 502 })
    expect(provider.requests).toHaveLength(1)
  })

  it.each([
    'https://evil.example',
    'https://app.example.org.evil.example',
    'http://app.example.org',
    'null',
    `${ORIGIN}/`,
  ])('says nothing to %s', async (origin) => {
    const to = await allowed()
    for (const reply of [await preflight(to, origin), await chat(to, 'demo', {}, { headers: { origin } })]) {
      expect(reply.headers.get('access-control-allow-origin')).toBe(null)
      expect(reply.headers.get('vary')).toContain('Origin')
    }
  })

  it('with * allows any origin', async () => {
    const to = await door({ cors: { origins: ['*'] } })
    const reply = await preflight(to, 'https://any.example')
    expect(reply.headers.get('access-control-allow-origin')).toMatch(/^(\*|https:\/\/any\.example)$/)
  })

  it('is off unless configured: no header, and OPTIONS is a method like any other', async () => {
    const to = await door()
    const reply = await preflight(to, ORIGIN)
    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST'])
    const answer = await chat(to, 'demo', {}, { headers: { origin: ORIGIN } })
    expect(answer.headers.get('access-control-allow-origin')).toBe(null)
  })

  it('of an unknown path is a JSON 404', async () => {
    const reply = await (await allowed()).send('OPTIONS', '/v1/nothing', { headers: { origin: ORIGIN } })
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  })
})

describe('a body', () => {
  const post = (to: Door, body: string, headers: Record<string, string> = {}) =>
    to.send('POST', '/v1/chat/completions', { body, headers })
  const good = JSON.stringify(chatOf('demo'))

  it.each<[string, string, Record<string, string>, number, string]>([
    ['no JSON', '{"model":', {}, 400, 'invalid_json'],
    ['nothing', '', {}, 400, 'invalid_json'],
    ['a list', '[]', {}, 400, 'invalid_request'],
    ['another type', good, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['another charset', good, { 'content-type': 'application/json; charset=latin1' }, 415, 'unsupported_media_type'],
    ['compression', good, { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['a type in capitals', good, { 'content-type': 'Application/JSON; Charset=UTF-8' }, 200, ''],
  ])('of %s', async (_what, body, headers, status, code) => {
    const reply = await post(await door(), body, headers)
    expect(reply.status).toBe(status)
    if (status !== 200) expect(errorOf(reply)).toMatchObject({ code, type: 'invalid_request_error' })
  })

  it('larger than maxBodyBytes is 413 that names the option, announced or not', async () => {
    const to = await door({ maxBodyBytes: 200 })
    const large = JSON.stringify(chatOf('demo', { user: 'x'.repeat(300) }))
    const reply = await post(to, large)
    expect([reply.status, errorOf(reply).code]).toEqual([413, 'body_too_large'])
    expect(errorOf(reply).message).toMatch(/200 bytes.*maxBodyBytes/)
    expect(await chunked(to, large)).toBe(413)
    expect((await post(to, good)).status).toBe(200)
  })

  /** Sends a body without saying how long it is. */
  const chunked = (to: Door, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' }
      const sending = rawRequest(`${to.url}/v1/chat/completions`, { method: 'POST', headers }, (reply) => {
        reply.resume()
        resolve(reply.statusCode!)
      })
      sending.on('error', reject)
      sending.write(body.slice(0, 100))
      sending.end(body.slice(100))
    })
})
