import { type CallInfo, type CallResult, type Hooks, HooshError } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { chat, door, errorOf, upstream, whoAnswered } from '../support/door.js'
import { people } from '../support/mounts.js'
import { pair, settledPool } from '../support/pair.js'

const STREAMED = [false, true]
type Told = [hook: string, call: CallInfo, what?: unknown]

/** Hooks that note what they are told. */
function noting(more: Partial<Hooks> = {}): { told: Told[]; hooks: Hooks } {
  const told: Told[] = []
  const note = (hook: string) => (call: CallInfo, what?: unknown) => void told.push([hook, call, what])
  const own: Hooks = {
    beforeCall: note('beforeCall'),
    afterCall: note('afterCall'),
    onChunk: note('onChunk'),
    onError: note('onError'),
  }
  return { told, hooks: { ...own, ...more } }
}

const of = (told: readonly Told[], hook: string) => told.filter(([name]) => name === hook)
const failed = ({ logged }: Awaited<ReturnType<typeof door>>) =>
  logged.filter(({ message }) => /^the hook `\w+` of the host threw$/.test(message))

describe.each(STREAMED)('hooks (stream: %s)', (stream) => {
  it('are told of a call before and after it, once each', async () => {
    const { told, hooks } = noting()
    const { to, main } = await pair({ hooks, prices: { m: { input: '1', output: '2' } } })
    const reply = await chat(to, 'm', { stream, temperature: 0.5 })
    const call = {
      requestId: reply.headers.get('x-request-id'),
      identity: { user: 'alice', pool: 'user:alice' },
      kind: 'chat',
      model: 'm',
      stream,
      params: expect.objectContaining({ model: 'm', temperature: 0.5 }),
    }
    expect(of(told, 'beforeCall')).toEqual([['beforeCall', call, undefined]])
    const { totalTokens: tokens, promptTokens, completionTokens } = main.bill
    const result: CallResult = {
      provider: 'openai',
      route: 'main',
      tokens,
      nanoUsd: promptTokens * 1_000 + completionTokens * 2_000,
      outcome: 'ok',
    }
    expect(of(told, 'afterCall')).toEqual([['afterCall', call, result]])
    expect(of(told, 'onError')).toEqual([])
    expect(told.map(([hook]) => hook).filter((hook) => hook !== 'onChunk')).toEqual(['beforeCall', 'afterCall'])
  })

  it('beforeCall is waited for', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [{ type: 'openai', baseUrl: provider.url }],
      hooks: {
        beforeCall: async () => {
          await new Promise((resolve) => setImmediate(resolve))
          expect(provider.requests).toHaveLength(0)
        },
      },
    })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('openai')
  })

  it('beforeCall that throws refuses the call with that error: nothing is asked or held', async () => {
    const error = new HooshError('forbidden', { message: 'Not on Sundays.', details: { param: 'model' } })
    const { told, hooks } = noting({
      beforeCall: () => {
        throw error
      },
    })
    const { to, main, spare } = await pair({ hooks })
    const reply = await chat(to, 'm', { stream })
    expect(reply.status).toBe(403)
    expect(errorOf(reply)).toMatchObject({ message: 'Not on Sundays.', code: 'forbidden', param: 'model' })
    expect([...main.requests, ...spare.requests]).toEqual([])
    expect(await settledPool(to)).toMatchObject({ used: 0, reserved: 0 })
    expect(told).toEqual([['onError', expect.objectContaining({ model: 'm' }), error]])
    expect(to.events).toEqual([
      expect.objectContaining({ type: 'inference.refused', user: 'alice', code: 'forbidden' }),
    ])
  })

  it('beforeCall that throws anything else is 500, with the thrown thing in the log and for onError alone', async () => {
    const thrown = new TypeError('cannot read my-private-thing')
    const { told, hooks } = noting({ beforeCall: async () => Promise.reject(thrown) })
    const { to } = await pair({ hooks })
    const reply = await chat(to, 'm', { stream })
    expect([reply.status, errorOf(reply).code]).toEqual([500, 'hook_failed'])
    expect(reply.text).not.toMatch(/my-private-thing|gateway/)
    expect((told[0]![2] as HooshError).cause).toBe(thrown)
    expect(to.logged).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringContaining('`beforeCall`'),
        details: expect.objectContaining({ err: thrown }),
      }),
    )
  })

  it('a call that fails is told to onError with the error, and to afterCall with what it cost', async () => {
    const { told, hooks } = noting()
    const { to, main, spare } = await pair({ hooks })
    for (const provider of [main, spare]) provider.script({ status: 503 })
    await chat(to, 'm', { stream })
    await settledPool(to)
    expect(told.map(([hook]) => hook)).toEqual(['beforeCall', 'onError', 'afterCall'])
    expect(told[1]![2]).toMatchObject({ name: 'HooshError', code: 'provider_error', status: 502 })
    expect(told[2]![2]).toMatchObject({ tokens: 0, nanoUsd: 0, outcome: 'error' })
  })

  it('of calls that were refused onError alone is told, once each', async () => {
    const { told, hooks } = noting()
    const { to } = await pair({ hooks, pools: { 'user:*': { tokens: 0 } } })
    await chat(to, 'm', { stream })
    expect(of(told, 'onError').map(([, , error]) => (error as HooshError).code)).toEqual(['budget_exceeded'])
    expect(of(told, 'afterCall')).toEqual([])
  })

  it('a caller who leaves is an outcome', async () => {
    const { told, hooks } = noting()
    const { to, main } = await pair({ hooks })
    main.script({ tokens: 5_000, everyMs: 2, ...(stream ? {} : { fault: 'hang-before-head' }) })
    const leaving = new AbortController()
    const call = fetch(`${to.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'x' }] }),
      signal: leaving.signal,
    })
    if (stream) await (await call).body!.getReader().read()
    else await main.received(1)
    leaving.abort()
    await call.catch(() => {})
    await main.requests[0]!.aborted
    await settledPool(to)
    expect(of(told, 'afterCall').map(([, , result]) => (result as CallResult).outcome)).toEqual(['aborted'])
    expect(of(told, 'onError').map(([, , error]) => (error as HooshError).code)).toEqual(['client_closed'])
  })

  it('that throw are logged and change nothing, each on its own', async () => {
    const boom = (name: string) => () => {
      throw new TypeError(`boom of ${name}`)
    }
    const after: string[] = []
    const { to, main, spare } = await pair({
      hooks: {
        onChunk: boom('onChunk'),
        onError: async () => boom('onError')(),
        afterCall: (_call, { outcome }) => {
          after.push(outcome)
          boom('afterCall')()
        },
      },
    })
    const reply = await chat(to, 'm', { stream })
    expect(reply.status).toBe(200)
    if (stream) expect(reply.text).toMatch(/data: \[DONE\]\n\n$/)
    for (const provider of [main, spare]) provider.script({ status: 503 })
    expect(errorOf(await chat(to, 'm', { stream })).code).toBe('provider_error')
    expect(after).toEqual(['ok', 'error'])
    const told = failed(to).map(({ message, details }) => `${message}: ${(details.err as Error).message}`)
    const names = [...(stream ? ['onChunk'] : []), 'afterCall', 'onError']
    expect(new Set(told)).toEqual(
      new Set(names.map((name) => `the hook \`${name}\` of the host threw: boom of ${name}`)),
    )
    expect(await settledPool(to)).toMatchObject({ used: main.bill.totalTokens, reserved: 0 })
  })

  it('onError that throws does not hide why a call was refused', async () => {
    const { hooks } = noting({ onError: () => Promise.reject(new TypeError('boom')) })
    const { to } = await pair({ hooks, pools: { 'user:*': { tokens: 0 } } })
    const reply = await chat(to, 'm', { stream })
    expect([reply.status, errorOf(reply).code]).toEqual([429, 'budget_exceeded'])
    expect(failed(to)).toHaveLength(1)
    const { entries } = (await to.get('/v1/audit')).body as { entries: { event: string }[] }
    expect(entries.map(({ event }) => event)).toContain('inference.refused')
  })
})

it.each<[string, () => never | Promise<never>]>([
  [
    'throws',
    () => {
      throw new TypeError('cannot read my-private-thing')
    },
  ],
  ['rejects', () => Promise.reject(new TypeError('cannot read my-private-thing'))],
  ['answers with what is no spec', () => ({ 'my-private-thing': 5 }) as never],
  ['answers so later', async () => ({ tokens: 'my-private-thing' }) as never],
  [
    'throws what is wrong with its options',
    () => {
      throw new HooshError('invalid_options', { message: 'my-private-thing has no port.' })
    },
  ],
])('a function `pools` that %s is 500, and the log says whose fault it is', async (_what, pools) => {
  const to = await door({ pools })
  const reply = await chat(to, 'm')
  expect([reply.status, errorOf(reply).code]).toEqual([500, 'hook_failed'])
  expect(reply.text).not.toMatch(/my-private-thing|gateway/)
  expect(to.logged).toContainEqual(
    expect.objectContaining({ level: 'error', message: expect.stringContaining('`pools`') }),
  )
})

describe('onChunk', () => {
  it('is told of each event with text, in order, as it was sent', async () => {
    const { told, hooks } = noting()
    const { to, main } = await pair({ hooks })
    main.script({ text: 'Über die See, ganz ☂' })
    const reply = await chat(to, 'm', { stream: true })
    const chunks = of(told, 'onChunk').map(([, call, data]) => [call.model, data as string] as const)
    const texts = chunks.map(
      ([, data]) =>
        (JSON.parse(data.replace(/^data: /, '')) as { choices: { delta: { content?: string } }[] }).choices[0]!.delta
          .content,
    )
    expect(texts.join('')).toBe('Über die See, ganz ☂')
    for (const [, data] of chunks) expect(reply.text).toContain(data.trim())
  })

  it('is told no more than the caller where answers are redacted, and no value that a stand-in stands for', async () => {
    const { told, hooks } = noting()
    const { to, main } = await pair({ hooks, dlp: { actions: { internal: 'pseudonymise' }, answers: true } })
    main.script({ text: 'I told [EMAIL-1] of 4111 1111 1111 1111 and of 4111 1111 1111 1111' })
    const messages = [{ role: 'user', content: 'Write to ada@example.org.' }]
    const reply = await chat(to, 'm', { stream: true, messages })
    const texts = of(told, 'onChunk').map(([, , data]) => {
      return JSON.parse((data as string).replace(/^data: /, '')).choices[0].delta.content ?? ''
    })
    expect(texts.join('')).toBe('I told [EMAIL-1] of [redacted credit_card] and of [redacted credit_card]')
    expect(reply.text).toContain('ada@example.org')
  })

  it('is not for plain answers', async () => {
    const { told, hooks } = noting()
    const { to } = await pair({ hooks })
    await chat(to, 'm')
    expect(of(told, 'onChunk')).toEqual([])
  })

  it('that is async is not waited for, and one that rejects is logged', async () => {
    const { to } = await pair({ hooks: { onChunk: async () => Promise.reject(new TypeError('later')) } })
    const reply = await chat(to, 'm', { stream: true })
    expect(reply.text).toMatch(/data: \[DONE\]\n\n$/)
    expect((failed(to)[0]!.details.err as Error).message).toBe('later')
  })
})

it('hooks are told of embeddings as of chat, and of calls in process', async () => {
  const { told, hooks } = noting()
  const { to } = await pair({ hooks })
  await to.post('/v1/embeddings', { model: 'm', input: 'x' })
  const me = to.gateway.as({ user: 'cron', pool: 'user:cron', metadata: { job: 'nightly' } })
  await me.chat({ model: 'm', messages: [{ role: 'user', content: 'x' }] })
  expect(of(told, 'beforeCall').map(([, call]) => [call.kind, call.identity.user])).toEqual([
    ['embeddings', 'alice'],
    ['chat', 'cron'],
  ])
  expect(told.at(-1)![1]).toMatchObject({ requestId: me.requestId, identity: { metadata: { job: 'nightly' } } })
})

it('a refusal of beforeCall is thrown as it is in process', async () => {
  const error = new HooshError('forbidden', { message: 'Not on Sundays.' })
  const { to } = await pair({
    hooks: {
      beforeCall: () => {
        throw error
      },
    },
  })
  const me = to.gateway.as({ user: 'cron', pool: 'user:cron' })
  await expect(me.chat({ model: 'm', messages: [{ role: 'user', content: 'x' }] })).rejects.toBe(error)
})
