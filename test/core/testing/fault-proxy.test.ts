import { type FaultProxy, fakeClock, faultProxy, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let upstream: ScriptedProvider
let proxy: FaultProxy
beforeAll(async () => {
  upstream = await scriptedProvider()
  proxy = await faultProxy(upstream.url)
})
afterAll(async () => {
  await proxy.close()
  await upstream.close()
})

const ask = () =>
  fetch(`${proxy.url}/chat/completions`, {
    method: 'POST',
    body: '{"model":"m","messages":[]}',
    headers: { connection: 'close' },
  })

describe('the fault proxy', () => {
  it('passes everything on while the line is good', async () => {
    proxy.set({})
    expect((await ask()).status).toBe(200)
    expect(proxy.connections).toBe(1)
  })

  it('takes as long as the line does', async () => {
    proxy.set({ latencyMs: 30 })
    const began = performance.now()
    await (await ask()).text()
    expect(performance.now() - began).toBeGreaterThan(55)
    proxy.set({ bytesPerSecond: 10_000 })
    const again = performance.now()
    await (await ask()).text()
    expect(performance.now() - again).toBeGreaterThan(40)
  })

  it('cuts after the bytes it was told', async () => {
    proxy.set({ cutAfterBytes: 100 })
    await expect(ask().then((answer) => answer.text())).rejects.toThrow()
  })

  it('refuses, resets, and leaves both ends waiting', async () => {
    proxy.set({ refuses: true })
    await expect(ask()).rejects.toThrow()
    proxy.set({ halfOpen: true })
    const before = proxy.connections
    const answer = ask()
    while (proxy.connections === before) await new Promise(setImmediate)
    proxy.resetAll()
    await expect(answer).rejects.toThrow()
    proxy.set({})
    expect((await ask()).status).toBe(200)
  })
})

describe('the fake clock', () => {
  it('moves only when it is told to', () => {
    const clock = fakeClock()
    expect(new Date(clock.now()).toISOString()).toBe('2026-01-01T00:00:00.000Z')
    clock.advance(1_500)
    expect(clock.now()).toBe(Date.parse('2026-01-01T00:00:01.500Z'))
    clock.set('2026-03-29T01:00:00Z')
    clock.advance(-1)
    expect(new Date(clock.now()).toISOString()).toBe('2026-03-29T00:59:59.999Z')
    expect(fakeClock(5).now()).toBe(5)
  })
})
