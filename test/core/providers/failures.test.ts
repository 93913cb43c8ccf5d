import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { faultProxy, type Script, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Provider } from '../../../packages/core/src/providers/provider.js'
import { redactor } from '../../../packages/core/src/providers/redact.js'
import { retryAfterMs } from '../../../packages/core/src/providers/retry-after.js'
import { answered, failed, provider, receive, request } from './support.js'

const KEY = 'sk/secret+key=42 with spaces'
let upstream: ScriptedProvider
let ours: Provider

beforeAll(async () => {
  upstream = await scriptedProvider()
  ours = provider({ baseUrl: upstream.url, apiKey: KEY })
})
afterEach(() => upstream.reset())
afterAll(async () => {
  await ours.close()
  await upstream.close()
})

async function failing(script: Script, stream = false) {
  upstream.script(script)
  return failed(ours, request({ stream }))
}

describe('a status', () => {
  it.each([
    [400, 'provider_rejected', { retryable: false, mayBill: false, blameless: true }],
    [404, 'provider_rejected', { retryable: false, mayBill: false, blameless: true }],
    [413, 'provider_rejected', { retryable: false, mayBill: false, blameless: true }],
    [422, 'provider_rejected', { retryable: false, mayBill: false, blameless: true }],
    [401, 'provider_auth', { retryable: true, mayBill: false, blameless: true }],
    [402, 'provider_auth', { retryable: true, mayBill: false, blameless: true }],
    [403, 'provider_auth', { retryable: true, mayBill: false, blameless: true }],
    [408, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [409, 'provider_error', { retryable: true, mayBill: false, blameless: true }],
    [425, 'provider_error', { retryable: true, mayBill: false, blameless: true }],
    [429, 'provider_rate_limited', { retryable: true, mayBill: false, blameless: true }],
    [500, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [502, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [503, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [504, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [520, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
    [529, 'provider_error', { retryable: true, mayBill: false, blameless: false }],
  ])('%i with a JSON error is %s', async (status, code, outcome) => {
    const failure = await failing({ status })
    expect(failure).toMatchObject(outcome)
    expect(failure.error.code).toBe(code)
    expect([502, 429, status]).toContain(failure.error.status)
  })

  it('500 whose body is no JSON may have been billed', async () => {
    expect(
      await failing({ status: 500, body: '<h1>Oops</h1>', headers: { 'content-type': 'text/html' } }),
    ).toMatchObject({
      mayBill: true,
      retryable: true,
    })
  })

  it('500 whose body never ends may have been billed', async () => {
    const slow = createTcpServer((socket) => {
      socket.once('data', () =>
        socket.write('HTTP/1.1 500 No\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"error":'),
      )
    })
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    const one = provider({ baseUrl: `http://127.0.0.1:${(slow.address() as AddressInfo).port}` })
    const failure = await failed(one, request({}, { idleMs: 50 }))
    expect(failure).toMatchObject({ mayBill: true, retryable: true })
    expect(failure.error.message).toContain('500')
    await one.close()
    slow.close()
  })

  it('a redirect is a failure and is not followed', async () => {
    const failure = await failing({ status: 307, body: '', headers: { location: `${upstream.url}/chat/completions` } })
    expect(failure).toMatchObject({ retryable: true, mayBill: true })
    expect(upstream.requests.length).toBe(1)
  })

  it('a refusal keeps the words, status, type, code and param of the provider', async () => {
    const { error } = await failing({
      status: 400,
      body: {
        error: {
          message: "Unsupported value: 'temperature'",
          type: 'invalid_request_error',
          param: 'temperature',
          code: 'unsupported_value',
        },
      },
    })
    expect(error.message).toBe("Unsupported value: 'temperature'")
    expect(error.details).toEqual({
      param: 'temperature',
      recorded: expect.stringMatching(
        /^The provider ".*" refused the request \(400\): invalid_request_error, unsupported_value\.$/,
      ),
      upstream: { status: 400, type: 'invalid_request_error', code: 'unsupported_value', param: 'temperature' },
    })
    expect([error.status, error.type]).toEqual([400, 'invalid_request_error'])
  })

  it.each([
    ['bare', { object: 'error', message: 'No such model', type: 'NotFoundError', code: 404 }, 'No such model'],
    ['a text', { error: 'model not loaded' }, 'model not loaded'],
    ['FastAPI', { detail: 'Bad thing' }, 'Bad thing'],
    ['validation', { detail: [{ loc: ['body'], msg: 'field required' }] }, 'field required'],
    ['a list', [{ error: { code: 400, message: 'API key not valid', status: 'INVALID' } }], 'API key not valid'],
    ['nested detail', { message: { detail: [{ msg: 'Extra inputs' }] } }, 'Extra inputs'],
  ])('reads an error body in the shape of %s', async (_shape, body, said) => {
    expect((await failing({ status: 400, body })).error.message).toContain(said)
  })

  it('a 5xx says what the provider said, in one short line', async () => {
    const { error } = await failing({
      status: 503,
      body: { error: { message: `overloaded\n    at stack (file.js:1)${'x'.repeat(9_000)}` } },
    })
    expect(error.message).toBe('The provider "route-1" answered 503: overloaded')
  })
})

describe('Retry-After', () => {
  const NOW = Date.parse('2026-03-01T10:00:00Z')
  it.each([
    ['7', 7_000],
    ['0', 0],
    ['1.5', 1_500],
    ['99999999', 3_600_000],
    ['Sun, 01 Mar 2026 10:00:30 GMT', 30_000],
    ['Sun, 01 Mar 2026 09:00:00 GMT', 0],
    ['-3', undefined],
    ['soon', undefined],
  ])('"%s" is %s ms', (text, ms) => {
    expect(retryAfterMs((name) => (name === 'retry-after' ? text : undefined), NOW)).toBe(ms)
  })

  it('in milliseconds wins, and reaches the failure', async () => {
    const failure = await failing({ status: 429, headers: { 'retry-after-ms': '250', 'retry-after': '1' } })
    expect(failure.retryAfterMs).toBe(250)
    expect(failure.error.details.retryAfterMs).toBe(250)
  })
})

describe('secrets', () => {
  const base64 = Buffer.from(`user:${KEY}`).toString('base64')
  it.each([
    ['as it is', KEY],
    ['percent-encoded', encodeURIComponent(KEY)],
    ['in base64', Buffer.from(KEY).toString('base64').replace(/=+$/, '').slice(0, -2)],
  ])('the key %s is removed from a passed-on message', async (_how, spelling) => {
    const { error } = await failing({
      status: 400,
      body: { error: { message: `Bad key ${spelling} given`, code: spelling } },
    })
    expect(JSON.stringify([error.message, error.details])).not.toContain(spelling)
    expect(error.message).toContain('[redacted]')
  })

  it('the key within the base64 of something else is removed', () => {
    const clean = redactor([KEY])(`Basic was ${base64}.`)
    const middle = base64.slice(8, -4)
    expect(clean).not.toContain(middle)
  })

  it.each([
    'Incorrect API key provided: sk-proj-abc***********xyz.',
    'Authorization: Bearer abcdef.ghijk',
    'key gsk_abcdefghijkl was revoked',
    'see https://user:pa55word@internal.example/v1',
    'jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
  ])('what looks like one is removed: %s', (text) => {
    const clean = redactor([])(text)
    expect(clean).toContain('[redacted]')
    expect(clean).not.toMatch(/sk-proj|abcdef|pa55word|eyJ/)
  })

  it('ordinary words stay', () => {
    const text = 'The risk-based task-force asked for a basic answer (max_tokens).'
    expect(redactor(['none'])(text)).toBe(text)
  })

  it('a secret header of the configuration is one too', async () => {
    const one = provider({ baseUrl: upstream.url, headers: { 'Api-Key': 'abcd1234efgh', 'X-Title': 'My App' } })
    upstream.script({ status: 400, body: { error: { message: 'bad abcd1234efgh for My App' } } })
    const { error } = await failed(one, request({}))
    expect(error.message).toBe('bad [redacted] for My App')
    expect(upstream.requests[0]!.headers).toMatchObject({ 'api-key': 'abcd1234efgh', 'x-title': 'My App' })
    await one.close()
  })

  it('a 401 tells the caller nothing of what the provider said', async () => {
    const { error } = await failing({ status: 401, body: { error: { message: 'Incorrect API key for org Acme' } } })
    expect(error.message).not.toContain('Acme')
    expect(error.status).toBe(502)
  })
})

describe('a connection', () => {
  it('that is refused bills nothing', async () => {
    const gone = createTcpServer()
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
    const { port } = gone.address() as AddressInfo
    await new Promise((resolve) => gone.close(resolve))
    const one = provider({ baseUrl: `http://127.0.0.1:${port}` })
    const failure = await failed(one, request({}))
    expect(failure).toMatchObject({ retryable: true, mayBill: false, blameless: false })
    expect(failure.error.message).toContain('ECONNREFUSED')
    await one.close()
  })

  it('to a name that does not exist bills nothing', async () => {
    const one = provider({ baseUrl: 'https://no-such-host.invalid' })
    expect(await failed(one, request({}))).toMatchObject({ retryable: true, mayBill: false })
    await one.close()
  })

  it('whose TLS fails bills nothing', async () => {
    const one = provider({ baseUrl: upstream.url.replace('http:', 'https:') })
    expect(await failed(one, request({}))).toMatchObject({ retryable: true, mayBill: false })
    expect(upstream.requests.length).toBe(0)
    await one.close()
  })

  it('reset before the head may have been billed, and another candidate may do better', async () => {
    const failure = await failing({ fault: 'reset-before-head' })
    expect(failure).toMatchObject({ retryable: true, mayBill: true, blameless: false })
    expect(failure.error.code).toBe('provider_error')
  })

  it.each(['reset', 'half-event'] as const)('%s in a plain answer breaks it off', async (fault) => {
    upstream.script({ fault })
    const failure = await failed(ours, request({}))
    expect(failure).toMatchObject({ mayBill: true, retryable: true, blameless: false })
    expect(failure.error.code).toBe('provider_error')
    expect(failure.received!.length).toBeGreaterThan(0)
  })

  it('reset in a stream breaks it off; an end without [DONE] is an end', async () => {
    upstream.script({ fault: 'reset' }, { fault: 'eof' })
    expect((await receive(await answered(ours, request({ stream: true })))).error!.code).toBe('provider_error')
    expect((await receive(await answered(ours, request({ stream: true })))).error).toBe(null)
  })

  it('cut by the line after any number of bytes of the answer fails the attempt or breaks off the answer, never passes', async () => {
    const proxy = await faultProxy(upstream.url)
    const one = provider({ baseUrl: proxy.url })
    for (const cutAfterBytes of [0, 1, 12, 60, 110, 150, 300, 600]) {
      proxy.set({ cutAfterBytes })
      const result = await one.stream(request({ stream: true }))
      const error = result.ok ? (await receive(result)).error : result.error
      expect([cutAfterBytes, error?.code]).toEqual([cutAfterBytes, 'provider_error'])
    }
    proxy.set({})
    expect((await receive(await answered(one, request({ stream: true })))).text).toContain('[DONE]')
    await one.close()
    await proxy.close()
  })

  it('half open ends by its deadline', async () => {
    const proxy = await faultProxy(upstream.url, { halfOpen: true })
    const one = provider({ baseUrl: proxy.url })
    expect((await failed(one, request({}, { firstByteMs: 50 }))).error.code).toBe('first_byte_timeout')
    await one.close()
    await proxy.close()
  })
})
