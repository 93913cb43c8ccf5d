import { createGateway, type Gateway, HooshError, type HooshOptions } from '@hoosh/core'
import { toFetchHandler } from '@hoosh/core/fetch'
import { toNodeHandler } from '@hoosh/core/node'
import { memoryAudit, memoryBudgets } from '@hoosh/core/storage'
import { hoosh } from '@hoosh/express'
import { hoosh as koa } from '@hoosh/koa'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { jsonLines } from '../../packages/core/src/observability/logger.js'
import { chat, door, errorOf, upstream } from '../support/door.js'
import { sqliteFile } from '../support/sqlite.js'

const linesOf = async (options: HooshOptions = {}) => {
  const to = await door(options)
  await to.gateway.ready()
  return to.logged
}
const warnings = async (options?: HooshOptions) =>
  (await linesOf(options)).filter(({ level }) => level === 'warn').map(({ message }) => message)

describe('a start that fails', () => {
  const SECRET = '/srv/app/secret.pem'
  const faults: [what: string, fault: HooshError | Error, told: object][] = [
    ['an option', new HooshError('invalid_options', { message: SECRET }), { code: 'not_ready', status: 503 }],
    ['a schema', new HooshError('not_ready', { message: SECRET }), { code: 'not_ready', status: 503 }],
    [
      'a storage that is away',
      new HooshError('store_unavailable', { message: SECRET, details: { retryAfterMs: 2_000 } }),
      { code: 'store_unavailable', status: 503 },
    ],
    ['anything else', new Error(SECRET), { code: 'not_ready', status: 503 }],
  ]

  it.each(faults)('by %s is told to callers in general, and to the host in whole', async (_what, fault, told) => {
    const to = await door({ storage: { open: () => Promise.reject(fault) } })
    const reply = await chat(to, 'demo')
    expect({ code: errorOf(reply).code, status: reply.status }).toEqual(told)
    expect(reply.text).not.toContain(SECRET)
    const inProcess = to.gateway.as({ user: 'ada' })
    const error = await inProcess.chat({ model: 'demo', messages: [{ role: 'user', content: 'a' }] }).catch((e) => e)
    expect(error).toMatchObject(told)
    expect([error.message, error.details.retryAfterMs]).toEqual([
      expect.not.stringContaining(SECRET),
      fault instanceof HooshError ? fault.details.retryAfterMs : undefined,
    ])
    // Both are in the log, and whoever starts the gateway himself is told.
    expect(to.logged.map(({ level, message, details }) => `${level} ${message} ${details.err}`)).toEqual([
      expect.stringMatching(`^error .*${SECRET}`),
      expect.stringMatching(`^error .*${SECRET}`),
    ])
    await expect(to.gateway.ready()).rejects.toThrow(fault instanceof HooshError ? SECRET : 'could not start')
  })

  it('leaves no promise that nobody looks after', async () => {
    const to = await door({ storage: { open: () => Promise.reject(new Error('away')) } })
    const reserving = to.gateway.as({ user: 'ada' }).budget.reserve({ tokens: 1 }, { transaction: {} })
    await expect(reserving).rejects.toMatchObject({ code: 'not_ready', details: { param: 'transaction' } })
    await to.gateway.ready().catch(() => {})
  })
})

describe('the start', () => {
  it('says in one line what is on', async () => {
    const [line] = await linesOf({
      providers: [
        { type: 'openai', apiKey: 'sk-not-for-the-log' },
        { type: 'openai', name: 'azure-eu', baseUrl: 'https://eu.example.org', apiKey: 'k' },
        { type: 'demo', enabled: false },
      ],
      audit: { key: 'a key' },
      budget: { enforcement: 'soft' },
    })
    expect(line).toEqual({
      level: 'info',
      message: 'hoosh is ready',
      details: {
        providers: ['openai', 'azure-eu (openai)', 'demo (off)'],
        storage: 'memory',
        audit: 'signed',
        enforcement: 'soft',
      },
    })
  })

  it('says it once, whatever is asked first and however often', async () => {
    const to = await door()
    await Promise.all([to.get('/v1/models'), to.get('/v1/health'), to.gateway.ready(), to.gateway.ready()])
    expect(to.logged.filter(({ message }) => message === 'hoosh is ready')).toHaveLength(1)
  })

  it('says nothing before the first request, and opens nothing', async () => {
    const to = await door({ providers: [{ type: 'openai', apiKey: '$HOOSH_TEST_NEVER_SET' }] })
    expect(to.logged).toEqual([])
  })

  it('warns of an audit log that proves nothing, or is off', async () => {
    expect(await warnings({ providers: [{ type: 'openai', apiKey: 'k' }] })).toEqual([
      expect.stringMatching(/unsigned.*audit\.key/),
    ])
    expect(await warnings({ providers: [{ type: 'openai', apiKey: 'k' }], audit: false })).toEqual([
      expect.stringMatching(/audit log is off/),
    ])
  })

  it('warns where only the demo answers, and where dev is on', async () => {
    const said = await warnings({ audit: { key: 'k' }, dev: true })
    expect(said).toEqual([expect.stringMatching(/built-in demo/), expect.stringMatching(/`dev` is on/)])
    // It may well be what the host has configured.
    expect(said[0]).not.toMatch(/configured/)
  })

  it('warns of budgets in memory in production, and in several workers', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    vi.stubEnv('NODE_UNIQUE_ID', '1')
    onTestFinished(() => void vi.unstubAllEnvs())
    const said = await warnings({ audit: { key: 'k' } })
    expect(said).toContainEqual(expect.stringMatching(/in memory.*`storage`/))
    expect(said).toContainEqual(expect.stringMatching(/Several workers/))
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    const [line, ...rest] = await linesOf({ audit: { key: 'k' }, storage: await sqlite.open() })
    expect(line!.details.storage).not.toBe('memory')
    expect(rest.map(({ message }) => message).join()).not.toMatch(/memory|workers/)
  })

  it.each<[string, (settings: HooshOptions) => { gateway: Gateway }, RegExp]>([
    ['node', (options) => toNodeHandler(options), /`identify`.*only callers on this machine.*identify: \(req\)/],
    ['Express', (options) => hoosh(options), /only callers on this machine/],
    ['Koa', (options) => koa(options), /only callers on this machine/],
    ['fetch', (options) => toFetchHandler(options), /`identify`.*every call is 401.*identify: \(request\)/],
  ])('warns where no mount says who calls, on %s', async (_name, mount, says) => {
    const said: string[] = []
    const logger = { debug() {}, info() {}, error() {}, warn: (_details: object, text: string) => void said.push(text) }
    const { gateway } = mount({ providers: [{ type: 'openai', apiKey: 'k' }], audit: { key: 'k' }, logger })
    expect(said).toEqual([])
    await gateway.ready()
    expect(said).toEqual([expect.stringMatching(says)])
    await gateway.close()
  })

  it('does not warn where one mount says it, where `dev` does, and where there is no mount', async () => {
    const options = { providers: [{ type: 'openai' as const, apiKey: 'k' }], audit: { key: 'k' } }
    const said: string[] = []
    const logger = { debug() {}, info() {}, error() {}, warn: (_details: object, text: string) => void said.push(text) }
    const shared = createGateway({ ...options, logger })
    toNodeHandler(shared)
    hoosh(shared, { identify: () => null })
    const { gateway } = toFetchHandler({ ...options, logger, dev: true })
    const alone = createGateway({ ...options, logger })
    for (const one of [shared, gateway, alone]) await one.ready()
    expect(said).toEqual([expect.stringMatching(/`dev` is on/)])
    for (const one of [shared, gateway, alone]) await one.close()
  })

  it('without anything configured the demo answers, and says so', async () => {
    for (const name of Object.keys(process.env).filter((one) => /_API_KEY$|^HOOSH_LOCAL$/.test(one)))
      vi.stubEnv(name, '')
    onTestFinished(() => void vi.unstubAllEnvs())
    const handler = toNodeHandler({ logger: false })
    const me = handler.gateway.as({ user: 'ada' })
    const answer = await me.chat({ model: 'demo', messages: [{ role: 'user', content: 'Who are you?' }] })
    expect(answer.choices[0]!.message.content).toMatch(/demo/i)
    expect((await me.budget.pools())[0]).toMatchObject({ name: 'default', capacity: { tokens: 10_000_000 } })
    await handler.gateway.close()
  })
})

describe('options that cannot be used', () => {
  const makers: [name: string, make: (options: never) => unknown][] = [
    ['createGateway', (options) => createGateway(options)],
    ['hoosh', (options) => hoosh(options)],
    ['toNodeHandler', (options) => toNodeHandler(options)],
  ]
  const faults: [options: object, says: RegExp][] = [
    [{ provider: [] }, /"provider".*did you mean "providers"\?/],
    [{ providers: [{ type: 'opnai' }] }, /providers\[0\]\.type.*did you mean "openai"\?/],
    [{ providers: [{ type: 'openai', apikey: 'x' }] }, /providers\[0\].*"apikey".*did you mean "apiKey"\?/],
    [{ routing: { strategy: 'roundrobin' } }, /routing\.strategy.*did you mean "round-robin"\?/],
    [{ pools: { 'user:*': { token: 5 } } }, /pools\["user:\*"\].*"token".*did you mean "tokens"\?/],
    [{ pools: { p: { window: 'year' } } }, /pools\.p\.window/],
    [{ deadlines: { connectMs: 0 } }, /deadlines\.connectMs.*milliseconds/],
    [{ cors: { origins: ['https://a.example/'] } }, /cors\.origins\[0\].*origin/],
    [{ hooks: { onchunk() {} } }, /hooks.*"onchunk".*did you mean "onChunk"\?/],
    [{ providers: [{ type: 'demo' }, { type: 'demo' }] }, /providers\[1\].*"demo".*`name`/],
    [{ logger: {} }, /logger.*debug, info, warn and error/],
  ]

  it.each(makers)('are refused by %s as it is made, by name and with the mend', (_name, make) => {
    for (const [options, says] of faults) {
      expect(() => make(options as never)).toThrow(HooshError)
      expect(() => make(options as never)).toThrow(
        expect.objectContaining({ code: 'invalid_options', message: expect.stringMatching(says) }),
      )
    }
  })

  it('that only the start finds are told by it, and each request is refused until they are mended', async () => {
    const to = await door({ providers: [{ type: 'openai', apiKey: '$HOOSH_TEST_LATE' }] })
    const fault = { code: 'invalid_options', message: expect.stringMatching(/providers\[0\]\.apiKey.*HOOSH_TEST_LATE/) }
    await expect(to.gateway.ready()).rejects.toMatchObject(fault)
    const reply = await chat(to, 'm')
    expect([reply.status, errorOf(reply).code]).toEqual([503, 'not_ready'])
    vi.stubEnv('HOOSH_TEST_LATE', 'k')
    onTestFinished(() => void vi.unstubAllEnvs())
    await to.gateway.ready()
    expect((await to.get('/v1/tokens/pools')).status).toBe(200)
  })

  it.each<[string, object, RegExp]>([
    ['a base URL that is none', { baseUrl: 'localhost' }, /baseUrl.*"openai"/],
    ['a base URL with credentials', { baseUrl: 'https://me:pw@host.example' }, /baseUrl.*credentials/],
    ['a header of the connection', { headers: { 'Content-Length': '5' } }, /header "Content-Length"/],
    ['a header that is none', { headers: { 'x y': '5' } }, /header "x y"/],
  ])('%s is told by the start', async (_what, more, says) => {
    const to = await door({ providers: [{ type: 'openai', ...more } as never] })
    await expect(to.gateway.ready()).rejects.toMatchObject({
      code: 'invalid_options',
      message: expect.stringMatching(says),
    })
    await expect(to.gateway.ready()).rejects.not.toThrow(/me:pw/)
  })
})

describe('a start that fails half-way', () => {
  it('leaves nothing behind that goes on, however often it is tried again', async () => {
    const inner = memoryAudit()
    let asked = 0
    const audit = {
      ...inner,
      heads() {
        asked += 1
        return inner.heads()
      },
    }
    const budgets = memoryBudgets({ clock: Date.now })
    let isAway = true
    const expire: typeof budgets.expire = (policy) => {
      if (isAway) throw new HooshError('store_unavailable')
      return budgets.expire(policy)
    }
    const to = await door({ storage: { audit, budgets: { ...budgets, expire } } })
    for (let tries = 0; tries < 3; tries += 1) await expect(to.gateway.ready()).rejects.toThrow(HooshError)
    isAway = false
    await to.gateway.ready()
    await to.gateway.close()
    const before = asked
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(asked).toBe(before)
    const { entries } = await inner.query({ limit: 100 })
    const ended = entries
      .filter(({ record }) => record.event === 'audit.seal')
      .map(({ integrity }) => integrity!.writer)
    expect(ended.sort()).toEqual((await inner.heads()).map(({ writer }) => writer).sort())
  })
})

describe('the log', () => {
  it('has JSON lines that never hold a prompt, an answer or a secret', async () => {
    const lines: string[] = []
    const provider = await upstream()
    const to = await door({
      providers: [
        {
          type: 'openai',
          baseUrl: provider.url,
          apiKey: 'sk-never-logged-1',
          headers: { 'x-api-key': 'never-logged-2' },
        },
      ],
      audit: { key: 'never-logged-3' },
      metrics: { token: 'never-logged-4' },
      logger: jsonLines({ write: (line) => void lines.push(line) }),
      deadlines: { firstByteMs: 40, plainMs: 40 },
    })
    const echo = { error: { message: 'bad key sk-never-logged-1 for never-logged-2' } }
    for (const stream of [false, true]) {
      const ask = { stream, messages: [{ role: 'user', content: 'my-private-prompt' }], user: 'my-private-user' }
      provider.script({ text: 'the private answer' })
      await chat(to, 'm', ask)
      for (const status of [400, 401, 429, 500]) {
        provider.script({ status, body: echo })
        await chat(to, 'm', ask)
      }
      for (const fault of ['reset', 'garbage', 'hang-before-head', 'error-event'] as const) {
        provider.script({ fault })
        await chat(to, 'm', ask)
      }
    }
    await to.post('/v1/chat/completions', { model: 'm', messages: 'my-private-prompt' })
    expect(lines.length).toBeGreaterThan(5)
    for (const line of lines) {
      expect(line.endsWith('\n')).toBe(true)
      expect(JSON.parse(line)).toMatchObject({ name: 'hoosh', level: expect.any(Number), msg: expect.any(String) })
    }
    expect(lines.join('')).not.toMatch(/never-logged|private/)
  })

  it('of the host is used as it is, and false is silence', async () => {
    const to = await door({ logger: false })
    expect((await chat(to, 'demo')).status).toBe(200)
    expect(to.logged).toEqual([])
  })
})

describe('the end', () => {
  it('refuses new calls with 503 that says when, and lets running ones finish', async () => {
    const provider = await upstream()
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    provider.hold()
    const running = chat(to, 'm')
    await provider.received(1)
    const closing = to.gateway.close()
    const refused = await chat(to, 'm')
    expect([refused.status, errorOf(refused).code, refused.headers.get('retry-after')]).toEqual([
      503,
      'shutting_down',
      '1',
    ])
    provider.release()
    expect((await running).status).toBe(200)
    await closing
    await to.gateway.close()
  })

  it('ends what runs on, inside the protocol, when its time is up', async () => {
    const provider = await upstream()
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    provider.script({ tokens: 20, fault: 'hang', faultAfter: 5 }, { fault: 'hang-before-head' })
    const streamed = chat(to, 'm', { stream: true })
    await provider.received(1)
    const plain = chat(to, 'm')
    await provider.received(2)
    await to.gateway.close({ timeoutMs: 50 })
    expect((await streamed).text).toMatch(/"code":"shutting_down".*\n\n$/)
    expect((await streamed).text).not.toContain('[DONE]')
    const reply = await plain
    expect([reply.status, errorOf(reply).code, reply.headers.get('x-should-retry')]).toEqual([
      503,
      'shutting_down',
      'false',
    ])
  })

  it('of a gateway that never began is nothing', async () => {
    await createGateway({ providers: [{ type: 'openai', apiKey: '$HOOSH_TEST_NEVER_SET' }] }).close()
  })
})
