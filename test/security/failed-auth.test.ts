import { createGateway, HooshError } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Door, door, errorOf, request, type Sending } from '../support/door.js'
import { serve } from '../support/mounts.js'

const MINUTE_MS = 60_000

describe('failed authentication', () => {
  const nobody: Sending = { as: 'nobody', headers: { authorization: 'Bearer wrong' } }
  const attempts = async (to: Door, times: number, sending = nobody) => {
    const replies = []
    for (let done = 0; done < times; done += 1) replies.push(await to.get('/v1/models', sending))
    return replies.map(({ status }) => status)
  }

  it('is 429 beyond so many a minute of one address; who has a right credential passes all the same', async () => {
    const to = await door({ limits: { failedAuthPerMinute: 3 } })
    expect(await attempts(to, 5)).toEqual([401, 401, 401, 429, 429])
    const reply = await to.get('/v1/models', nobody)
    expect([errorOf(reply).code, reply.headers.get('retry-after')]).toEqual(['rate_limit_exceeded', '60'])
    expect((await to.get('/v1/models')).status).toBe(200)
    to.clock.advance(MINUTE_MS)
    expect(await attempts(to, 1)).toEqual([401])
  })

  it.each<Record<string, string>>([
    { via: '1.1 x' },
    { 'x-forwarded-for': '203.0.113.7' },
    { forwarded: 'for=203.0.113.7' },
    { 'x-real-ip': '203.0.113.7' },
  ])('is not talked out of by a header that any client can send: %j', async (headers) => {
    const to = await door({ limits: { failedAuthPerMinute: 2 } })
    expect(await attempts(to, 3, { as: 'nobody', headers })).toEqual([401, 401, 429])
    expect((await to.get('/v1/models', { headers })).status).toBe(200)
  })

  it.each<[string, (nr: number) => Record<string, string>, boolean, number[]]>([
    ['each client by itself', (nr) => ({ 'x-forwarded-for': `203.0.113.${nr}` }), true, [401, 401, 401]],
    ['one client as one', (nr) => ({ 'x-forwarded-for': `198.51.100.${nr}, 203.0.113.7` }), true, [401, 401, 429]],
    ['what is no address as the proxy', (nr) => ({ 'x-forwarded-for': `unknown-${nr}` }), true, [401, 401, 429]],
    ['everybody as one', (nr) => ({ 'x-forwarded-for': `203.0.113.${nr}` }), false, [401, 401, 429]],
  ])('counts %s behind a proxy, trusted or not', async (_what, headersOf, isTrusted, told) => {
    const gateway = createGateway({ limits: { failedAuthPerMinute: 2 }, logger: false })
    const app = express().set('trust proxy', isTrusted && 1)
    const { url, close } = await serve(app.use(hoosh(gateway, { identify: () => null })), [gateway])
    onTestFinished(close)
    const statuses = []
    for (let nr = 1; nr <= 3; nr += 1)
      statuses.push((await request(`${url}/v1/models`, 'GET', { as: 'nobody', headers: headersOf(nr) })).status)
    expect(statuses).toEqual(told)
  })

  it('counts those who come by a socket without an address as one', async () => {
    const gateway = createGateway({ limits: { failedAuthPerMinute: 2 }, logger: false })
    const inner = toNodeHandler(gateway, { identify: () => null })
    const { url, close } = await serve(
      (req, res) => {
        Object.defineProperty(req.socket, 'remoteAddress', { value: undefined })
        inner(req, res)
      },
      [gateway],
    )
    onTestFinished(close)
    const statuses = []
    for (let nr = 1; nr <= 3; nr += 1) statuses.push((await request(`${url}/v1/models`, 'GET')).status)
    expect(statuses).toEqual([401, 401, 429])
  })

  it.each(['/v1/health', '/'])(
    'counts at %s too, which says to a wrong credential what it says to anyone',
    async (path) => {
      const to = await door({ limits: { failedAuthPerMinute: 2 }, rootRoutes: true })
      const plain = await to.get(path, { as: 'nobody' })
      for (let sent = 1; sent <= 4; sent += 1) {
        const reply = await to.get(path, nobody)
        expect([reply.status, reply.text]).toEqual([200, plain.text])
      }
      expect(await attempts(to, 1)).toEqual([429])
      const { entries } = (await to.get('/v1/audit', { as: 'admin' })).body as { entries: { event: string }[] }
      expect(entries.map(({ event }) => event)).toContain('auth.failed')
      expect((await to.get('/v1/metrics', { as: 'admin' })).text).toContain(
        'hoosh_refusals_total{code="unauthenticated"} 5',
      )
    },
  )

  it('does not count a probe, which has no credential to be wrong', async () => {
    const to = await door({ limits: { failedAuthPerMinute: 1 } })
    for (let sent = 1; sent <= 3; sent += 1) await to.get('/v1/health', { as: 'nobody' })
    expect(await attempts(to, 1)).toEqual([401])
  })

  it('names no address, which may be that of a proxy', async () => {
    const to = await door({ limits: { failedAuthPerMinute: 1 } })
    await attempts(to, 1)
    expect((await to.get('/v1/models', nobody)).text).not.toContain('127.0.0.1')
  })

  it('is counted and told of as well where `identify` itself says 401', async () => {
    const to = await door(
      { pools: { '*': {} }, limits: { failedAuthPerMinute: 2 } },
      {
        identify: (request) => {
          if ((request as { headers: Record<string, string> }).headers.authorization === 'Bearer wrong')
            throw new HooshError('unauthenticated', { message: 'Your session is over.' })
          return { user: 'root', roles: ['admin'] }
        },
      },
    )
    expect(await attempts(to, 3)).toEqual([401, 401, 429])
    const { entries } = (await to.get('/v1/audit')).body as { entries: { event: string }[] }
    expect(entries.map(({ event }) => event)).toContain('auth.failed')
    expect((await to.get('/v1/metrics')).text).toContain('hoosh_refusals_total{code="unauthenticated"} 3')
  })
})
