import type { Storage } from '@hoosh/core'
import { HooshError } from '@hoosh/core'
import { memoryBudgets } from '@hoosh/core/storage'
import { gate } from '@hoosh/core/testing'
import { describe, expect, it, vi } from 'vitest'
import { chat, type Door, door, errorOf, upstream } from '../support/door.js'

const nobody = { as: 'nobody' } as const
const admin = { as: 'admin' } as const

/** Two routes of one provider; `break` opens their circuits. */
const two = async () => {
  const provider = await upstream()
  const to = await door({
    providers: [
      { type: 'openai', name: 'one', baseUrl: provider.url, apiKey: 'sk-hidden-1234', models: ['a'] },
      { type: 'vllm', baseUrl: `${provider.url}`, models: ['b'] },
      { type: 'demo', name: 'off', enabled: false },
    ],
  })
  const fail = async (model: string) => {
    provider.script({ status: 503, times: 3 })
    for (let call = 0; call < 3; call += 1) await chat(to, model)
  }
  return { to, provider, fail }
}

describe('GET /v1/health', () => {
  it('tells anyone that it answers, and whoever is known what it is', async () => {
    const { to } = await two()
    expect((await to.get('/v1/health', nobody)).body).toEqual({ status: 'ok' })
    expect((await to.get('/v1/health')).body).toEqual({
      status: 'ok',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      providers_configured: 3,
    })
  })

  it('answers even where the login is down', async () => {
    const to = await door(
      {},
      {
        identify: () => {
          throw new TypeError('no login today')
        },
      },
    )
    expect((await to.get('/v1/health')).body).toEqual({ status: 'ok' })
  })
})

describe('GET /v1/health/live and /ready', () => {
  it('are ok for anyone', async () => {
    const { to } = await two()
    for (const path of ['live', 'ready']) {
      const reply = await to.get(`/v1/health/${path}`, nobody)
      expect([reply.status, reply.body]).toEqual([200, { status: 'ok' }])
      expect(reply.headers.get('cache-control')).toBe('no-store')
    }
  })

  it('ready is 503 once every enabled provider is failing, and 200 again after the cool-down', async () => {
    const { to, fail } = await two()
    await fail('a')
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(200)
    await fail('b')
    const reply = await to.get('/v1/health/ready', nobody)
    expect([reply.status, reply.body]).toEqual([503, { status: 'unavailable' }])
    expect((await to.get('/v1/health/live', nobody)).status).toBe(200)
    to.clock.advance(30_000)
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(200)
  })

  it('ready is 503 while the storage does not answer', async () => {
    let isDown = false
    const memory = memoryBudgets({ clock: Date.now })
    const budgets: Storage['budgets'] = {
      ...memory,
      overrides: () => {
        if (isDown) throw new HooshError('store_unavailable')
        return memory.overrides()
      },
    }
    const to = await door({ storage: { budgets } })
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(200)
    isDown = true
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(503)
    isDown = false
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(200)
  })

  it('ready is 503 while the storage says nothing at all, within a second', async () => {
    const memory = memoryBudgets({ clock: Date.now })
    let isDown = false
    const budgets: Storage['budgets'] = {
      ...memory,
      overrides: () => (isDown ? new Promise(() => {}) : memory.overrides()),
    }
    const to = await door({ storage: { budgets } })
    await to.gateway.ready()
    isDown = true
    expect((await to.get('/v1/health/ready', nobody)).status).toBe(503)
    isDown = false
  })

  it('is 503 in a gateway that cannot start; what is to be mended is in the log, and told to no caller', async () => {
    const to = await door({ providers: [{ type: 'openai', apiKey: '$HOOSH_TEST_NEVER_SET' }] })
    const reply = await to.get('/v1/health/ready', nobody)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([503, 'not_ready', null])
    expect(reply.text).not.toContain('HOOSH_TEST_NEVER_SET')
    expect(to.logged).toMatchObject([
      {
        level: 'error',
        message: expect.stringContaining('HOOSH_TEST_NEVER_SET'),
        details: { code: 'invalid_options' },
      },
    ])
  })
})

describe('while there is no engine', () => {
  const told = async (to: Door) => {
    const replies = []
    for (const path of ['/v1/health', '/v1/health/live', '/', '/v1/health/ready']) replies.push(await to.get(path))
    return replies.map(({ status, body }) => [status, (body as { status?: string }).status])
  }
  const ALIVE = [200, 'ok']

  it('because its storage cannot be opened, the process is alive and not ready', async () => {
    const to = await door({ storage: { open: () => Promise.reject(new Error('away')) }, rootRoutes: true })
    expect(await told(to)).toEqual([ALIVE, ALIVE, ALIVE, [503, undefined]])
  })

  it('because its storage says nothing when it is opened, the process is alive and not ready, within a second', async () => {
    const opened = gate()
    const to = await door({ storage: { open: () => opened.wait() }, rootRoutes: true })
    expect(await told(to)).toEqual([ALIVE, ALIVE, ALIVE, [503, 'unavailable']])
    opened.open()
    await to.gateway.ready()
    expect((await to.get('/v1/health/ready')).status).toBe(200)
  })

  it('what keeps the gateway from starting is in the log, though nobody asks but for its health', async () => {
    const to = await door({ storage: { open: () => Promise.reject(new Error('the database is away')) } })
    expect((await to.get('/v1/health', nobody)).body).toEqual({ status: 'ok' })
    expect(to.logged.map(({ level, details }) => [level, String(details.err)])).toEqual([
      ['error', 'Error: the database is away'],
    ])
  })

  it('live does not even wait for the start', async () => {
    const open = vi.fn(async () => {})
    const to = await door({ storage: { open } })
    expect((await to.get('/v1/health/live', nobody)).status).toBe(200)
    expect(open).not.toHaveBeenCalled()
  })

  it('because it closes, the process is alive and not ready, and that is no error in the log', async () => {
    const to = await door({ rootRoutes: true })
    await to.gateway.ready()
    await to.gateway.close()
    for (const path of ['/v1/health', '/v1/health/live', '/']) expect((await to.get(path)).status).toBe(200)
    expect(to.logged.filter(({ level }) => level === 'error')).toEqual([])
    const reply = await to.get('/v1/health/ready')
    expect([reply.status, errorOf(reply).code]).toEqual([503, 'shutting_down'])
  })
})

describe('GET /v1/health/providers', () => {
  const rows = async (to: Door) => (await to.get('/v1/health/providers', admin)).body

  it('is a bare array in the order of the configuration', async () => {
    const { to, provider } = await two()
    expect(await rows(to)).toEqual([
      {
        provider: 'openai',
        name: 'one',
        base_url: provider.url,
        enabled: true,
        status: 'healthy',
        healthy: true,
        consecutive_failures: 0,
        latency_ms: null,
      },
      {
        provider: 'vllm',
        name: 'vllm',
        base_url: provider.url,
        enabled: true,
        status: 'healthy',
        healthy: true,
        consecutive_failures: 0,
        latency_ms: null,
      },
      {
        provider: 'demo',
        name: 'off',
        base_url: '',
        enabled: false,
        status: 'disabled',
        healthy: false,
        consecutive_failures: 0,
        latency_ms: null,
      },
    ])
  })

  it('says what calls have taught: failures in fixed words, latency in whole ms', async () => {
    const { to, fail } = await two()
    await fail('a')
    await chat(to, 'b')
    expect(await rows(to)).toMatchObject([
      { status: 'unhealthy', consecutive_failures: 3, last_error: expect.any(String) },
      { status: 'healthy', consecutive_failures: 0, latency_ms: 0 },
      { status: 'disabled' },
    ])
    expect(JSON.stringify(await rows(to))).not.toContain('sk-hidden')
  })

  it('shows no secret that stands in the query of an address', async () => {
    const { url } = await upstream()
    const to = await door({ providers: [{ type: 'openai', baseUrl: `${url}?api-key=hidden-in-query` }] })
    expect(JSON.stringify(await rows(to))).not.toContain('hidden-in-query')
  })
})

describe('GET /v1/health/heartbeat', () => {
  it('tells which nodes answer, which falter and which are left alone', async () => {
    const { to, provider, fail } = await two()
    const beats = async () => (await to.get('/v1/health/heartbeat', admin)).body as Record<string, unknown>
    expect(await beats()).toEqual({
      total_nodes: 2,
      online: 2,
      suspect: 0,
      offline: 0,
      total_gpus: 0,
      total_vram_mb: 0,
      available_vram_mb: 0,
      nodes: [
        { id: `openai:${provider.url}`, name: 'one', status: 'online' },
        { id: `vllm:${provider.url}`, name: 'vllm', status: 'online' },
      ],
    })
    await fail('a')
    provider.script({ status: 503 })
    await chat(to, 'b')
    expect(await beats()).toMatchObject({ online: 0, suspect: 1, offline: 1 })
  })
})
