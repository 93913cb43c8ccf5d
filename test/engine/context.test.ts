import type { ChatParams, HooshContext, HooshOptions, Identity } from '@hoosh/core'
import { fakeClock, type Script } from '@hoosh/core/testing'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { WAYS } from '../support/contexts.js'
import { upstream } from '../support/door.js'

const ada: Identity = { user: 'ada', pool: ['user:ada', 'team'] }
const POOLS = { 'user:*': { tokens: 100_000, usd: 5 }, team: { tokens: 50_000, window: 'day' as const } }
const ask: ChatParams = { model: 'm', messages: [{ role: 'user', content: 'Say something about the sea.' }] }

describe.each(WAYS)('in process, by $name', ({ inside }) => {
  const open = async (options: HooshOptions = {}, who: Identity | null = ada) => {
    const provider = await upstream()
    const clock = fakeClock()
    const place = await inside(who, {
      providers: [{ type: 'openai', baseUrl: provider.url }],
      pools: POOLS,
      prices: { m: { input: '1', output: '2' } },
      clock: clock.now,
      logger: false,
      ...options,
    })
    return { ...place, provider, clock }
  }
  const usedOf = async (hoosh: HooshContext) =>
    (await hoosh.budget.pools()).map(({ used, held }) => [used.tokens, held.tokens])

  describe('chat', () => {
    it('answers as over HTTP, with what it cost', async () => {
      const { run, provider } = await open()
      const answer = await run((hoosh) => hoosh.chat({ ...ask, stream: true, max_tokens: 5 }))
      expect(answer.choices[0]!.message).toEqual({ role: 'assistant', content: ' one two three four five' })
      expect(answer.choices[0]!.finish_reason).toBe('length')
      const { promptTokens, completionTokens } = provider.bill
      expect(answer.usage).toMatchObject({
        prompt_tokens: promptTokens,
        completion_tokens: 5,
        provider: 'openai',
        cost_micro_usd: promptTokens + 2 * completionTokens,
      })
      expect(provider.requests[0]!.body).toMatchObject({ model: 'm', max_tokens: 5, stream: false })
    })

    it.each<[object, string]>([
      [{ ...ask, model: '' }, 'model'],
      [{ ...ask, messages: [] }, 'messages'],
      [{ ...ask, messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
      [{ ...ask, max_tokens: 0 }, 'max_tokens'],
      [{ ...ask, temperature: 3 }, 'temperature'],
    ])('refuses %j by name', async (params, param) => {
      const { run } = await open()
      await expect(run((hoosh) => hoosh.chat(params as ChatParams))).rejects.toMatchObject({
        name: 'HooshError',
        code: 'invalid_request',
        status: 400,
        details: { param },
      })
    })

    it('throws what HTTP would answer', async () => {
      const { run, provider } = await open({ pools: { '*': { tokens: 5 } } })
      await expect(run((hoosh) => hoosh.chat(ask))).rejects.toMatchObject({
        code: 'budget_exceeded',
        status: 429,
        type: 'insufficient_quota',
        details: { pool: expect.any(String), available: 5, resetsAt: null },
      })
      const free = await open()
      free.provider.script({ status: 400, body: { error: { message: 'Bad tool.', code: 'bad' } } })
      await expect(free.run((hoosh) => hoosh.chat(ask))).rejects.toMatchObject({
        code: 'provider_rejected',
        message: 'Bad tool.',
        status: 400,
      })
      expect(provider.requests).toHaveLength(0)
    })

    it('ends with its signal: the provider is aborted and nothing stays held', async () => {
      const { run, provider } = await open()
      provider.script({ fault: 'hang-before-head' })
      const leaving = new AbortController()
      void provider.received(1).then(() => leaving.abort())
      await run(async (hoosh) => {
        await expect(hoosh.chat(ask, { signal: leaving.signal })).rejects.toMatchObject({ code: 'client_closed' })
        expect((await usedOf(hoosh)).map(([, held]) => held)).toEqual([0, 0])
      })
      await provider.requests[0]!.aborted
    })

    it('with a signal that is aborted already asks nobody', async () => {
      const { run, provider } = await open()
      await expect(run((hoosh) => hoosh.chat(ask, { signal: AbortSignal.abort() }))).rejects.toMatchObject({
        code: 'client_closed',
      })
      expect(provider.requests).toHaveLength(0)
    })
  })

  describe('stream', () => {
    it('gives chunks in order, and the usage where it is asked for', async () => {
      const { run, provider } = await open()
      const collect = (more = {}) =>
        run(async (hoosh) => {
          const chunks = []
          for await (const chunk of hoosh.stream({ ...ask, ...more })) chunks.push(chunk)
          return chunks
        })
      const plain = await collect()
      expect(plain.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toMatch(/^ one two .* six$/)
      expect(plain.every(({ usage }) => usage == null)).toBe(true)
      const last = (await collect({ stream_options: { include_usage: true } })).at(-1)!
      expect(last.usage).toMatchObject({ provider: 'openai', prompt_tokens: provider.bill.perAttempt[1]!.promptTokens })
    })

    it('begins with the first step of the loop, not before', async () => {
      const { run, provider } = await open()
      await run(async (hoosh) => {
        const stream = hoosh.stream(ask)
        expect((await hoosh.budget.pools())[0]!.held.tokens).toBe(0)
        expect(provider.requests).toHaveLength(0)
        for await (const _chunk of stream);
      })
      expect(provider.requests).toHaveLength(1)
    })

    it('left early ends the call: the provider is aborted, what was made is paid, nothing stays held', async () => {
      const { run, provider } = await open()
      provider.script({ tokens: 5_000, everyMs: 1 })
      await run(async (hoosh) => {
        let chunks = 0
        for await (const _chunk of hoosh.stream(ask)) {
          chunks += 1
          if (chunks === 4) break
        }
        await provider.requests[0]!.aborted
        for (;;) {
          const [[used, held]] = (await usedOf(hoosh)) as [[number, number]]
          if (held > 0) continue
          expect(used).toBeGreaterThanOrEqual(provider.bill.promptTokens + 3)
          expect(used).toBeLessThan(5_000)
          break
        }
      })
    })

    it('throws what would have been the answer, or the last event', async () => {
      const { run, provider } = await open({ deadlines: { idleMs: 50 } })
      const reading = (script: Script, params: object = {}) =>
        run(async (hoosh) => {
          provider.reset()
          provider.script(script)
          for await (const _chunk of hoosh.stream({ ...ask, ...params }));
        })
      await expect(reading({ status: 503 })).rejects.toMatchObject({ code: 'provider_error', status: 502 })
      await expect(reading({}, { messages: [] })).rejects.toMatchObject({ code: 'invalid_request' })
      await expect(reading({ fault: 'reset', faultAfter: 5 })).rejects.toMatchObject({ code: 'provider_error' })
      await expect(reading({ fault: 'hang', faultAfter: 5 })).rejects.toMatchObject({
        code: 'idle_timeout',
        status: 504,
      })
    })

    it('ends with its signal', async () => {
      const { run, provider } = await open()
      provider.script({ tokens: 20, fault: 'hang', faultAfter: 4 })
      const leaving = new AbortController()
      const reading = run(async (hoosh) => {
        for await (const chunk of hoosh.stream(ask, { signal: leaving.signal })) {
          if (chunk.choices[0]?.delta.content === ' two') leaving.abort()
        }
      })
      await expect(reading).rejects.toMatchObject({ code: 'client_closed' })
      await provider.requests[0]!.aborted
    })
  })

  it('embed gives numbers, and refuses an empty input and more than fits, saying how much does', async () => {
    const { run, provider } = await open()
    const answer = await run((hoosh) => hoosh.embed({ model: 'm', input: ['one', 'two'] }))
    expect(answer.data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 8],
      [1, 8],
    ])
    expect(answer.usage).toMatchObject({ prompt_tokens: provider.bill.promptTokens, provider: 'openai' })
    await expect(run((hoosh) => hoosh.embed({ model: 'm', input: '' }))).rejects.toMatchObject({
      code: 'invalid_request',
      details: { param: 'input' },
    })
    const many = Array.from({ length: 2_049 }, () => 'a')
    await expect(run((hoosh) => hoosh.embed({ model: 'm', input: many }))).rejects.toMatchObject({
      message: 'input: must hold at most 2048 items; these are 2049',
    })
  })

  /** What tells that a route was reached, where it is no 200: there is no such key, server or job, and no reservation. */
  const REACHED: Record<string, number> = {
    'POST /v1/cost/recommend': 404,
    'POST /v1/tokens/pools/:name/refunds': 400,
    'POST /v1/keys': 201,
    'POST /v1/models/pull': 404,
    'POST /v1/models/delete': 404,
    'POST /v1/catalog/sync': 404,
    'POST /v1/training/status': 400,
    // A run has a cap.
    'POST /v1/tokens/runs': 400,
    'GET /v1/tokens/runs/:id': 404,
    'DELETE /v1/tokens/runs/:id': 404,
    'GET /v1/audit/:id/payload': 404,
    'GET /v1/keys/:id': 404,
    'DELETE /v1/keys/:id': 404,
    'POST /v1/keys/:id/rotate': 404,
  }

  describe('fetch', () => {
    it.each(ROUTES)('reaches $method $path', async ({ method, path, access }) => {
      const { run } = await open()
      const admin = await open({}, { ...ada, roles: ['admin'] })
      const url = `http://hoosh${path.replace('pools/:name', 'pools/team').replace(/[:*]\w+/, 'scripted')}`
      const all = { ...ask, input: 'x', pool: 'team', tokens: 5, reserved: 5, actual: 5, model: 'm' }
      const body = path.startsWith('/v1/keys') ? {} : all
      const init = {
        method,
        headers: { 'content-type': 'application/json' },
        ...(method === 'POST' ? { body: JSON.stringify(body) } : method === 'PUT' ? { body: '{"tokens":5}' } : {}),
      }
      const status = async (place: typeof admin) =>
        place.run(async (hoosh) => {
          if (path === '/v1/tokens/report') await hoosh.fetch('http://hoosh/v1/tokens/reserve', init)
          const reply = await hoosh.fetch(url, init)
          await reply.text()
          return reply.status
        })
      expect(await status(admin)).toBe(REACHED[`${method} ${path}`] ?? 200)
      if (access !== 'anyone' && access !== 'identity') expect(await status({ run } as typeof admin)).toBe(403)
    })

    it('is a transport for the openai package', async () => {
      const { run } = await open()
      const text = await run(async (hoosh) => {
        const openai = new OpenAI({
          fetch: hoosh.fetch,
          baseURL: 'http://hoosh/v1',
          apiKey: 'in-process',
          maxRetries: 0,
        })
        const stream = await openai.chat.completions.create({ ...ask, stream: true } as never)
        let all = ''
        for await (const chunk of stream as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>)
          all += chunk.choices[0]?.delta.content ?? ''
        return all
      })
      expect(text).toMatch(/^ one two/)
    })

    it('of an unknown path is a JSON 404', async () => {
      const { run } = await open()
      const reply = await run((hoosh) => hoosh.fetch('http://hoosh/v1/nothing'))
      expect(reply.status).toBe(404)
      expect(await reply.json()).toMatchObject({ error: { code: 'not_found' } })
    })

    it('tells a client of another API where models are asked', async () => {
      const { run } = await open()
      const asked = run(async (hoosh) => {
        const openai = new OpenAI({ fetch: hoosh.fetch, baseURL: 'http://hoosh/v1', apiKey: 'in-process' })
        return openai.responses.create({ model: 'm', input: 'Hello!' })
      })
      await expect(asked).rejects.toMatchObject({
        status: 404,
        code: 'not_found',
        message: expect.stringContaining('/v1/chat/completions'),
      })
    })
  })

  it('identity() is what the host said', async () => {
    const { run } = await open()
    expect(await run((hoosh) => hoosh.identity())).toEqual(ada)
  })

  it('one request id is on everything that a context does', async () => {
    const { run } = await open()
    await run(async (hoosh) => {
      await hoosh.chat(ask)
      const own = await hoosh.audit.record('mine')
      expect(own.requestId).toBe(hoosh.requestId)
      const page = await (await hoosh.fetch('http://hoosh/v1/audit')).json()
      const ids = (page as { entries: { requestId: string }[] }).entries.map(({ requestId }) => requestId)
      expect([...new Set(ids)]).toEqual([hoosh.requestId])
    })
  })

  it('nobody is refused by every method, and asks nobody for anything', async () => {
    const { run, provider } = await open({}, null)
    const uses: ((hoosh: HooshContext) => Promise<unknown>)[] = [
      (hoosh) => hoosh.identity(),
      (hoosh) => hoosh.chat(ask),
      async (hoosh) => {
        for await (const _chunk of hoosh.stream(ask));
      },
      (hoosh) => hoosh.embed({ model: 'm', input: 'x' }),
      (hoosh) => hoosh.budget.pools(),
      (hoosh) => hoosh.budget.available(),
      (hoosh) => hoosh.budget.reserve({ tokens: 1 }),
      (hoosh) => hoosh.audit.record('mine'),
    ]
    for (const use of uses) await expect(run(use)).rejects.toMatchObject({ code: 'unauthenticated', status: 401 })
    const reply = await run((hoosh) => hoosh.fetch('http://hoosh/v1/models'))
    expect(reply.status).toBe(401)
    expect((await run((hoosh) => hoosh.fetch('http://hoosh/v1/health'))).status).toBe(200)
    expect(provider.requests).toHaveLength(0)
  })

  it('an identity that cannot be used is identify_failed', async () => {
    const { run } = await open({}, { user: '' })
    await expect(run((hoosh) => hoosh.chat(ask))).rejects.toMatchObject({ code: 'identify_failed', status: 500 })
    await expect(run((hoosh) => hoosh.identity())).rejects.toMatchObject({ code: 'identify_failed' })
    expect((await run((hoosh) => hoosh.fetch('http://hoosh/v1/models'))).status).toBe(500)
  })

  it('an identity that cannot be used is explained in the log, which the error points to', async () => {
    const lines: string[] = []
    const error = (details: object) => void lines.push((details as { err: Error }).err.message)
    const logger = { debug() {}, info() {}, warn() {}, error }
    const { run } = await open({ logger }, { user: 'ada', pools: 'user:ada' } as Identity)
    await expect(run((hoosh) => hoosh.chat(ask))).rejects.toThrow('its log says why')
    expect(lines).toEqual(['An identity has no field `pools`; did you mean `pool`?'])
    expect((await run((hoosh) => hoosh.fetch('http://hoosh/v1/models'))).status).toBe(500)
    expect(lines.length).toBe(2)
  })
})
