import type { ProviderOptions } from '@hoosh/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../../packages/core/src/glob.js'
import { chat, type Door, door, errorOf, routeFor, upstream } from '../../support/door.js'

/** A door whose routes are the built-in demo under these names. */
const demos = (routes: Record<string, Omit<ProviderOptions, 'type'>>): Promise<Door> =>
  door({ providers: Object.entries(routes).map(([name, more]) => ({ type: 'demo', name, ...more })) })

describe('a pattern', () => {
  const cases: [pattern: string, takes: string[], refuses: string[]][] = [
    ['gpt-4o', ['gpt-4o'], ['gpt-4o-mini', 'GPT-4o', 'a-gpt-4o']],
    ['gpt-*', ['gpt-', 'gpt-4o', 'gpt-4o-mini'], ['gpt', 'my-gpt-4o']],
    ['*-mini', ['gpt-4o-mini', '-mini'], ['mini', 'gpt-4o-mini-2']],
    ['*llama*', ['llama', 'meta-llama/Llama', 'codellama:7b'], ['Llama', 'lama']],
    ['gpt-*-mini', ['gpt-4o-mini', 'gpt--mini'], ['gpt-mini', 'gpt-4o']],
    ['a*b*c', ['abc', 'a1b2c', 'abcbc', 'aabbcc'], ['acb', 'abcd', 'xabc']],
    ['*', ['anything', 'at/all:7b'], []],
    ['**', ['anything'], []],
    ['a.c', ['a.c'], ['abc']],
    ['[ab]?', ['[ab]?'], ['a1', 'b']],
    ['org/*:free', ['org/x:free', 'org/a/b:free'], ['org/x', 'other/x:free']],
  ]

  it.each(cases)('%s takes %j and refuses %j', async (pattern, takes, refuses) => {
    const to = await demos({ here: { models: [pattern] } })
    for (const model of takes) expect([model, await routeFor(to, model)]).toEqual([model, 'here'])
    for (const model of refuses) expect([model, await routeFor(to, model)]).toEqual([model, 'model_not_found'])
  })

  it('says the same as a regular expression with `.*` for each star', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    const names = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 })
    fc.assert(
      fc.property(letters, names, (pattern, name) => {
        expect(compileGlob(pattern).test(name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name))
      }),
      { numRuns: 2_000 },
    )
  })

  it('of many stars does not take forever on a name that it does not match', async () => {
    const to = await demos({ here: { models: [`${'*a'.repeat(60)}*b`] } })
    expect(await routeFor(to, 'a'.repeat(256))).toBe('model_not_found')
  })
})

describe('of several routes', () => {
  it('the lower priority is tried first, whatever the patterns', async () => {
    const to = await demos({ exact: { models: ['gpt-4o'], priority: 5 }, wide: { models: ['*'], priority: 1 } })
    expect(await routeFor(to, 'gpt-4o')).toBe('wide')
  })

  it('of one priority the one that names the model more exactly, then the first', async () => {
    const to = await demos({
      any: {},
      star: { models: ['gpt-*'] },
      more: { models: ['gpt-4o*'] },
      full: { models: ['gpt-4o'] },
      twin: { models: ['gpt-4o'] },
      middle: { models: ['*4o-m*'] },
    })
    expect(await routeFor(to, 'gpt-4o')).toBe('full')
    expect(await routeFor(to, 'gpt-4o-2')).toBe('more')
    expect(await routeFor(to, 'gpt-5')).toBe('star')
    expect(await routeFor(to, 'x-4o-m')).toBe('middle')
    expect(await routeFor(to, 'llama3')).toBe('any')
  })

  it('a name in full wins over a pattern with as many letters', async () => {
    const to = await demos({ pattern: { models: ['gpt-4o*'] }, name: { models: ['gpt-4o'] } })
    expect(await routeFor(to, 'gpt-4o')).toBe('name')
  })

  it('the best of its patterns speaks for a route, in whatever order they stand', async () => {
    const to = await demos({ mixed: { models: ['*', 'gpt-4o', 'gpt-*'] }, other: { models: ['gpt-4*'] } })
    expect(await routeFor(to, 'gpt-4o')).toBe('mixed')
    expect(await routeFor(to, 'gpt-4-x')).toBe('other')
  })

  it('10 is the priority of a route that names none', async () => {
    const to = await demos({ late: { priority: 11 }, silent: {}, early: { priority: 9 } })
    expect(await routeFor(to, 'x')).toBe('early')
    const two = await demos({ late: { priority: 11 }, silent: {} })
    expect(await routeFor(two, 'x')).toBe('silent')
  })

  it('one that is off takes nothing, and needs no key', async () => {
    const to = await door({
      providers: [
        { type: 'openai', enabled: false, apiKey: '$HOOSH_TEST_NEVER_SET' },
        { type: 'demo', models: ['demo'] },
      ],
    })
    expect(await routeFor(to, 'demo')).toBe('demo')
    expect(await routeFor(to, 'gpt-4o')).toBe('model_not_found')
  })

  it('one whose list of models is empty takes nothing', async () => {
    const to = await demos({ nothing: { models: [] }, rest: { models: ['a*'] } })
    expect(await routeFor(to, 'abc')).toBe('rest')
    expect(await routeFor(to, 'b')).toBe('model_not_found')
  })

  it('a model that none takes is 404 that names it and says where to look', async () => {
    const to = await demos({ here: { models: ['gpt-*'] } })
    const reply = await chat(to, 'no/such:model')
    expect(reply.status).toBe(404)
    expect(errorOf(reply)).toMatchObject({ type: 'invalid_request_error', code: 'model_not_found', param: 'model' })
    expect(errorOf(reply).message).toContain('no/such:model')
    expect(errorOf(reply).message).toContain('/v1/models')
  })
})

describe('two routes of one type', () => {
  it('have names and keys of their own, and each answers under its name', async () => {
    const [one, two] = [await upstream(), await upstream()]
    const to = await door({
      providers: [
        { type: 'openai', baseUrl: one.url, apiKey: 'key-one', models: ['gpt-4o'] },
        { type: 'openai', name: 'azure-eu', baseUrl: two.url, apiKey: 'key-two', models: ['gpt-4o-mini'] },
      ],
    })
    expect(await routeFor(to, 'gpt-4o')).toBe('openai')
    expect(await routeFor(to, 'gpt-4o-mini')).toBe('azure-eu')
    expect(one.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer key-one'])
    expect(two.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer key-two'])
  })

  it('on one address are two routes all the same: each has its own rate', async () => {
    const provider = await upstream()
    const same = { type: 'openai', baseUrl: provider.url, rpm: 1 } as const
    const to = await door({ providers: [same, { ...same, name: 'second', apiKey: 'other' }] })
    expect(await routeFor(to, 'm')).toBe('openai')
    expect(await routeFor(to, 'm')).toBe('second')
    expect(await routeFor(to, 'm')).toBe('rate_limit_exceeded')
  })
})

describe('a model name with slashes', () => {
  const routes = {
    openrouter: { models: ['*/*'], priority: 20 },
    meta: { models: ['meta-llama/*'] },
    azure: { models: ['gpt-4o', 'azure/special'] },
  }

  it('is matched whole before any part of it is taken for the name of a route', async () => {
    const to = await demos(routes)
    expect(await routeFor(to, 'meta-llama/llama-3-8b')).toBe('meta')
    expect(await routeFor(to, 'azure/special')).toBe('azure')
    expect(await routeFor(to, 'mistralai/mixtral:free')).toBe('openrouter')
    // Openrouter takes the whole name, so that `azure/` is no prefix here.
    expect(await routeFor(to, 'azure/gpt-4o')).toBe('openrouter')
  })

  it('goes by the route it begins with only where no route takes it whole, and without that prefix', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [
        { type: 'openai', name: 'azure', baseUrl: provider.url, models: ['gpt-4o', 'org/deep/model'] },
        { type: 'demo', models: ['demo'] },
      ],
    })
    expect(await routeFor(to, 'azure/gpt-4o')).toBe('azure')
    expect(await routeFor(to, 'azure/org/deep/model')).toBe('azure')
    expect(provider.requests.map(({ body }) => (body as { model: string }).model)).toEqual(['gpt-4o', 'org/deep/model'])
    expect(await routeFor(to, 'azure/llama3')).toBe('model_not_found')
    expect(await routeFor(to, 'nobody/gpt-4o')).toBe('model_not_found')
    expect(await routeFor(to, '/gpt-4o')).toBe('model_not_found')
  })
})
