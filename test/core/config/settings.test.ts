import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { KeySource } from '../../../packages/core/src/config/settings.js'
import { settingsFrom } from '../../../packages/core/src/config/settings.js'
import type { HooshOptions } from '../../../packages/core/src/options.js'
import { revealed, type Secret } from '../../../packages/core/src/secret.js'

const nobody: typeof fetch = () => Promise.reject(new TypeError('refused'))
const settings = (options: HooshOptions = {}, environment: Record<string, string> = {}, get = nobody) =>
  settingsFrom(options, environment, get)
const keyOf = (key: KeySource | undefined) => (typeof key === 'object' ? key.reveal() : key)
const lists = (...origins: string[]) =>
  (async (url: string) => {
    if (!origins.some((origin) => url === `${origin}/v1/models`)) throw new TypeError('refused')
    return Response.json({ object: 'list', data: [] })
  }) as typeof fetch

describe('the settings', () => {
  it('have every default', async () => {
    expect(await settings()).toMatchObject({
      providers: [{ type: 'demo' }],
      budget: {
        enforcement: 'hard',
        leaseMs: 60_000,
        renewMs: 20_000,
        sweepMs: 15_000,
        onExpire: 'charge',
        defaultOutput: 1_024,
        minOutput: 16,
      },
      audit: { mode: 'buffered' },
      deadlines: { connectMs: 10_000, firstByteMs: 60_000, plainMs: 600_000, idleMs: 60_000 },
      migrate: false,
      dev: false,
    })
  })

  it('keep what the host says, and a default where it says undefined', async () => {
    const { budget, deadlines, audit } = await settings({
      budget: { leaseMs: 9_000, minOutput: undefined as never },
      deadlines: { totalMs: 5, idleMs: undefined as never },
      audit: false,
    })
    expect(budget).toMatchObject({ leaseMs: 9_000, renewMs: 3_000, minOutput: 16 })
    expect(deadlines).toMatchObject({ totalMs: 5, idleMs: 60_000 })
    expect(audit).toBe(false)
  })

  it('hold secrets that nothing prints', async () => {
    const made = await settings(
      {
        providers: [
          { type: 'openai', apiKey: '$MY_KEY', headers: { 'api-key': 'canary-header' } },
          { type: 'groq', apiKeys: ['canary-one', 'canary-two'] },
          { type: 'mistral', apiKey: 'canary-off', enabled: false },
        ],
        audit: { key: 'canary-audit' },
        metrics: { token: 'canary-token' },
      },
      { MY_KEY: 'canary-env' },
    )
    const found = await settings({}, { OPENAI_API_KEY: 'canary-found' })
    for (const one of [made, found]) {
      const printed = [
        inspect(one, { depth: 20, showHidden: true }),
        JSON.stringify(one),
        `${one.providers[0]!.apiKey}`,
      ]
      expect(printed.join()).not.toContain('canary')
      expect(printed[1]).toContain('[secret]')
    }
  })

  it('pass functions and objects through untouched', async () => {
    const options: HooshOptions = { storage: {}, hooks: {}, logger: console, clock: () => 5, onEvent: () => {} }
    const made = await settings(options)
    for (const name of ['storage', 'hooks', 'logger', 'clock', 'onEvent'] as const)
      expect(made[name]).toBe(options[name])
  })

  it('read $NAME from the environment, and nothing else that begins with a dollar', async () => {
    const made = await settings(
      {
        providers: [
          { type: 'openai', apiKey: '$MY_KEY' },
          { type: 'groq', apiKey: '$1literal' },
        ],
        audit: { key: '$AUDIT' },
        metrics: { token: '$SCRAPE' },
      },
      { MY_KEY: 'sk-1', AUDIT: 'a', SCRAPE: 's' },
    )
    expect(made.providers.map(({ apiKey }) => keyOf(apiKey))).toEqual(['sk-1', '$1literal'])
    expect((made.audit || undefined)?.key?.reveal()).toBe('a')
    expect(made.metrics.token?.reveal()).toBe('s')
  })

  it.each<[HooshOptions, string]>([
    [{ providers: [{ type: 'demo' }, { type: 'openai', apiKey: '$GONE' }] }, 'providers[1].apiKey'],
    [{ audit: { key: '$GONE' } }, 'audit.key'],
    [{ metrics: { token: '$GONE' } }, 'metrics.token'],
  ])('name a variable that is not set, and the option that reads it', async (options, option) => {
    await expect(settings(options, { GONE: '' })).rejects.toMatchObject({
      code: 'invalid_options',
      message: expect.stringMatching(
        `^${option.replace(/[[\]]/g, '\\$&')} reads the environment variable GONE, which is not set`,
      ),
    })
  })

  it('need no key of a provider that is off', async () => {
    const { providers } = await settings({ providers: [{ type: 'openai', apiKey: '$GONE', enabled: false }] })
    expect(providers).toHaveLength(1)
  })
})

describe('without providers', () => {
  it('every key of the environment makes one', async () => {
    const { providers } = await settings({}, { XAI_API_KEY: 'x', OPENAI_API_KEY: 'o', GROQ_API_KEY: '' })
    expect(providers.map(({ type, apiKey }) => [type, keyOf(apiKey)])).toEqual([
      ['openai', 'o'],
      ['grok', 'x'],
    ])
    expect(providers[0]!.models).toContain('gpt-*')
  })

  it('of two names of one key the first that is set counts', async () => {
    const key = async (environment: Record<string, string>) =>
      (await settings({}, environment)).providers.map(({ type, apiKey }) => [type, revealed(apiKey as string | Secret)])
    expect(await key({ GEMINI_API_KEY: 'm', GOOGLE_API_KEY: 'g' })).toEqual([['google', 'g']])
    expect(await key({ GEMINI_API_KEY: 'm', GOOGLE_API_KEY: '' })).toEqual([['google', 'm']])
  })

  it('OpenRouter comes after whoever serves a model himself', async () => {
    const { providers } = await settings({}, { OPENROUTER_API_KEY: 'r', GROQ_API_KEY: 'g' })
    expect(providers.map(({ type, priority = 10 }) => [type, priority])).toEqual([
      ['groq', 10],
      ['openrouter', 20],
    ])
  })

  it('local servers are looked for only when asked', async () => {
    const get = lists('http://127.0.0.1:8080')
    expect((await settings({}, {}, get)).providers).toEqual([{ type: 'demo' }])
    const { providers } = await settings({}, { HOOSH_LOCAL: 'auto' }, get)
    expect(providers).toMatchObject([{ type: 'llamacpp', baseUrl: 'http://127.0.0.1:8080' }])
    const ollama = await settings({}, { HOOSH_LOCAL: 'auto' }, lists('http://127.0.0.1:11434'))
    expect(ollama.providers).toMatchObject([{ type: 'ollama', baseUrl: 'http://127.0.0.1:11434' }])
  })

  it('something else on a port of theirs is no model server', async () => {
    const page = (async () => new Response('<html>', { headers: { 'content-type': 'text/html' } })) as typeof fetch
    const other = (async () => Response.json({ hello: 'world' })) as typeof fetch
    const missing = (async () => new Response('', { status: 404 })) as typeof fetch
    for (const get of [page, other, missing, nobody]) {
      expect((await settings({}, { HOOSH_LOCAL: 'auto' }, get)).providers).toEqual([{ type: 'demo' }])
    }
  })

  it('a HOOSH_LOCAL that is not auto is refused', async () => {
    await expect(settings({}, { HOOSH_LOCAL: 'yes' })).rejects.toMatchObject({ code: 'invalid_options' })
  })

  it('an empty list stays empty', async () => {
    expect((await settings({ providers: [] }, { OPENAI_API_KEY: 'o' })).providers).toEqual([])
  })
})
