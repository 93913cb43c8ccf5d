import { firstOf, type HooshOptions, type Identify, type Identity, virtualKeys } from '@hoosh/core'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { chat, chatOf, type Door, door, errorOf, upstream } from '../support/door.js'

const fn = (name: string) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties: {} } },
})

/** A gateway for one caller, and the provider behind it. */
async function open(
  who: Partial<Identity>,
  options: HooshOptions = {},
  identify: Identify<unknown> = () => ({ user: 'alice', ...who }),
) {
  const provider = await upstream()
  const to = await door(
    { providers: [{ type: 'openai', baseUrl: provider.url }], pools: { '*': {} }, ...options },
    { identify },
  )
  return { to, provider }
}

const answered = async (to: Door, more: Record<string, unknown>) => {
  const reply = await chat(to, 'gpt-4o', more)
  return reply.status === 200 ? 'ok' : errorOf(reply).code
}

describe('tools of an identity', () => {
  it('let through what a pattern names, and refuse a request with any other, by its name', async () => {
    const { to, provider } = await open({ tools: ['weather', 'search_*'] })
    expect(await answered(to, { tools: [fn('weather'), fn('search_web')] })).toBe('ok')
    expect(await answered(to, {})).toBe('ok')
    const reply = await chat(to, 'gpt-4o', { tools: [fn('weather'), fn('shell')] })
    expect(reply.status).toBe(403)
    expect(errorOf(reply)).toEqual({
      message: 'You may not give a model the tool "shell". Leave it out.',
      type: 'permission_error',
      param: 'tools.1',
      code: 'tool_not_allowed',
    })
    expect(provider.requests).toHaveLength(2)
    expect(to.events).toContainEqual(expect.objectContaining({ type: 'inference.refused', code: 'tool_not_allowed' }))
  })

  it.each<[string, Record<string, unknown>]>([
    ['a flat one of old clients', { tools: [{ name: 'shell', parameters: {} }] }],
    ['a function of old clients', { functions: [{ name: 'shell' }] }],
    ['a custom one', { tools: [{ type: 'custom', custom: { name: 'shell' } }] }],
    ["one of the provider's own", { tools: [{ type: 'web_search_preview' }] }],
    ["one of the provider's own with another's name", { tools: [{ type: 'web_search_preview', name: 'weather' }] }],
    ['one of two names', { tools: [{ ...fn('shell'), name: 'weather' }] }],
    ['one without a name', { tools: [{}] }],
    ['one whose name is no text', { tools: [{ type: 'function', function: { name: null } }] }],
  ])('find %s', async (_what, more) => {
    const { to, provider } = await open({ tools: ['weather'] })
    expect(await answered(to, more)).toBe('tool_not_allowed')
    expect(await answered(to, { ...more, stream: true })).toBe('tool_not_allowed')
    expect(provider.requests).toHaveLength(0)
  })

  it('none are allowed by an empty list, all without one', async () => {
    const nothing = await open({ tools: [] })
    expect(await answered(nothing.to, { tools: [fn('weather')] })).toBe('tool_not_allowed')
    expect(await answered(nothing.to, { tools: [] })).toBe('ok')
    const all = await open({})
    expect(await answered(all.to, { tools: [fn('weather'), fn('shell')] })).toBe('ok')
  })

  it('a name that stands there twice is refused, as the provider could read the other one', async () => {
    const { to, provider } = await open({ tools: ['weather'] })
    const body = `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}],
      "tools":[{"type":"function","function":{"name":"shell","name":"weather"}}]}`
    const reply = await to.send('POST', '/v1/chat/completions', { body })
    expect(errorOf(reply)).toMatchObject({ code: 'invalid_request', param: 'tools.0.function.name' })
    expect(provider.requests).toHaveLength(0)
  })

  it('an answer that was stored for another credential of the user is not given', async () => {
    let who: Identity = { user: 'alice' }
    const { to } = await open({}, {}, () => who)
    const ask = () => chat(to, 'gpt-4o', { tools: [fn('shell')] }, { headers: { 'idempotency-key': 'k' } })
    expect((await ask()).status).toBe(200)
    who = { user: 'alice', tools: ['weather'] }
    expect(errorOf(await ask()).code).toBe('tool_not_allowed')
  })

  it('bind the keys that somebody makes, through the client of OpenAI, and calls in process', async () => {
    const alice = { user: 'alice', tools: ['weather'] }
    const { to } = await open(
      {},
      { keys: { selfService: true } },
      firstOf(virtualKeys(), () => alice),
    )
    const { key } = (await to.post('/v1/keys', {}, { as: 'nobody' })).body as { key: string }
    const client = new OpenAI({ apiKey: key, baseURL: `${to.url}/v1`, maxRetries: 0 })
    const ask = (name: string) => ({ ...chatOf('gpt-4o'), tools: [fn(name)] })
    expect((await client.chat.completions.create(ask('weather'))).choices).toHaveLength(1)
    await expect(client.chat.completions.create(ask('shell'))).rejects.toMatchObject({
      status: 403,
      code: 'tool_not_allowed',
      param: 'tools.0',
    })
    await expect(to.gateway.as(alice).chat(ask('shell'))).rejects.toMatchObject({ code: 'tool_not_allowed' })
  })
})
