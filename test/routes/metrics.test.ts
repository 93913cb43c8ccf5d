import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../packages/core/src/routes/all.js'
import { chat, door, errorOf, upstream } from '../support/door.js'

const admin = { as: 'admin' } as const
const scraper = { as: 'nobody', headers: { authorization: 'Bearer scrape-me-1234' } } as const
const scraped = () => door({ metrics: { token: 'scrape-me-1234' }, rootRoutes: true })

describe('GET /v1/metrics', () => {
  it("is Prometheus' text, for admins", async () => {
    const provider = await upstream()
    const to = await door({ providers: [{ type: 'openai', baseUrl: provider.url }] })
    await chat(to, 'm')
    await chat(to, 'm', { stream: true })
    provider.script({ status: 503 })
    await chat(to, 'm')
    await to.get('/v1/models', { as: 'nobody' })
    const reply = await to.get('/v1/metrics', admin)
    expect(reply.status).toBe(200)
    expect(reply.headers.get('content-type')).toMatch(/^text\/plain; (version=0\.0\.4; )?charset=utf-8/)
    for (const line of [
      'hoosh_requests_total{provider="openai",model="m",status="success"} 2',
      'hoosh_requests_total{provider="openai",model="m",status="error"} 1',
      `hoosh_tokens_total{provider="openai",type="completion"} ${provider.bill.completionTokens}`,
      'hoosh_attempt_failures_total{provider="openai",model="m",code="provider_error"} 1',
      'hoosh_refusals_total{code="unauthenticated"} 1',
      'hoosh_open_streams 0',
      'hoosh_providers_configured 1',
    ])
      expect(reply.text.split('\n')).toContain(line)
    expect(reply.text).not.toMatch(/alice|user:/)
  })

  it('is for nobody else: 401, and 403 for a user', async () => {
    const to = await scraped()
    const [nobody, user] = [await to.get('/v1/metrics', { as: 'nobody' }), await to.get('/v1/metrics')]
    expect([nobody.status, errorOf(nobody).code]).toEqual([401, 'unauthenticated'])
    expect([user.status, errorOf(user).code]).toEqual([403, 'forbidden'])
  })

  it.each(['/v1/metrics', '/metrics'])('is for the bearer of the scrape token on %s', async (path) => {
    const reply = await (await scraped()).get(path, scraper)
    expect([reply.status, reply.text.includes('hoosh_providers_configured 1')]).toEqual([200, true])
  })

  it.each(ROUTES.filter(({ access }) => access === 'identity' || access === 'admin'))(
    'that token opens nothing else: $method $path',
    async ({ method, path }) => {
      const to = await scraped()
      const reply = await to.send(method, path.replace(/[:*]\w+/, 'x'), {
        ...scraper,
        ...(method === 'POST' || method === 'PUT' ? { body: '{}' } : {}),
      })
      expect(reply.status).toBe(401)
    },
  )

  it.each(['Bearer scrape-me-123', 'Bearer scrape-me-12345', 'scrape-me-1234', 'Basic scrape-me-1234', 'Bearer '])(
    'another token is none: %s',
    async (authorization) => {
      expect((await (await scraped()).get('/v1/metrics', { as: 'nobody', headers: { authorization } })).status).toBe(
        401,
      )
    },
  )

  it("stands on the host's own registry", async () => {
    const registry = new Registry()
    const to = await door({ metrics: { registry } })
    await chat(to, 'demo')
    expect(await registry.metrics()).toContain('hoosh_requests_total{provider="demo"')
    expect((await to.get('/v1/metrics', admin)).text).toBe(await registry.metrics())
  })
})
