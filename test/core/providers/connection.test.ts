import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import { type AddressInfo, connect as dial, type LookupFunction } from 'node:net'
import { createGateway, type ProviderOptions } from '@hoosh/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guardedLookup, mayReach } from '../../../packages/core/src/address.js'
import { createProvider } from '../../../packages/core/src/providers/create.js'
import { proxyFor } from '../../../packages/core/src/providers/proxy.js'
import { upstream } from '../../support/door.js'
import { answered, failed, json, provider, request } from './support.js'

const certificate = (name: string) => new URL(`../../support/certificates/${name}.pem`, import.meta.url).pathname
const pem = (name: string) => readFileSync(certificate(name), 'utf8')

const ANSWER = JSON.stringify({ choices: [{ index: 0, message: { content: 'hi' } }] })

/** A server that speaks TLS and answers every call; tells who came with which certificate. */
async function tlsServer(options: ServerOptions = {}) {
  const clients: string[] = []
  const server = createHttpsServer({ cert: pem('server'), key: pem('server.key'), ...options }, (asked, response) => {
    const socket = asked.socket as typeof asked.socket & { getPeerCertificate(): { subject?: { CN?: string } } }
    clients.push(socket.getPeerCertificate().subject?.CN ?? 'nobody')
    asked.resume().on('end', () => response.setHeader('content-type', 'application/json').end(ANSWER))
  })
  server.on('tlsClientError', () => {})
  await listening(server)
  return { baseUrl: `https://localhost:${(server.address() as AddressInfo).port}`, clients }
}

async function listening(server: ReturnType<typeof createHttpServer> | ReturnType<typeof createHttpsServer>) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
}

const made = (config: Partial<ProviderOptions>, deps: Parameters<typeof provider>[1] = {}) => {
  const one = provider(config, deps)
  onTestFinished(() => one.close())
  return one
}

describe('what a route pins', () => {
  it('is trusted, given as a file or as PEM', async () => {
    const { baseUrl } = await tlsServer()
    for (const ca of [certificate('ca'), pem('ca')]) {
      expect((await answered(made({ baseUrl, tls: { ca } }), request({}))).ok).toBe(true)
    }
  })

  it.each<[string, ProviderOptions['tls']]>([
    ['without it', undefined],
    ['with another authority', { ca: certificate('other-ca') }],
  ])('%s the server is not: nothing is sent', async (_what, tls) => {
    const { baseUrl, clients } = await tlsServer()
    const failure = await failed(made({ baseUrl, ...(tls && { tls }) }), request({}))
    expect(failure).toMatchObject({ retryable: true, mayBill: false, error: { code: 'provider_error' } })
    expect(clients).toEqual([])
  })

  it('shows its own certificate where the server asks for one', async () => {
    const { baseUrl, clients } = await tlsServer({ requestCert: true, rejectUnauthorized: true, ca: pem('ca') })
    const ca = certificate('ca')
    const client = { ca, cert: certificate('client'), key: certificate('client.key') }
    await answered(made({ baseUrl, tls: client }), request({}))
    expect(clients).toEqual(['hoosh test client'])
    await failed(made({ baseUrl, tls: { ca } }), request({}))
    expect(clients).toHaveLength(1)
  })

  it.each<[string, NonNullable<ProviderOptions['tls']>, RegExp]>([
    ['an authority that is no file', { ca: '/no/such/file.pem' }, /tls\.ca/],
    ['an authority that is none', { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, /tls\.ca/],
    ['an empty file', { ca: '-----BEGIN NOTHING-----' }, /tls\.ca/],
    ['a certificate without its key', { cert: certificate('client') }, /tls\.key/],
    ['a key without its certificate', { key: certificate('client.key') }, /tls\.cert/],
    ['a key of another certificate', { cert: certificate('client'), key: certificate('server.key') }, /tls\.key/],
    ['a key that is none', { cert: certificate('client'), key: certificate('client') }, /tls\.key/],
  ])('stops the start: %s', async (_what, tls, says) => {
    const gateway = createGateway({ providers: [{ type: 'openai', tls }], logger: false })
    const refusal = expect(gateway.ready()).rejects
    await refusal.toMatchObject({ code: 'invalid_options', message: expect.stringMatching(says) })
    await gateway.close()
  })
})

describe('where a base URL may lead', () => {
  const make = (config: Partial<ProviderOptions>) => () =>
    createProvider({ type: 'openai', ...config }, { connectMs: 1_000, clock: Date.now })

  it.each([
    'https://api.example.com',
    'https://10.0.0.8/v1',
    'http://localhost:8000',
    'http://127.0.0.1:8000',
    'http://127.1:8000',
    'http://[::1]:8000',
    'http://model.localhost',
  ])('%s is fine', (baseUrl) => {
    expect(make({ baseUrl })).not.toThrow()
  })

  it.each([
    'http://gpu-1:8000',
    'http://10.0.0.8:8000',
    'http://192.168.1.4',
    'http://[fd00::8]:8000',
    'http://100.64.0.7',
  ])('%s needs privateNetwork', (baseUrl) => {
    expect(make({ baseUrl })).toThrowError(expect.objectContaining({ code: 'invalid_options' }))
    expect(make({ baseUrl })).toThrowError(/privateNetwork/)
    expect(make({ baseUrl, privateNetwork: true })).not.toThrow()
  })

  it.each([
    'http://169.254.169.254/latest',
    'https://169.254.169.254',
    'https://[::ffff:169.254.169.254]',
    'https://[64:ff9b::a9fe:a9fe]',
    'https://0xa9fea9fe',
    'https://2852039166',
    'https://[fd00:ec2::254]',
    'https://[fe80::1]',
    'https://100.100.100.200',
    'https://168.63.129.16',
    'https://0.0.0.0',
    'https://255.255.255.255',
    'http://8.8.8.8',
    'http://[2001:4860:4860::8888]',
    'http://[::ffff:8.8.8.8]',
  ])('%s is refused, whatever is said', (baseUrl) => {
    expect(make({ baseUrl, privateNetwork: true })).toThrowError(expect.objectContaining({ code: 'invalid_options' }))
  })

  it.each<[string, boolean, boolean, boolean]>([
    ['93.184.216.34', true, false, false],
    ['2606:2800:220:1::1', true, false, false],
    ['10.1.2.3', true, true, false],
    ['::ffff:10.1.2.3', true, true, false],
    ['127.0.0.1', true, true, true],
    ['::1', true, true, true],
    ['::ffff:7f00:1', true, true, true],
    ['169.254.1.1', false, false, false],
    ['::ffff:a9fe:a9fe', false, false, false],
    ['fe80::1%eth0', false, false, false],
    ['0.0.0.0', false, false, false],
    ['::', false, false, false],
  ])('%s over https, in the own network, on this machine', (address, any, isPrivate, loopback) => {
    expect([mayReach(address, 'any'), mayReach(address, 'private'), mayReach(address, 'loopback')]).toEqual([
      any,
      isPrivate,
      loopback,
    ])
  })

  const found = (lookup: LookupFunction, all: boolean) =>
    new Promise<unknown>((resolve) =>
      lookup('localhost', { all }, (error, address) => resolve(error === null ? address : error.code)),
    )

  it('a name is judged by what it leads to', async () => {
    expect(await found(guardedLookup('loopback'), false)).toMatch(/^(127\.|::1)/)
    const all = (await found(guardedLookup('any'), true)) as { address: string }[]
    expect(all.length).toBeGreaterThan(0)
    for (const { address } of all) expect(mayReach(address, 'loopback')).toBe(true)
  })

  it('a redirect is not followed', async () => {
    const target = await upstream()
    const one = await upstream()
    one.script({ status: 307, headers: { location: `${target.url}/chat/completions` } })
    const failure = await failed(made({ baseUrl: one.url, apiKey: 'sk-secret-key' }), request({}))
    expect(failure.error.code).toBe('provider_error')
    expect(target.requests).toHaveLength(0)
  })

  it('a configured query goes with every request, beside that of the URL', async () => {
    const paths: string[] = []
    const server = createHttpServer((asked, response) => {
      paths.push(asked.url ?? '')
      asked.resume().on('end', () => response.setHeader('content-type', 'application/json').end(ANSWER))
    })
    await listening(server)
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1?a=1`
    await answered(made({ baseUrl, query: { 'api-version': '2024-10-21', k: 'x&y' } }), request({}))
    expect(paths).toEqual(['/v1/chat/completions?a=1&api-version=2024-10-21&k=x%26y'])
  })
})

describe('the proxy of the environment', () => {
  const url = (text: string) => new URL(text)
  const both = { HTTPS_PROXY: 'http://secure-proxy:1', HTTP_PROXY: 'http://plain-proxy:2' }

  it.each<[string, Record<string, string>, string | null]>([
    ['https://api.example.com/v1', both, 'http://secure-proxy:1'],
    ['http://gpu-1/v1', both, 'http://plain-proxy:2'],
    ['https://api.example.com', { ...both, https_proxy: 'http://lower:3' }, 'http://lower:3'],
    ['https://api.example.com', {}, null],
    ['https://api.example.com', { HTTPS_PROXY: '' }, null],
    ['http://localhost:8000', both, null],
    ['http://127.0.0.1:8000', both, null],
    ['http://[::1]:8000', both, null],
    ['https://api.example.com', { ...both, NO_PROXY: '*' }, null],
    ['https://api.example.com', { ...both, NO_PROXY: 'other.org, example.com' }, null],
    ['https://api.example.com', { ...both, NO_PROXY: '.example.com' }, null],
    ['https://api.example.com', { ...both, no_proxy: '*.example.com:443' }, null],
    ['https://api.example.com:8443', { ...both, NO_PROXY: 'example.com:443' }, 'http://secure-proxy:1'],
    ['https://notexample.com', { ...both, NO_PROXY: 'example.com' }, 'http://secure-proxy:1'],
  ])('%s', (target, environment, proxy) => {
    expect(proxyFor(url(target), environment)).toBe(proxy)
  })

  it('that is no proxy is refused without being told, since it may hold a password', () => {
    const wrong = () => proxyFor(url('https://api.example.com'), { HTTPS_PROXY: 'user:secret-word@proxy' })
    expect(wrong).toThrowError(/HTTPS_PROXY/)
    expect(wrong).not.toThrowError(/secret-word/)
  })

  it('is asked for a tunnel, and sees nothing of what goes through it', async () => {
    const { baseUrl } = await tlsServer()
    const tunnels: { to: string; auth: string | undefined }[] = []
    const proxy = createHttpServer()
    proxy.on('connect', (asked: IncomingMessage, socket) => {
      tunnels.push({ to: asked.url ?? '', auth: asked.headers['proxy-authorization'] })
      const target = dial(Number(new URL(baseUrl).port), '127.0.0.1')
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(socket).pipe(target)
      for (const one of [target, socket]) one.on('error', () => {})
    })
    await listening(proxy)
    const through = `http://me:pass@127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const environment = { HTTPS_PROXY: through }
    const tls = { ca: certificate('ca') }
    const one = made({ baseUrl: 'https://provider.invalid', tls }, { environment })
    expect((await json(one, request({}))).choices).toHaveLength(1)
    const auth = `Basic ${Buffer.from('me:pass').toString('base64')}`
    expect(tunnels).toEqual([{ to: 'provider.invalid:443', auth }])
    // The certificate has to be that of the provider: who answers at the other end is the proxy's word only.
    const other = await failed(made({ baseUrl: 'https://other.invalid', tls }, { environment }), request({}))
    expect(other).toMatchObject({ mayBill: false, error: { code: 'provider_error' } })
    expect(tunnels).toHaveLength(2)
  })

  it('that refuses is a provider that cannot be reached: nothing was billed', async () => {
    const proxy = createHttpServer()
    proxy.on('connect', (_asked, socket) => void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'))
    await listening(proxy)
    const through = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const one = made({ baseUrl: 'https://provider.invalid' }, { environment: { HTTPS_PROXY: through } })
    expect(await failed(one, request({}))).toMatchObject({ mayBill: false, error: { code: 'provider_error' } })
  })
})
