import { faultProxy, gate } from '@hoosh/core/testing'
import OpenAI, { APIError, InternalServerError } from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chat, chatOf, type Door, door, errorOf, type Reply, upstream, whoAnswered } from '../support/door.js'
import { people } from '../support/mounts.js'
import { pair, settledPool, silentUrl } from '../support/pair.js'

const STREAMED = [false, true]
/** A deadline that is meant to pass, ms, and one that is not. */
const SHORT = 120
const LONG = 60_000

const timeoutOf = (reply: Reply) => [reply.status, errorOf(reply).code, errorOf(reply).type]

/** The error that a stream ended with. */
function lastEvent({ text }: Reply): { error: { code: string; type: string; message: string } } {
  const events = text.split('\n\n').filter((event) => event.startsWith('data: '))
  return JSON.parse(events.at(-1)!.slice(6))
}

/** A provider that takes no connection before `spare`, which answers. */
const unconnectable = async (deadlines: object, withSpare: boolean): Promise<Door> =>
  door({
    providers: [
      { type: 'openai', name: 'silent', baseUrl: await silentUrl() },
      ...(withSpare ? [{ type: 'demo' as const, name: 'spare' }] : []),
    ],
    deadlines,
  })

describe('connect_timeout', () => {
  // Both kinds of call at once: a short time to connect is measured to about a second.
  it('moves on to the next candidate', async () => {
    const to = await unconnectable({ connectMs: SHORT }, true)
    const replies = await Promise.all(STREAMED.map((stream) => chat(to, 'm', { stream })))
    expect(replies.map(whoAnswered)).toEqual(['spare', 'spare'])
  })

  it('of all of them is 504 that may be repeated, and costs nothing', async () => {
    const to = await unconnectable({ connectMs: SHORT }, false)
    for (const reply of await Promise.all(STREAMED.map((stream) => chat(to, 'm', { stream })))) {
      expect(timeoutOf(reply)).toEqual([504, 'connect_timeout', 'api_error'])
      expect(errorOf(reply).message).toContain('silent')
      expect(reply.headers.get('x-should-retry')).toBe(null)
    }
    expect(await settledPool(to)).toMatchObject({ used: 0, reserved: 0 })
  })
})

describe.each(STREAMED)('first_byte_timeout (stream: %s)', (stream) => {
  // The other kind's limit is short as well, so that only the right one can be what counts.
  const deadlines = stream ? { firstByteMs: SHORT, plainMs: LONG } : { firstByteMs: LONG, plainMs: SHORT }

  it('moves on to the next candidate, and the one that was silent is aborted and paid for', async () => {
    const { to, main, spare } = await pair({ deadlines })
    main.script({ fault: 'hang-before-head' })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
    await main.requests[0]!.aborted
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.totalTokens + spare.bill.totalTokens)
  })

  it('of all of them is 504 that is not to be repeated', async () => {
    const { to, main, spare } = await pair({ deadlines })
    main.script({ fault: 'hang-before-head' })
    spare.script({ fault: 'hang-before-head' })
    const reply = await chat(to, 'm', { stream })
    expect(timeoutOf(reply)).toEqual([504, 'first_byte_timeout', 'api_error'])
    expect(reply.headers.get('x-should-retry')).toBe('false')
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.totalTokens + spare.bill.totalTokens)
  })

  it('is not that of the other kind of call', async () => {
    const { to, main } = await pair({
      deadlines: stream ? { firstByteMs: LONG, plainMs: 1 } : { firstByteMs: 1, plainMs: LONG },
    })
    main.script({ headAfterMs: 30 })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('main')
  })

  it('passes where the line is half open', async () => {
    const provider = await upstream()
    const proxy = await faultProxy(provider.url, { halfOpen: true })
    onTestFinished(() => proxy.close())
    const to = await door({
      providers: [
        { type: 'openai', name: 'lost', baseUrl: proxy.url },
        { type: 'demo', name: 'spare' },
      ],
      deadlines,
    })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
  })
})

describe('idle_timeout', () => {
  const deadlines = { idleMs: SHORT }

  it('ends a stream with an error event of its own code, for there is no going on elsewhere', async () => {
    const { to, main, spare } = await pair({ deadlines })
    main.script({ tokens: 20, fault: 'hang', faultAfter: 5 })
    const reply = await chat(to, 'm', { stream: true })
    expect(lastEvent(reply).error).toMatchObject({ code: 'idle_timeout', type: 'api_error' })
    expect(reply.text).not.toContain('[DONE]')
    expect(spare.requests).toHaveLength(0)
    await main.requests[0]!.aborted
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.totalTokens)
  })

  it('makes the openai package throw', async () => {
    const { to, main } = await pair({ deadlines })
    main.script({ tokens: 20, fault: 'hang', faultAfter: 5 })
    const openai = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 0 })
    const stream = await openai.chat.completions.create({ ...chatOf('m'), stream: true } as never)
    const reading = (async () => {
      for await (const _chunk of stream as unknown as AsyncIterable<unknown>);
    })()
    await expect(reading).rejects.toThrow(APIError)
  })

  it('of a plain answer is 504, or the next candidate', async () => {
    const { to, main, spare } = await pair({ deadlines })
    main.script({ fault: 'hang' }, { fault: 'hang' })
    expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
    spare.script({ fault: 'hang' })
    const reply = await chat(to, 'm')
    expect(timeoutOf(reply)).toEqual([504, 'idle_timeout', 'api_error'])
    expect(reply.headers.get('x-should-retry')).toBe('false')
  })

  it('does not run while bytes come, however slowly', async () => {
    const { to, main } = await pair({ deadlines: { idleMs: 800 } })
    main.script({ tokens: 40, everyMs: 22 })
    const reply = await chat(to, 'm', { stream: true })
    expect(reply.text).toMatch(/data: \[DONE\]\n\n$/)
  })
})

describe.each(STREAMED)('total_timeout (stream: %s)', (stream) => {
  it('ends a call whose provider is silent, whatever the others would do', async () => {
    const { to, main, spare } = await pair({ deadlines: { totalMs: SHORT } })
    main.script({ fault: 'hang-before-head' })
    const reply = await chat(to, 'm', { stream })
    expect(timeoutOf(reply)).toEqual([504, 'total_timeout', 'api_error'])
    expect(reply.headers.get('x-should-retry')).toBe('false')
    expect(spare.requests).toHaveLength(0)
    await main.requests[0]!.aborted
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.totalTokens)
  })

  it('ends a call that is still connecting: free, and may be repeated', async () => {
    const to = await unconnectable({ totalMs: SHORT }, true)
    const reply = await chat(to, 'm', { stream })
    expect(timeoutOf(reply)).toEqual([504, 'total_timeout', 'api_error'])
    expect(reply.headers.get('x-should-retry')).toBe(null)
    expect(await settledPool(to)).toMatchObject({ used: 0 })
  })

  it('counts over all candidates: no new one is asked after it', async () => {
    const { to, main, spare } = await pair({ deadlines: { totalMs: 1_000 } })
    const head = gate()
    main.script({ holdHead: head, fault: 'reset-before-head' })
    const asking = chat(to, 'm', { stream })
    await head.reached
    to.clock.advance(1_000)
    head.open()
    const reply = await asking
    expect(timeoutOf(reply)).toEqual([504, 'total_timeout', 'api_error'])
    expect(reply.headers.get('x-should-retry')).toBe('false')
    expect(spare.requests).toHaveLength(0)
  })

  it('ends an answer in the middle', async () => {
    const { to, main } = await pair({ deadlines: { totalMs: 5 * SHORT } })
    main.script({ tokens: 20, fault: 'hang', faultAfter: 5 })
    const reply = await chat(to, 'm', { stream })
    if (stream) {
      expect(lastEvent(reply).error).toMatchObject({ code: 'total_timeout', type: 'api_error' })
      expect(reply.text).toContain('one')
      expect(reply.text).not.toContain('[DONE]')
    } else expect(timeoutOf(reply)).toEqual([504, 'total_timeout', 'api_error'])
    await main.requests[0]!.aborted
    expect((await settledPool(to)).used).toBeGreaterThanOrEqual(main.bill.promptTokens)
  })

  it('ends an answer that never stops', async () => {
    const { to, main } = await pair({ deadlines: { totalMs: 5 * SHORT } })
    main.script({ tokens: 100_000, honoursLimit: false, everyMs: 5, ...(stream ? {} : { fault: 'hang' }) })
    const reply = await chat(to, 'm', { stream })
    expect(stream ? lastEvent(reply).error.code : errorOf(reply).code).toBe('total_timeout')
  })

  it('counts against a provider that kept quiet for all of it, and only then', async () => {
    const { to, main, spare } = await pair(
      { deadlines: { totalMs: SHORT } },
      { fallback: { fault: 'hang-before-head' } },
    )
    for (let call = 0; call < 3; call += 1) await chat(to, 'm', { stream })
    expect(main.requests).toHaveLength(3)
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('spare')
    expect(spare.requests).toHaveLength(1)
  })

  it('leaves a call alone that is done in time', async () => {
    const { to } = await pair({ deadlines: { totalMs: LONG } })
    expect(whoAnswered(await chat(to, 'm', { stream }))).toBe('main')
    expect(await settledPool(to)).toMatchObject({ reserved: 0 })
  })

  it('is not repeated by the openai package', async () => {
    const { to, main } = await pair({ deadlines: { totalMs: SHORT } }, { fallback: { fault: 'hang-before-head' } })
    const openai = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 2 })
    await expect(openai.chat.completions.create({ ...chatOf('m'), stream } as never)).rejects.toThrow(
      InternalServerError,
    )
    expect(main.requests).toHaveLength(1)
  })
})

it('deadlines hold for embeddings too', async () => {
  const { to, main, spare } = await pair({ deadlines: { plainMs: SHORT } })
  main.script({ fault: 'hang-before-head' })
  spare.script({ fault: 'hang-before-head' })
  const reply = await to.post('/v1/embeddings', { model: 'm', input: 'x' })
  expect(timeoutOf(reply)).toEqual([504, 'first_byte_timeout', 'api_error'])
})
