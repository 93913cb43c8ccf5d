import type { RoutingOptions } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { chat, door, routeFor, upstream, whoAnswered } from '../support/door.js'

/** `gpt-4o` fails, and the models named stand in for it, in this order. */
async function standIns(...models: string[]) {
  const broken = await upstream({ fallback: { status: 503 } })
  const spare = await upstream()
  const to = await door({
    providers: [
      { type: 'openai', name: 'broken', baseUrl: broken.url, models: ['gpt-4o', 'unheard-of', 'llama3.1'] },
      { type: 'openai', name: 'spare', baseUrl: spare.url, models },
    ],
    routing: { fallbacks: { '*': models } },
  })
  return { to, asked: () => spare.requests.map(({ body }) => (body as { model: string }).model) }
}

const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }]
const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }]
const schema = { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' } } }
const long = [{ role: 'user', content: 'word '.repeat(20_000) }]

describe('a model that stands in for another', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ['tools', { tools }, 'mixtral-8x7b', 'mistral-large'],
    ['images', { messages: image }, 'mistral-large', 'claude-sonnet-4'],
    ['a JSON schema', { response_format: schema }, 'gpt-4-turbo', 'gpt-4.1'],
    ['room for its prompt', { messages: long }, 'gpt-4', 'gpt-4.1'],
    ['tools, of a model nobody knows', { tools }, 'mixtral-8x7b', 'brand-new'],
  ])('keeps what the call was promised: %s', async (_what, more, cannot, can) => {
    const { to, asked } = await standIns(cannot, can)
    expect(whoAnswered(await chat(to, 'gpt-4o', more))).toBe('spare')
    expect(asked()).toEqual([can])
  })

  it('is taken whatever it can where nothing was promised', async () => {
    const { to, asked } = await standIns('mixtral-8x7b')
    expect(whoAnswered(await chat(to, 'gpt-4o', { tools: [], response_format: { type: 'text' } }))).toBe('spare')
    expect(asked()).toEqual(['mixtral-8x7b'])
  })

  it('need not do what the first cannot do either', async () => {
    const { to, asked } = await standIns('mixtral-8x7b')
    expect(whoAnswered(await chat(to, 'llama3.1', { tools }))).toBe('spare')
    expect(asked()).toEqual(['mixtral-8x7b'])
  })

  it('that cannot leaves the failure of the first to the caller', async () => {
    const { to, asked } = await standIns('mixtral-8x7b')
    expect(whoAnswered(await chat(to, 'gpt-4o', { tools }))).toBe('provider_error')
    expect(asked()).toEqual([])
  })

  it('is no matter of another route of the same model', async () => {
    const broken = await upstream({ fallback: { status: 503 } })
    const spare = await upstream()
    const to = await door({
      providers: [
        { type: 'openai', name: 'broken', baseUrl: broken.url },
        { type: 'openai', name: 'spare', baseUrl: spare.url },
      ],
    })
    expect(whoAnswered(await chat(to, 'gpt-4', { tools, response_format: schema }))).toBe('spare')
  })
})

describe('a long conversation', () => {
  const many = async (strategy: RoutingOptions['strategy'], models = ['*']) => {
    const providers = await Promise.all([upstream(), upstream(), upstream()])
    return door({
      providers: providers.map(({ url }, at) => ({ type: 'openai', name: `r${at}`, baseUrl: url, models })),
      routing: { strategy },
    })
  }
  const turn = (...more: string[]) => ({
    messages: [
      { role: 'system', content: 'Be brief. '.repeat(600) },
      ...more.map((content) => ({ role: 'user', content })),
    ],
  })

  it('stays on the route that has its beginning in its cache, though others have their turn', async () => {
    const to = await many('round-robin')
    const first = await routeFor(to, 'm', turn('one'))
    for (let count = 0; count < 4; count += 1) expect(await routeFor(to, 'm', turn('one', `${count}`))).toBe(first)
    const short = [await routeFor(to, 'm'), await routeFor(to, 'm'), await routeFor(to, 'm')]
    expect(new Set(short).size).toBe(3)
  })

  it('is another one of another caller, and after five minutes', async () => {
    const to = await many('round-robin')
    const first = await routeFor(to, 'm', turn('one'))
    expect(await routeFor(to, 'm', turn('one'), { as: 'bob' })).not.toBe(first)
    to.clock.advance(300_001)
    const later = [await routeFor(to, 'm', turn('one')), first]
    expect(new Set(later).size).toBe(2)
  })
})
