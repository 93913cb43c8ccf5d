import { describe, expect, it, vi } from 'vitest'
import { createProber } from '../../../packages/core/src/routing/prober.js'
import { chat, deadUrl, door, upstream, whoAnswered } from '../../support/door.js'
import { until } from '../../support/money.js'

const healthOf = async (to: Awaited<ReturnType<typeof door>>) =>
  ((await to.get('/v1/health/providers', { as: 'admin' })).body as { status: string }[])[0]!.status

describe('the prober', () => {
  it('opens the circuit of a route that cannot be reached, before any call meets it', async () => {
    const to = await door({
      providers: [
        { type: 'openai', name: 'gone', baseUrl: await deadUrl(), priority: 1 },
        { type: 'demo', name: 'spare' },
      ],
      routing: { probeEveryMs: 5 },
    })
    await to.gateway.ready()
    await until(async () => (await healthOf(to)) === 'unhealthy')
    expect(await healthOf(to)).toBe('unhealthy')
    expect(to.events.filter(({ type }) => type === 'route.health')).toEqual([
      { type: 'route.health', route: 'gone', healthy: false },
    ])
    expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
  })

  it('lets a route have its trial as soon as it answers again, and leaves the verdict to the trial', async () => {
    const provider = await upstream({ fallback: { status: 503 } })
    const to = await door({
      providers: [
        { type: 'openai', name: 'main', baseUrl: provider.url, priority: 1 },
        { type: 'demo', name: 'spare' },
      ],
      routing: { probeEveryMs: 5 },
    })
    for (let call = 0; call < 3; call += 1) await chat(to, 'm')
    // Its list of models is fine all the time, its answers are not: each trial says so, and no call fails for it.
    await until(async () => {
      expect(whoAnswered(await chat(to, 'm'))).toBe('spare')
      return provider.requests.length > 3
    })
    provider.script({ times: 1_000 })
    await until(async () => whoAnswered(await chat(to, 'm')) === 'main')
    expect(await healthOf(to)).toBe('healthy')
  })

  it('is off unless it is asked for', async () => {
    const to = await door({ providers: [{ type: 'openai', name: 'gone', baseUrl: await deadUrl() }] })
    await to.gateway.ready()
    await chat(to, 'm')
    expect(to.events.filter(({ type }) => type === 'route.health')).toEqual([])
  })

  it('asks the routes there are now, each once at a time, and not those that are off', async () => {
    const asked: string[] = []
    let release = () => {}
    const slow = new Promise<string[]>((resolve) => {
      release = () => resolve([])
    })
    const route = (name: string, enabled: boolean, answer: Promise<string[]>) =>
      ({
        name,
        enabled,
        circuit: { openUntil: 0 },
        provider: {
          models: () => {
            asked.push(name)
            return answer
          },
        },
      }) as never
    const prober = createProber({ clock: Date.now, opened: vi.fn() })
    const first = prober.round([route('off', false, slow)])
    const one = route('one', true, slow)
    const second = prober.round([one])
    await prober.round([])
    const third = prober.round([one, route('two', true, Promise.resolve([]))])
    release()
    await Promise.all([first, second, third])
    expect(asked).toEqual(['one', 'two'])
  })
})
