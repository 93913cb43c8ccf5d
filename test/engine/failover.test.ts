import { type Fault, faultProxy, gate, type Script } from '@hoosh/core/testing'
import OpenAI, { APIError, InternalServerError, RateLimitError } from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chat, chatOf, type Door, deadUrl, door, errorOf, upstream, whoAnswered } from '../support/door.js'
import { people } from '../support/mounts.js'
import { pair, poolOf, settledPool } from '../support/pair.js'

const STREAMED = [false, true]
const RETRYABLE = [408, 409, 425, 429, 500, 502, 503, 504, 529]
const refusal = (message: string, more = {}) => ({
  error: { message, type: 'x_error', param: null, code: null, ...more },
})

const client = (to: Door) => new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 0 })

describe.each(STREAMED)('the next candidate answers (stream: %s)', (stream) => {
  it.each(RETRYABLE)('after %s', async (status) => {
    const { to, main, spare } = await pair()
    main.script({ status })
    const reply = await chat(to, 'm', { stream })
    expect(whoAnswered(reply)).toBe('spare')
    expect([main.requests.length, spare.requests.length]).toEqual([1, 1])
    expect(spare.requests[0]!.body).toEqual(main.requests[0]!.body)
    expect(spare.requests[0]!.headers.authorization).toBe('Bearer sk-secret-of-spare')
  })

  it.each([401, 402, 403])('after %s: our key is bad there, not the call', async (status) => {
    const { to, main } = await pair()
    main.script({ status })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
  })

  it.each<[string, Script]>([
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['a page under 200', { fault: 'html' }],
    ['garbage under 200', { fault: 'garbage' }],
    ['a reset before the head', { fault: 'reset-before-head' }],
    ['an error under 200', stream ? { fault: 'error-event', faultAfter: 0 } : { body: refusal('no') }],
    ['an answer that breaks off before anything was said', { fault: 'eof', faultAfter: 0 }],
  ])('after %s', async (_what, script) => {
    const { to, main } = await pair()
    main.script(script)
    const reply = await chat(to, 'm', { stream })
    expect(whoAnswered(reply)).toBe('spare')
    expect(reply.text).not.toContain('"error"')
  })

  it('after a connection that is refused, or reset as soon as it is made', async () => {
    const proxy = await faultProxy((await upstream()).url, { refuses: true })
    onTestFinished(() => proxy.close())
    for (const baseUrl of [await deadUrl(), proxy.url]) {
      const to = await door({
        providers: [
          { type: 'openai', name: 'gone', baseUrl },
          { type: 'demo', name: 'spare' },
        ],
      })
      expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
    }
  })

  it('after an address that does not exist', async () => {
    const to = await door({
      providers: [
        { type: 'openai', name: 'gone', baseUrl: 'https://hoosh-test.invalid' },
        { type: 'demo', name: 'spare' },
      ],
    })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
  })

  it('however many have failed before, as far as `maxAttempts` goes', async () => {
    const broken = await Promise.all(RETRYABLE.map((status) => upstream({ fallback: { status } })))
    const to = await door({
      providers: [
        ...broken.map(({ url }, index) => ({ type: 'openai' as const, name: `broken-${index}`, baseUrl: url })),
        { type: 'demo', name: 'last' },
      ],
      routing: { maxAttempts: RETRYABLE.length + 1 },
    })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('last')
    expect(broken.map(({ requests }) => requests.length)).toEqual(RETRYABLE.map(() => 1))
  })

  it('and is named where the answer, the costs, the log and the metrics name one', async () => {
    const { to, main } = await pair()
    main.script({ status: 503 })
    await chat(to, 'm', { stream })
    const records = ((await to.get('/v1/costs')).body as { records: { route: string }[] }).records
    expect(records.map(({ route }) => route)).toEqual(['spare'])
    const { entries } = (await to.get('/v1/audit?event=inference.response')).body as {
      entries: { metadata: Record<string, unknown> }[]
    }
    expect(entries[0]!.metadata).toMatchObject({ route: 'spare', attempts: 2 })
    expect(to.events.map(({ type }) => type)).toContain('inference.completed')
    const { text } = await to.get('/v1/metrics', { as: 'admin' })
    expect(text).toContain('hoosh_attempt_failures_total{provider="openai",model="m",code="provider_error"} 1')
  })
})

describe.each(STREAMED)('a refusal for good (stream: %s)', (stream) => {
  it.each([400, 404, 405, 413, 415, 422])('%s goes to the caller as the provider said it', async (status) => {
    const { to, main, spare } = await pair()
    const body = refusal('Max tokens is too large: 5.', { param: 'max_tokens', code: 'too_large', type: 'bad_input' })
    main.script({ status, body })
    const reply = await chat(to, 'm', { stream })
    expect(reply.status).toBe(status)
    expect(errorOf(reply)).toEqual({
      message: 'Max tokens is too large: 5.',
      type: 'bad_input',
      param: 'max_tokens',
      code: 'too_large',
    })
    expect(spare.requests).toHaveLength(0)
    expect(await settledPool(to)).toMatchObject({ used: 0 })
  })

  it('has its secrets removed', async () => {
    const { to, main } = await pair()
    const secret = 'sk-secret-of-main'
    main.script({
      status: 400,
      body: refusal(`Key ${secret} at http://me:pw123@host, Bearer abc.def`, { code: secret }),
    })
    const reply = await chat(to, 'm', { stream })
    expect(reply.status).toBe(400)
    expect(errorOf(reply).message).toMatch(/^Key \[redacted\] at http:/)
    for (const part of [secret, 'pw123', 'abc.def']) expect(reply.text).not.toContain(part)
  })

  it('without words names the route and the status', async () => {
    const { to, main } = await pair()
    main.script({ status: 418, body: 'teapot' })
    const reply = await chat(to, 'm', { stream })
    expect(reply.status).toBe(418)
    expect(errorOf(reply)).toMatchObject({ code: 'provider_rejected', type: 'invalid_request_error' })
    expect(errorOf(reply).message).toMatch(/"main".*418/)
  })

  it('after another candidate failed is what the caller gets', async () => {
    const { to, main, spare } = await pair()
    main.script({ status: 503 })
    spare.script({ status: 400, body: refusal('Bad tool.') })
    const reply = await chat(to, 'm', { stream })
    expect([reply.status, errorOf(reply).message]).toEqual([400, 'Bad tool.'])
  })
})

describe.each(STREAMED)('when all candidates have failed (stream: %s)', (stream) => {
  const both = async (first: Script, second: Script) => {
    const { to, main, spare } = await pair()
    main.script(first)
    spare.script(second)
    return { to, reply: await chat(to, 'm', { stream }) }
  }

  it.each([401, 403])('with %s it is 502 provider_auth, in words of our own', async (status) => {
    const { reply } = await both({ status, body: refusal('Your account 42 is closed.') }, { status })
    expect(reply.status).toBe(502)
    expect(errorOf(reply)).toMatchObject({ type: 'api_error', code: 'provider_auth', param: null })
    expect(reply.text).not.toContain('42')
    expect(reply.headers.get('x-should-retry')).toBe(null)
  })

  it('with 429 it is 429, with the smallest Retry-After', async () => {
    const { reply } = await both(
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 429, headers: { 'retry-after': '90' } },
    )
    expect(reply.status).toBe(429)
    expect(errorOf(reply)).toMatchObject({ type: 'rate_limit_error', code: 'provider_rate_limited' })
    expect(reply.headers.get('retry-after')).toBe('7')
    expect(reply.headers.get('x-should-retry')).toBe(null)
  })

  it('with 429 that says nothing of when, neither do we', async () => {
    const { reply } = await both({ status: 429 }, { status: 429 })
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, null])
  })

  it('Retry-After in milliseconds and as a date are understood, rounded up to seconds', async () => {
    const exact = await both({ status: 429, headers: { 'retry-after-ms': '1500' } }, { status: 429 })
    expect(exact.reply.headers.get('retry-after')).toBe('2')
    const date = 'Thu, 01 Jan 2026 00:00:40 GMT'
    const dated = await both({ status: 429, headers: { 'retry-after': date } }, { status: 429 })
    expect(dated.reply.headers.get('retry-after')).toBe('40')
  })

  it.each([
    [429, 503],
    [503, 429],
  ])('with %s and %s it is the failure that is no limit', async (first, second) => {
    const { reply } = await both({ status: first }, { status: second })
    expect(reply.status).toBe(502)
    expect(errorOf(reply)).toMatchObject({ code: 'provider_error', type: 'api_error' })
    expect(errorOf(reply).message).toContain('503')
  })

  it('a 503 that says when is passed on with it', async () => {
    const { reply } = await both({ status: 503, headers: { 'retry-after': '3' } }, { status: 500 })
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([502, '3'])
  })

  it.each<[string, Script, string | null]>([
    ['5xx with a JSON error: nothing was billed', { status: 500 }, null],
    ['5xx without: who knows', { status: 500, body: 'oops' }, 'false'],
    ['a reset after the request was sent', { fault: 'reset-before-head' }, 'false'],
    ['a page under 200', { fault: 'html' }, 'false'],
  ])('x-should-retry after %s', async (_what, script, header) => {
    const { to, reply } = await both(script, { status: 503 })
    expect(reply.status).toBe(502)
    expect(reply.headers.get('x-should-retry')).toBe(header)
    const { used } = await settledPool(to)
    if (header === null) expect(used).toBe(0)
    else expect(used).toBeGreaterThan(0)
  })

  it('no connection at all is 502 that may be repeated, and costs nothing', async () => {
    const to = await door({ providers: [{ type: 'openai', baseUrl: await deadUrl() }] })
    const reply = await chat(to, 'm', { stream })
    expect([reply.status, errorOf(reply).code, reply.headers.get('x-should-retry')]).toEqual([
      502,
      'provider_error',
      null,
    ])
    expect(reply.text).not.toContain('127.0.0.1')
    expect(await settledPool(to)).toMatchObject({ used: 0 })
  })

  it('the openai package raises its own errors, and does not repeat what may have been billed', async () => {
    const { to, main, spare } = await pair({}, { fallback: { fault: 'reset-before-head' } })
    spare.script({ status: 503, times: 9 })
    const retrying = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 2 })
    const asking = retrying.chat.completions.create({ ...chatOf('m'), stream } as never)
    await expect(asking).rejects.toThrow(InternalServerError)
    expect(main.requests).toHaveLength(1)
    const limited = await pair({}, { fallback: { status: 429 } })
    limited.spare.script({ status: 429 })
    await expect(client(limited.to).chat.completions.create({ ...chatOf('m'), stream } as never)).rejects.toThrow(
      RateLimitError,
    )
  })
})

describe('after the first byte', () => {
  const faults: Fault[] = ['reset', 'eof', 'half-event', 'error-event']

  it.each(faults)('there is no failover: %s ends the stream with an error event and no [DONE]', async (fault) => {
    const { to, main, spare } = await pair()
    main.script({ tokens: 20, fault, faultAfter: 5 })
    const reply = await chat(to, 'm', { stream: true })
    expect(reply.status).toBe(200)
    expect(reply.headers.get('x-hoosh-route')).toBe('main')
    expect(spare.requests).toHaveLength(0)
    const events = reply.text.split('\n\n').filter((event) => event.startsWith('data: '))
    const last = JSON.parse(events.at(-1)!.slice(6)) as { error: { message: string; type: string; code: string } }
    expect(last.error.message).not.toBe('')
    expect(reply.text).not.toContain('[DONE]')
    expect(events.slice(0, -1).every((event) => event.includes('"choices"'))).toBe(true)
    expect(to.events.map(({ type }) => type)).toContain('inference.failed')
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.totalTokens)
  })

  it.each(faults)('the openai package throws in the middle of its loop: %s', async (fault) => {
    const { to, main } = await pair()
    main.script({ tokens: 20, fault, faultAfter: 5 })
    const stream = await client(to).chat.completions.create({ ...chatOf('m'), stream: true } as never)
    let text = ''
    const reading = (async () => {
      for await (const chunk of stream as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>)
        text += chunk.choices[0]?.delta.content ?? ''
    })()
    await expect(reading).rejects.toThrow(APIError)
    expect(text).toContain('one')
  })

  it('a plain answer that breaks off has reached nobody: the next candidate answers', async () => {
    for (const fault of ['reset', 'eof'] as const) {
      const { to, main } = await pair()
      main.script({ fault })
      expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
    }
  })
})

describe.each(STREAMED)('the hold of a failover (stream: %s)', (stream) => {
  const ask = { max_tokens: 50, stream }

  it('grows by what the failed attempt may have cost before the next is asked', async () => {
    const { to, main, spare } = await pair()
    const [first, second] = [gate(), gate()]
    main.script({ holdHead: first, fault: 'reset-before-head' })
    spare.script({ holdHead: second })
    const asking = chat(to, 'm', ask)
    await first.reached
    const before = (await poolOf(to)).reserved
    first.open()
    await second.reached
    const after = (await poolOf(to)).reserved
    expect(after).toBeGreaterThanOrEqual(before + main.bill.promptTokens)
    second.open()
    expect(whoAnswered(await asking)).toBe('spare')
    const { used, reserved } = await settledPool(to)
    expect(reserved).toBe(0)
    expect(used).toBeGreaterThanOrEqual(main.bill.totalTokens + spare.bill.totalTokens)
    expect(used).toBeLessThanOrEqual(after)
  })

  it('stays as it is after a failure that was free', async () => {
    const { to, main, spare } = await pair()
    const second = gate()
    const first = gate()
    main.script({ holdHead: first, status: 503 })
    spare.script({ holdHead: second })
    const asking = chat(to, 'm', ask)
    await first.reached
    const before = (await poolOf(to)).reserved
    first.open()
    await second.reached
    expect((await poolOf(to)).reserved).toBe(before)
    second.open()
    await asking
    expect(await settledPool(to)).toMatchObject({ used: spare.bill.totalTokens })
  })

  it('that cannot grow: no extension, no attempt, and the failure is charged', async () => {
    const { to, main, spare } = await pair({ pools: { 'user:*': { tokens: 80 } } })
    main.script({ fault: 'reset-before-head' })
    const reply = await chat(to, 'gpt-4o', { ...ask, max_tokens: 100 })
    expect([reply.status, errorOf(reply).code]).toEqual([502, 'provider_error'])
    expect(reply.headers.get('x-should-retry')).toBe('false')
    expect(spare.requests).toHaveLength(0)
    const { used } = await settledPool(to)
    expect(used).toBeGreaterThanOrEqual(main.bill.promptTokens)
    expect(used).toBeLessThanOrEqual(80)
  })
})
