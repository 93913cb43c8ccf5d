import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guardedLookup } from '../../../packages/core/src/providers/address-guard.js'
import { endpointOf } from '../../../packages/core/src/providers/base-url.js'
import { door, errorOf } from '../../support/door.js'

const reason = (baseUrl: string, more = {}): string => {
  try {
    endpointOf(baseUrl, 'route', more)
  } catch (error) {
    return (error as Error).message
  }
  return 'fine'
}

describe('the address of a provider', () => {
  it.each([
    'http://169.254.169.254/v1',
    'https://169.254.169.254/v1',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://0251.0376.0251.0376/',
    'http://169.254.170.2/v2/credentials',
    'http://[::ffff:169.254.169.254]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://100.100.100.200/',
    'http://168.63.129.16/',
    'http://metadata.google.internal/',
    'http://METADATA/',
    'http://0.0.0.0:8000/',
    'http://[::]:8000/',
  ])('%s is never called, plain http allowed or not', (url) => {
    expect(reason(url)).toMatch(/keeps its own credentials/)
    expect(reason(url, { plainHttp: true })).toMatch(/keeps its own credentials/)
  })

  it.each(['http://8.8.8.8/', 'http://[2001:4860:4860::8888]/', 'http://172.32.0.1/'])(
    '%s is called in the clear only by order',
    (url) => {
      expect(reason(url)).toMatch(/plain http.*`plainHttp: true`/)
      expect(reason(url, { plainHttp: true })).toBe('fine')
      expect(reason(url.replace('http:', 'https:'))).toBe('fine')
    },
  )

  it.each([
    'http://127.0.0.1:11434',
    'http://[::1]:1',
    'http://10.1.2.3',
    'http://192.168.1.9:8000',
    'http://gpu-box:8000',
  ])('%s is near enough, as far as it tells', (url) => {
    expect(reason(url)).toBe('fine')
  })
})

describe('what a name turns out to be', () => {
  const place = { routeName: 'route', protocol: 'http:', hostname: 'name', plainHttp: false }
  const looked = (protocol: string, ...addresses: string[]) =>
    new Promise<string>((resolve) => {
      const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      const lookup = ((_name: string, _options: object, done: (error: null, found: LookupAddress[]) => void) =>
        done(null, found)) as never
      guardedLookup({ ...place, protocol }, lookup)('name', { all: true }, (error, all) =>
        resolve(error === null ? all.map(({ address }) => address).join() : error.message),
      )
    })

  it('is looked at each time it is connected to', async () => {
    expect(await looked('http:', '127.0.0.1', '::1')).toBe('127.0.0.1,::1')
    expect(await looked('https:', '93.184.216.34')).toBe('93.184.216.34')
    expect(await looked('https:', '93.184.216.34', '169.254.169.254')).toMatch(/keeps its own credentials/)
    expect(await looked('http:', '10.0.0.1', '93.184.216.34')).toMatch(/plain http/)
    expect(await looked('https:', '::ffff:a9fe:a9fe')).toMatch(/keeps its own credentials/)
  })
})

describe('a redirect', () => {
  it('of a provider is followed nowhere', async () => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url!)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const to = await door({ providers: [{ type: 'openai', baseUrl: `http://127.0.0.1:${port}` }] })
    const reply = await to.post('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'x' }] })
    expect(errorOf(reply).code).toBe('provider_error')
    expect(new Set(asked)).toEqual(new Set(['/v1/chat/completions']))
  })
})
