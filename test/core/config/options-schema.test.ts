import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { memoryRates } from '../../../packages/core/src/budget/memory-rates.js'
import { checkOptions } from '../../../packages/core/src/config/settings.js'
import { HooshError } from '../../../packages/core/src/errors.js'
import type { HooshOptions } from '../../../packages/core/src/options.js'

function faultOf(options: unknown): string {
  try {
    checkOptions(options)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HooshError)
    expect((thrown as HooshError).code).toBe('invalid_options')
    return (thrown as HooshError).message
  }
  return 'nothing'
}

const everything: Required<HooshOptions> = {
  providers: [
    { type: 'openai', apiKey: '$NOT_SET_YET', models: ['gpt-*'], priority: 0, rpm: 0, maxTokens: 4_096, enabled: true },
    {
      type: 'openai',
      name: 'eu',
      baseUrl: 'https://eu.example.org',
      headers: { 'x-team': 'a' },
      fallbacks: ['llama*'],
    },
    { type: 'llamacpp', local: false },
  ],
  routing: { strategy: 'round_robin', aliases: { fast: 'gpt-4o-mini', any: ['a', 'b'] }, fallbacks: { '*': ['demo'] } },
  pools: {
    'user:*': { tokens: 0, usd: '0.000000001', window: 'day', timeZone: 'Europe/Berlin', limits: { concurrent: 0 } },
    team: { usd: 50, window: null, unpriced: 'allow', frozen: true },
    burst: { window: { everyMs: 1_000 } },
  },
  budget: {
    enforcement: 'soft',
    leaseMs: 3_000,
    renewMs: 1_000,
    sweepMs: 1,
    onExpire: 'counted',
    defaultOutput: 1,
    minOutput: 1,
  },
  audit: {
    key: '$K',
    mode: 'strict',
    node: 'n',
    maxEntries: 5,
  },
  limits: { models: { 'o3*': { requestsPerMinute: 1, per: 'user' } }, failedAuthPerMinute: 5 },
  keys: { selfService: true, perUser: 5, longestMs: 86_400_000, tokenSecrets: ['$A', '$B'] },
  dlp: {
    actions: { public: 'allow', internal: 'redact', confidential: 'pseudonymise', restricted: 'block' },
    defaultLevel: 'internal',
    patterns: [{ name: 'own', pattern: /a/, level: 'confidential', action: 'localOnly' }],
    builtIn: { email: false, iban: { level: 'internal', action: 'allow' } },
    classify: () => null,
    answers: true,
  },
  prices: { 'gpt-4o*': { input: '2.50', output: '10', cached: '1.25' } },
  storage: {},
  basePath: '/ai',
  rootRoutes: true,
  cors: { origins: ['https://app.example.org', 'http://localhost:3000', '*'] },
  maxBodyBytes: 1,
  deadlines: { connectMs: 1, firstByteMs: 1, plainMs: 1, idleMs: 1, totalMs: 1 },
  metrics: { registry: new Registry(), token: 't' },
  hooks: { beforeCall() {}, afterCall() {}, onChunk() {}, onError() {} },
  onEvent() {},
  logger: console,
  clock: Date.now,
  random: (bytes) => new Uint8Array(bytes),
  migrate: false,
  dev: false,
}

describe('the options', () => {
  it('may be none, or all there are, and no variable has to be set yet', () => {
    expect(faultOf({})).toBe('nothing')
    expect(faultOf(everything)).toBe('nothing')
    expect(faultOf({ logger: false, audit: false, pools: () => null, basePath: '' })).toBe('nothing')
    expect(faultOf({ providers: undefined, budget: undefined })).toBe('nothing')
  })

  it.each<[string, unknown, string]>([
    ['an unknown option', { provders: [] }, 'has no option "provders"; did you mean "providers"?'],
    ['another spelling', { base_path: '/ai' }, 'did you mean "basePath"?'],
    ['an unknown option that is like none', { telemetry: 1 }, 'has no option "telemetry"; it knows providers, routing'],
    [
      'a slip below',
      { providers: [{ type: 'openai', apikey: 'x' }] },
      'providers[0] has no option "apikey"; did you mean "apiKey"?',
    ],
    ['an unknown type', { providers: [{ type: 'opena' }] }, 'providers[0].type has to be one of openai, anthropic'],
    ['a type nearly right', { providers: [{ type: 'OpenAI' }] }, 'did you mean "openai"?'],
    ['no type', { providers: [{}] }, 'providers[0].type has to be one of'],
    ['one provider alone', { providers: { type: 'openai' } }, 'providers has to be an array'],
    [
      'two of a name',
      { providers: [{ type: 'openai' }, { type: 'openai' }] },
      'providers[1] is the second provider with the name "openai"; give it another `name`',
    ],
    [
      'a name that no header can hold',
      { providers: [{ type: 'openai', name: '研发' }] },
      'providers[0].name has to be of ASCII letters, digits and signs',
    ],
    [
      'an empty key',
      { providers: [{ type: 'openai', apiKey: '' }] },
      'providers[0].apiKey has to be a string that is not empty',
    ],
    [
      'a negative rate',
      { providers: [{ type: 'openai', rpm: -1 }] },
      'providers[0].rpm has to be a whole number from 0',
    ],
    ['a strategy', { routing: { strategy: 'random' } }, 'routing.strategy has to be one of priority, round-robin'],
    [
      'a fractional cap',
      { pools: { 'user:*': { tokens: 1.5 } } },
      'pools["user:*"].tokens has to be a whole number from 0 to 4503599627370496',
    ],
    ['money that is none', { pools: { a: { usd: '1 USD' } } }, 'pools.a.usd has to be USD'],
    [
      'a window',
      { pools: { a: { window: 'daily' } } },
      "pools.a.window has to be 'hour', 'day', 'week', 'month', { everyMs } or null",
    ],
    ['a pool with a slip', { pools: { a: { token: 5 } } }, 'pools.a has no option "token"; did you mean "tokens"?'],
    ['pools as text', { pools: 'user' }, 'pools has to be an object'],
    [
      'a lease in text',
      { budget: { leaseMs: '60s' } },
      'budget.leaseMs has to be a whole number of milliseconds from 1',
    ],
    [
      'a renewal too late',
      { budget: { leaseMs: 1_000, renewMs: 1_000 } },
      'budget has a renewMs that is not below its leaseMs',
    ],
    ['audit: true', { audit: true }, 'audit has to be an object'],
    ['a mode below false', { audit: { mode: 'lax' } }, 'audit.mode has to be one of strict, buffered'],
    [
      'a price as number',
      { prices: { x: { input: 2.5, output: '1' } } },
      'prices.x.input has to be USD per million tokens as a decimal string',
    ],
    [
      'half a price',
      { prices: { 'gpt-*': { input: '2.5' } } },
      'prices["gpt-*"].output has to be USD per million tokens',
    ],
    ['a path without slash', { basePath: 'ai' }, 'basePath has to begin with a slash'],
    ['an origin with a path', { cors: { origins: ['https://a.example/x'] } }, 'cors.origins[0] has to be an origin'],
    [
      'a logger without methods',
      { logger: { info() {} } },
      'logger has to be false, or an object with debug, info, warn and error',
    ],
    ['a hook that is none', { hooks: { beforeCall: true } }, 'hooks.beforeCall has to be a function'],
    ['a registry that is none', { metrics: { registry: {} } }, "metrics.registry has to be prom-client's Registry"],
    ['a store with a slip', { storage: { budget: {} } }, 'storage has no option "budget"; did you mean "budgets"?'],
    [
      'a store that is none',
      { storage: { keys: { add() {}, get() {}, list() {} } } },
      'storage.keys has to be a store; it lacks replace, remove.',
    ],
    ['a store that is nothing', { storage: { cache: null } }, 'storage.cache has to be a store; it lacks get, put'],
    ['a database for a storage', { storage: new Map() }, 'storage has to be an object with stores: `sqlStorage('],
    ['one store for all', { storage: memoryRates() }, 'storage has no options "enter", "stay", '],
    ['no object at all', 'openai', 'The options object has to be an object'],
  ])('with %s are refused by name, with what it has to be', (_, options, fault) => {
    expect(faultOf(options)).toContain(fault)
  })

  it('take whole storages, in part or mixed, and stores of a class', () => {
    const whole = sqlStorage(new Database(':memory:'))
    class Own {
      readonly db = {}
      get budgets() {
        return whole.budgets
      }
      async close() {}
    }
    for (const storage of [whole, { ...whole, rates: memoryRates() }, { open() {}, describe: 'own' }, new Own()]) {
      expect(faultOf({ storage })).toBe('nothing')
    }
    class Misspelt extends Own {
      readonly rate = memoryRates()
    }
    expect(faultOf({ storage: new Misspelt() })).toContain('storage has no option "rate"; did you mean "rates"?')
  })

  it('with many faults tell the first five, and how many more there are', () => {
    const fault = faultOf({ providers: Array.from({ length: 8 }, () => ({ type: 5 })) })
    expect(fault).toContain('providers[4].type')
    expect(fault).not.toContain('providers[5].type')
    expect(fault).toMatch(/And \d+ more\.$/)
  })

  it('never repeat a secret in what they say', () => {
    expect(
      faultOf({ providers: [{ type: 'openai', apiKey: ['sk-secret'] }], metrics: { token: 7, key: 'sk-secret' } }),
    ).not.toContain('sk-secret')
  })
})
