import {
  type AuditEntry,
  type Capacity,
  type ChatCompletion,
  type ChatCompletionChunk,
  createGateway,
  type EmbeddingResponse,
  type Gateway,
  type HooshContext,
  type HooshEvent,
  type HooshOptions,
  type HooshRun,
  type HostAmount,
  type HostCredit,
  type HostReservation,
  type Identify,
  type Identity,
  type PoolSnapshot,
} from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { type HooshMiddleware, hoosh } from '@hoosh/express'
import express, { type Request, Router } from 'express'
import type OpenAI from 'openai'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { chatOf } from '../support/door.js'
import { serve } from '../support/mounts.js'

// What is asserted by types is checked by `tsc -p test/tsconfig.json`; the rest runs.

describe('req.hoosh', () => {
  it('is typed in handlers, routers and middleware without a cast, and is there', async () => {
    const ai = hoosh({ providers: [{ type: 'demo' }], logger: false, identify: () => ({ user: 'ada' }) })
    expectTypeOf(ai).toEqualTypeOf<HooshMiddleware>()
    expectTypeOf(ai.gateway).toEqualTypeOf<Gateway>()
    const router = Router().get('/router', async (req, res) => {
      expectTypeOf(req.hoosh).toEqualTypeOf<HooshContext>()
      res.json((await req.hoosh.identity()).user)
    })
    const app = express()
    app.use(ai)
    app.use((req, res, next) => {
      expectTypeOf(req.hoosh).toEqualTypeOf<HooshContext>()
      res.setHeader('x-id', req.hoosh.requestId)
      next()
    })
    app.get('/handler', async (req, res) => {
      const answer = await req.hoosh.chat(chatOf('demo'))
      expectTypeOf(answer).toEqualTypeOf<ChatCompletion>()
      expectTypeOf(answer.choices[0]!.message.content).toEqualTypeOf<string | null>()
      const left = await req.hoosh.budget.available()
      expectTypeOf(left.tokens).toEqualTypeOf<number | undefined>()
      res.json(typeof answer.choices[0]!.message.content)
    })
    app.use(router)
    const { url, close } = await serve(app)
    expect(await (await fetch(`${url}/handler`)).json()).toBe('string')
    const reply = await fetch(`${url}/router`)
    expect([await reply.json(), reply.headers.get('x-id')]).toEqual(['ada', expect.any(String)])
    await close()
    await ai.gateway.close()
  })
})

describe('a context', () => {
  it('gives what it says', async () => {
    const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false })
    const me = gateway.as({ user: 'ada' })
    expectTypeOf(me.identity()).toEqualTypeOf<Promise<Identity>>()
    expectTypeOf(me.requestId).toEqualTypeOf<string>()
    expectTypeOf(me.budget.pools).returns.toEqualTypeOf<Promise<PoolSnapshot[]>>()
    expectTypeOf(me.budget.available).returns.toEqualTypeOf<Promise<Capacity>>()
    expectTypeOf(me.budget.reserve).parameter(0).toEqualTypeOf<HostAmount>()
    expectTypeOf<{ tokens: number; usd: string }>().toExtend<HostAmount>()
    expectTypeOf<{ nanoUsd: number }>().toExtend<HostAmount>()
    expectTypeOf<{ usd: number; nanoUsd: number }>().not.toExtend<HostAmount>()
    expectTypeOf<{ id: string; usd: number; nanoUsd: number }>().not.toExtend<HostCredit>()
    expectTypeOf(me.budget.reserve).returns.toEqualTypeOf<Promise<HostReservation>>()
    expectTypeOf(me.budget.run).returns.toEqualTypeOf<Promise<HooshRun>>()
    expectTypeOf<HooshRun>().toExtend<HooshContext>()
    expectTypeOf(me.audit.record).returns.toEqualTypeOf<Promise<AuditEntry>>()
    expectTypeOf(me.stream).returns.toEqualTypeOf<AsyncIterable<ChatCompletionChunk>>()
    const joined = ({ choices: [choice] }: ChatCompletionChunk, calls: string[]) => {
      for (const { index, function: piece } of choice?.delta.tool_calls ?? [])
        calls[index] = `${calls[index] ?? ''}${piece?.arguments ?? ''}`
    }
    expectTypeOf(joined).returns.toEqualTypeOf<void>()
    expectTypeOf(me.embed).returns.toEqualTypeOf<Promise<EmbeddingResponse>>()
    expectTypeOf(me.fetch).toEqualTypeOf<typeof globalThis.fetch>()
    for await (const chunk of me.stream(chatOf('demo'))) {
      expectTypeOf(chunk.choices[0]!.delta.content).toEqualTypeOf<string | null | undefined>()
      expect(chunk.object).toBe('chat.completion.chunk')
    }
    await gateway.close()
  })

  it("takes what the `openai` package's own types say, and gives back what goes on in them", async () => {
    const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false })
    const me = gateway.as({ user: 'ada' })
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: 'Hello!' },
    ]
    const answer = await me.chat({ model: 'demo', messages, seed: 1 })
    messages.push(answer.choices[0]!.message)
    const asked: OpenAI.ChatCompletionCreateParams = { model: 'demo', messages, max_tokens: 5, stop: null }
    expect((await me.chat(asked)).choices).toHaveLength(1)
    for await (const chunk of me.stream({ model: 'demo', messages })) expect(chunk.choices).toBeDefined()
    for await (const chunk of me.stream(asked)) expect(chunk.choices).toBeDefined()
    const embedding: OpenAI.EmbeddingCreateParams = { model: 'demo', input: ['Hello!'] }
    expectTypeOf(me.embed).toBeCallableWith(embedding)
    expectTypeOf(me.embed).toBeCallableWith({ ...embedding, pool: 'p' })
    expectTypeOf(me.chat).toBeCallableWith({ model: 'demo', messages, pool: 'p', own_field: true })
    await gateway.close()
  })

  it('refuses by type what it would refuse by hand', async () => {
    const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false })
    const me = gateway.as({ user: 'ada' })
    // @ts-expect-error messages are required
    await expect(me.chat({ model: 'demo' })).rejects.toMatchObject({ code: 'invalid_request' })
    // @ts-expect-error a date is no audit value
    await expect(me.audit.record('mine', { at: new Date() })).rejects.toMatchObject({ code: 'invalid_audit_details' })
    // @ts-expect-error a count is a number
    await expect(me.budget.reserve({ tokens: '5' })).rejects.toMatchObject({ code: 'invalid_request' })
    await gateway.close()
  })
})

describe('options', () => {
  it('are checked by type as by hand', () => {
    // @ts-expect-error no such option
    expect(() => createGateway({ provider: [] })).toThrow('did you mean "providers"')
    // @ts-expect-error no such type
    expect(() => createGateway({ providers: [{ type: 'opnai' }] })).toThrow('did you mean "openai"')
    // @ts-expect-error no such window
    expect(() => createGateway({ pools: { p: { window: 'year' } } })).toThrow('window')
    // @ts-expect-error no such strategy
    expect(() => createGateway({ routing: { strategy: 'random' } })).toThrow('strategy')
  })

  it("give identify the framework's own request", () => {
    hoosh({
      identify: (req) => {
        expectTypeOf(req).toEqualTypeOf<Request>()
        return req.get('x-user') === undefined ? null : { user: 'ada' }
      },
    })
    const handler = toNodeHandler({
      identify: (req) => {
        expectTypeOf(req.socket.remoteAddress).toEqualTypeOf<string | undefined>()
        return { user: 'ada' }
      },
    })
    expectTypeOf(handler.context).returns.toEqualTypeOf<HooshContext>()
    const identify: Identify<Request> = async (req) => req.ip !== undefined && { user: req.ip }
    expect(hoosh(createGateway(), { identify })).toBeTypeOf('function')
  })

  it('tell events apart by their type', () => {
    const onEvent: HooshOptions['onEvent'] = (event) => {
      if (event.type === 'budget.warning') expectTypeOf(event.pool).toEqualTypeOf<PoolSnapshot>()
      if (event.type === 'inference.completed') expectTypeOf(event.nanoUsd).toEqualTypeOf<number>()
    }
    expectTypeOf<HooshEvent['type']>()
      .extract<`budget.${string}`>()
      .toEqualTypeOf<'budget.warning' | 'budget.cutoff' | 'budget.overrun' | 'budget.expired'>()
    expect(createGateway({ onEvent }).handle).toBeTypeOf('function')
  })
})
