import { once } from 'node:events'
import { type IncomingHttpHeaders, request as rawRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { chat, door, upstream } from '../support/door.js'
import { people } from '../support/mounts.js'
import { randomFrom } from '../support/random.js'

const LONG = process.env.HOOSH_LONG === '1'

/** Says whose payloads it has erased. */
const ERASURE = '/v1/audit/subjects/:user'

/** A door with a scripted provider behind it. */
async function guarded() {
  const provider = await upstream()
  const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url, apiKey: 'sk-test' }], rootRoutes: true })
  return { to, provider }
}

describe('what is answered', () => {
  it('is kept by no cache, on every route and in every failure', async () => {
    const { to } = await guarded()
    for (const { method, path } of ROUTES) {
      for (const as of ['admin', 'alice', 'nobody'] as const) {
        const reply = await to.send(method, path.replace(/[:*]\w+/, 'x'), {
          as,
          ...(method === 'GET' ? {} : { body: '{}' }),
        })
        expect(reply.headers.get('cache-control'), `${method} ${path} as ${as}: ${reply.status}`).toBe('no-store')
        expect(reply.headers.get('x-content-type-options'), `${method} ${path} as ${as}`).toBe('nosniff')
      }
    }
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['PATCH', '/v1/models'],
      ['POST', '/v1/chat/completions'],
    ] as const) {
      const { headers } = await to.send(method, path)
      expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff'])
    }
    const streamed = await chat(to, 'm', { stream: true })
    expect(streamed.headers.get('cache-control')).toBe('no-cache, no-transform, no-store')
    expect(streamed.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('repeats nothing of a request but names, cut short, as JSON', async () => {
    const { to } = await guarded()
    const markup = `<script>${'x'.repeat(5_000)}`
    const replies = [
      await to.get(`/v1/${markup.slice(0, 900)}`),
      ...(await Promise.all(
        ROUTES.filter(({ path }) => /[:*]/.test(path) && path !== ERASURE).map(({ method, path }) =>
          to.send(method, path.replace(/[:*]\w+/, encodeURIComponent(markup)), {
            as: 'admin',
            ...(method === 'GET' ? {} : { body: '{}' }),
          }),
        ),
      )),
      await chat(to, 'm', {}, { headers: { 'x-hoosh-provider': markup } }),
      await chat(to, 'm', {}, { headers: { 'x-hoosh-priority': markup } }),
      await chat(to, 'm', {}, { headers: { 'x-request-id': markup } }),
      await chat(to, 'm', {}, { headers: { 'idempotency-key': markup } }),
      await chat(to, markup),
      await chat(to, 'm', { pool: markup }),
      await chat(to, 'm', { temperature: markup }),
      await to.post('/v1/chat/completions', { [markup]: 1 }),
      await to.get(`/v1/audit?limit=${markup}`),
    ]
    for (const reply of replies) {
      expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
      expect(reply.text.length).toBeLessThan(1_000)
      expect(JSON.stringify([...reply.headers])).not.toContain('<script>')
    }
    for (const line of to.logged) expect(JSON.stringify(line).length).toBeLessThan(4_000)
  })
})

describe('bodies that are meant to hurt', () => {
  it.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'GZIP', 'identity, gzip'])(
    'compressed ones are refused unread: %s',
    async (encoding) => {
      const { to, provider } = await guarded()
      const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024))
      const before = process.memoryUsage().rss
      const reply = await fetch(`${to.url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${people.alice.token}`,
          'content-type': 'application/json',
          'content-encoding': encoding,
        },
        body: bomb,
      })
      expect([reply.status, ((await reply.json()) as { error: { code: string } }).error.code]).toEqual([
        415,
        'unsupported_media_type',
      ])
      expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024)
      expect(provider.requests).toEqual([])
    },
  )

  it.each([
    ['a million keys', `{"model":"m",${Array.from({ length: 1_000_000 }, (_, n) => `"k${n}":1`).join()}}`],
    ['a million numeric keys', `{${Array.from({ length: 1_000_000 }, (_, n) => `"${n * 4_096}":1`).join()}}`],
    ['100,000 levels', `{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['a million messages', `{"model":"m","messages":[${'{},'.repeat(999_999)}{}]}`],
    ['a key of ten megabytes', `{"${'k'.repeat(10_000_000)}":1,"model":"m"}`],
  ])('are refused, and honest users go on: %s', async (_what, body) => {
    const { to } = await guarded()
    const before = process.memoryUsage().rss
    const [bad, ...honest] = await Promise.all([
      to.send('POST', '/v1/chat/completions', { body }),
      ...Array.from({ length: 5 }, () => chat(to, 'm')),
    ])
    expect(bad!.status).toBe(400)
    expect(bad!.text.length).toBeLessThan(1_000)
    expect(honest.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    // Sender and receiver are one process here: a few copies of the body, and no tree of it.
    expect(process.memoryUsage().rss - before).toBeLessThan(160_000_000)
  })

  it('of too many bytes are not read to their end', async () => {
    const { to } = await guarded()
    const sending = rawRequest(`${to.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
    })
    sending.on('error', () => {})
    // One piece after the other for as long as the server takes them.
    const more = () => void sending.write(Buffer.alloc(1024 * 1024, 0x20), () => sending.destroyed || more())
    more()
    const [reply] = (await once(sending, 'response')) as [{ statusCode: number; destroy(): void }]
    expect(reply.statusCode).toBe(413)
    reply.destroy()
    sending.destroy()
  })
})

describe('clients that take their time', () => {
  it(`keep nobody waiting and hold nothing (${LONG ? 2_000 : 200} sockets)`, async () => {
    const { to, provider } = await guarded()
    const alone = await patience(() => chat(to, 'm'))
    const sockets: Socket[] = []
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    const port = Number(new URL(to.url).port)
    const before = process.memoryUsage().rss
    const count = LONG ? 2_000 : 200
    for (let index = 0; index < count; index += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      sockets.push(socket)
      await once(socket, 'connect')
      const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${people.alice.token}\r\n`
      const body = 'content-type: application/json\r\ncontent-length: 100000\r\n\r\n{"model":'
      socket.write(index % 2 === 0 ? head : head + body)
    }
    const crowded = await patience(() => chat(to, 'm'))
    console.log(
      `p99 of honest calls: ${alone.toFixed(1)} ms alone, ${crowded.toFixed(1)} ms beside ${count} slow sockets`,
    )
    expect((process.memoryUsage().rss - before) / count).toBeLessThan(LONG ? 64 * 1024 : 256 * 1024)
    for (const socket of sockets) socket.write('x')
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ reserved: 0 }])
    expect(provider.requests.length).toBe(2 * (WARM_UP + CALLS))
  }, 60_000)
})

const CALLS = LONG ? 400 : 40
/** Calls that are not counted: the first ones compile. */
const WARM_UP = LONG ? 100 : 5

/** The 99th percentile of how long a call takes, ms; every one has to succeed. */
async function patience(call: () => Promise<{ status: number }>): Promise<number> {
  const took: number[] = []
  for (let index = 0; index < WARM_UP + CALLS; index += 1) {
    const began = performance.now()
    expect((await call()).status).toBe(200)
    if (index >= WARM_UP) took.push(performance.now() - began)
  }
  return took.sort((a, b) => a - b)[Math.floor(CALLS * 0.99)]!
}

describe('headers at random', () => {
  const CASES = LONG ? 20_000 : 1_000

  it(`break nothing, and none goes up (${CASES} requests)`, async () => {
    const seed = Number(process.env.SEED ?? 20_261_128)
    const random = randomFrom(seed)
    const { to, provider } = await guarded()
    const host = new URL(to.url).host
    const body = JSON.stringify({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] })
    const statuses = new Map<number, number>()
    for (let index = 0; index < CASES; index += 1) {
      const lines = shuffledHeaders(random)
      const head = [
        'POST /v1/chat/completions HTTP/1.1',
        `Host: ${host}`,
        `Authorization: Bearer ${people.alice.token}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        'Connection: close',
        ...lines,
      ]
      const answer = await exchanged(Number(host.split(':')[1]), `${head.join('\r\n')}\r\n\r\n${body}`)
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      expect(status, `seed ${seed}, request ${index}: ${JSON.stringify(lines)}\n${answer.slice(0, 300)}`).toBeLessThan(
        500,
      )
      for (const { headers } of provider.requests) expect(namesOf(headers)).toEqual(UPSTREAM_HEADERS)
      provider.reset()
    }
    console.log(
      `Seed ${seed}: ${[...statuses].map(([status, count]) => `${count} x ${status || 'closed'}`).join(', ')}`,
    )
    expect(statuses.get(200)).toBeGreaterThan(CASES / 20)
    expect((await chat(to, 'm')).status).toBe(200)
  }, 600_000)
})

/** All that a provider is ever sent, whatever came. */
const UPSTREAM_HEADERS = [
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
]

const namesOf = (headers: IncomingHttpHeaders) => Object.keys(headers).sort()

const NAMES = [
  'X-Request-Id',
  'X-Hoosh-Provider',
  'X-Hoosh-Priority',
  'Idempotency-Key',
  'Content-Type',
  'Content-Length',
  'Transfer-Encoding',
  'Content-Encoding',
  'Connection',
  'Keep-Alive',
  'TE',
  'Trailer',
  'Upgrade',
  'Expect',
  'Cookie',
  'Authorization',
  'Proxy-Authorization',
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Real-IP',
  'Via',
  'Host',
  'Origin',
  'Referer',
  'Accept',
  'Accept-Encoding',
  'User-Agent',
  'X-Middleware-Subrequest',
  '__proto__',
  'constructor',
  'x_underscore',
  'OpenAI-Organization',
  'X-Api-Key',
  'Range',
  'If-None-Match',
  'Max-Forwards',
]
const BROKEN_NAMES = [' leading', 'tra iling', 'x:', '']
const VALUES = [
  '',
  'x',
  '0',
  '-1',
  'chunked',
  'chunked, gzip',
  'identity',
  'gzip',
  'close',
  'keep-alive',
  'authorization',
  '100-continue',
  'h2c',
  '127.0.0.1',
  'Bearer x',
  'text/plain',
  'application/json; charset=latin1',
  'a\r\nx-injected: 1',
  'a\nb',
  'a\0b',
  '\u00e9\u00ff',
  '%0d%0ax-injected:%201',
  '\t',
  '"',
  '{}',
  'evil.example',
  'null',
  'A'.repeat(20_000),
  'openai',
  'high',
]

function shuffledHeaders(random: ReturnType<typeof randomFrom>): string[] {
  return Array.from({ length: random.between(1, 6) }, () => {
    const value = random.chance(0.1)
      ? String.fromCharCode(...Array.from({ length: random.between(1, 30) }, () => random.between(1, 255)))
      : random.pick(VALUES)
    return `${random.pick(random.chance(0.02) ? BROKEN_NAMES : NAMES)}: ${value}`
  })
}

/** Sends bytes and takes what comes until the connection closes, or says nothing more. */
async function exchanged(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  await new Promise<void>((resolve) => {
    // A request that promises more than it brings is waited for by the server: half a second of silence ends it here.
    socket.setTimeout(500, () => socket.destroy())
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (/^HTTP\/1\.1 100/.test(answer)) answer = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.write(bytes, 'latin1')
  })
  return answer
}
