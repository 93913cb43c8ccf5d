import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { inspect } from 'node:util'
import { bearerTokens, createGateway, type HooshOptions } from '@hoosh/core'
import { httpSink } from '@hoosh/core/audit'
import { toNodeHandler } from '@hoosh/core/node'
import { expect, it, onTestFinished } from 'vitest'
import { serve } from '../support/mounts.js'

/** One secret for each place of a configuration that may hold one. */
const secret = (place: string) => `magpie-${place}-0123456789abcdef`

const said = (value: unknown): string =>
  `${inspect(value, { depth: 20, showHidden: true })} ${JSON.stringify(value, (_key, one) =>
    one instanceof Error ? { ...one, message: one.message, stack: one.stack, cause: one.cause } : one,
  )}`

/** A provider that tells everybody what it was sent: as it is, percent-encoded, in base64. */
async function gossip(): Promise<{ url: string; heard: string[]; next: { status: number; stream: boolean } }> {
  const heard: string[] = []
  const next = { status: 500, stream: false }
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const sent = [request.url!, ...request.rawHeaders]
      heard.push(sent.join(' '))
      const words = sent.flatMap((text) => [text, encodeURIComponent(text), Buffer.from(text).toString('base64')])
      const error = { message: words.join(' '), type: words.join(' '), code: sent.join(' '), param: sent.join(' ') }
      const type = next.stream ? 'text/event-stream' : 'application/json'
      response.writeHead(next.status, { 'content-type': type, 'x-echo': encodeURIComponent(sent.join(' ')) })
      const body = JSON.stringify({ error })
      response.end(next.stream ? `data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\ndata: ${body}\n\n` : body)
    })
  })
  const { url, close } = await serve(server.listeners('request')[0] as never)
  onTestFinished(close)
  return { url, heard, next }
}

it('no secret of any option is in what anybody gets to see, whatever fails', async () => {
  const provider = await gossip()
  process.env.HOOSH_TEST_CANARY = secret('environment')
  onTestFinished(() => void delete process.env.HOOSH_TEST_CANARY)
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const seen: string[] = []
  const note = (...parts: unknown[]) => void seen.push(said(parts))
  const route = (name: string, more: object) => ({ type: 'openai' as const, name, baseUrl: provider.url, ...more })
  const options: HooshOptions = {
    providers: [
      route('key', { apiKey: secret('key'), models: ['key'] }),
      route('keys', { apiKeys: [secret('keys-0'), secret('keys-1')], models: ['keys'] }),
      route('function', { apiKey: async () => secret('function'), models: ['function'] }),
      route('throws', { apiKey: () => Promise.reject(new TypeError('no vault')), models: ['throws'] }),
      route('environment', { apiKey: '$HOOSH_TEST_CANARY', models: ['environment'] }),
      route('header', { headers: { 'api-key': secret('header'), cookie: secret('cookie') }, models: ['header'] }),
      route('option', { query: { 'api-key': secret('option') }, models: ['option'] }),
      route('query', { baseUrl: `${provider.url}/v1?key=${secret('query')}`, models: ['query'] }),
      { type: 'anthropic', name: 'claude', baseUrl: provider.url, apiKey: secret('anthropic'), models: ['claude'] },
      route('off', { apiKey: secret('off'), enabled: false }),
    ],
    pools: { 'user:*': {} },
    audit: {
      key: secret('audit'),
      signingKey: pem,
      onCheckpoint: httpSink(`${provider.url}/?sig=${secret('sink-url')}`, { headers: { 'x-key': secret('sink') } }),
      payloads: { key: secret('payloads-of-users'), otherKeys: [secret('payloads-of-users-before')] },
    },
    keys: { tokenSecrets: [secret('tokens-of-browsers')] },
    metrics: { token: secret('scraper') },
    dlp: { patterns: [{ name: 'project', pattern: secret('pattern') }], answers: true },
    logger: { debug: note, info: note, warn: note, error: note },
    onEvent: note,
    hooks: { onError: (call, error) => note(call.model, error) },
  }
  const gateway = createGateway(options)
  const admin = { token: secret('bearer'), user: 'root', roles: ['admin'] }
  const door = await serve(toNodeHandler(gateway, { identify: bearerTokens([admin]) }), [gateway])
  onTestFinished(door.close)
  const ask = async (method: string, path: string, body?: object, token = admin.token) => {
    const reply = await fetch(`${door.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    })
    seen.push(JSON.stringify([...reply.headers]), await reply.text())
  }
  const messages = [{ role: 'user', content: 'x' }]
  for (const model of [
    'key',
    'keys',
    'function',
    'throws',
    'environment',
    'header',
    'query',
    'option',
    'claude',
    'nobody',
  ]) {
    for (const status of [200, 400, 401, 403, 404, 422, 429, 500, 503]) {
      for (const stream of [false, true]) {
        Object.assign(provider.next, { status, stream })
        await ask('POST', '/v1/chat/completions', { model, stream, messages })
      }
    }
    await ask('POST', '/v1/embeddings', { model, input: 'x' })
  }
  await ask('POST', '/v1/chat/completions', { model: 'key', messages: [{ role: 'user', content: secret('pattern') }] })
  await ask('GET', '/v1/metrics', undefined, `${secret('scraper')}x`)
  for (const path of [
    'models',
    'audit',
    'audit/export',
    'audit/checkpoints',
    'audit/verify',
    'models/catalog',
    'keys',
    'metrics',
    'health/providers',
    'health',
    'costs',
    'tokens/pools',
    'queue/status',
  ]) {
    await ask('GET', `/v1/${path}`)
  }
  note(gateway, options.logger)

  const leaks = [...new Set(seen.join('\n').match(/magpie[\w-]{0,30}/g))]
  expect(leaks).toEqual([])
  const inBase64 = Buffer.from('magpie-').toString('base64').slice(0, 9)
  expect(seen.filter((text) => text.includes(inBase64)).map((text) => text.slice(0, 200))).toEqual([])
  expect(seen.filter((text) => text.includes(pem.split('\n')[1]!))).toEqual([])
  // Where they belong they are.
  for (const place of [
    'key',
    'keys-0',
    'function',
    'environment',
    'header',
    'cookie',
    'query',
    'option',
    'anthropic',
    'sink-url',
    'sink',
  ]) {
    expect(provider.heard.join(), place).toContain(secret(place))
  }
  expect(provider.heard.join()).not.toContain(secret('off'))
}, 60_000)

const PEM = '-----BEGIN PRIVATE KEY-----\n'

it.each<[string, HooshOptions]>([
  ['a key that no header can carry', { providers: [{ type: 'openai', apiKey: 'magpie\nkey' }] }],
  ['a header that cannot be sent', { providers: [{ type: 'openai', headers: { 'api-key': 'magpie\r\nx' } }] }],
  ['credentials in a URL', { providers: [{ type: 'openai', baseUrl: 'https://me:magpie@example.org' }] }],
  ['a URL that is none', { providers: [{ type: 'openai', baseUrl: 'magpie' }] }],
  ['a key of another type', { providers: [{ type: 'openai', apiKey: { magpie: 'magpie' } as never }] }],
  ['two ways to give a key', { providers: [{ type: 'openai', apiKey: 'magpie', apiKeys: ['magpie'] }] }],
  [
    'a client certificate that is none',
    { providers: [{ type: 'openai', tls: { cert: `${PEM}magpie`, key: `${PEM}magpie` } }] },
  ],
  ['a pattern that is none', { dlp: { patterns: [{ name: 'own', pattern: '(magpie' }] } }],
  ['a pattern that takes too long', { dlp: { patterns: [{ name: 'own', pattern: '(magpie|c)*x' }] } }],
  ['an audit key of another type', { audit: { key: ['magpie'] as never } }],
])('an option that is refused is named and not quoted: %s', async (_what, options) => {
  let message = ''
  try {
    const gateway = createGateway({ ...options, logger: false })
    onTestFinished(() => gateway.close({ timeoutMs: 0 }))
    await gateway.ready()
  } catch (error) {
    message = said(error)
  }
  expect(message).toContain('invalid_options')
  expect(message).not.toContain('magpie')
})
