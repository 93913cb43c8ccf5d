import { memoryRates } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ALL_STORES, ask, type StoreKind, till } from '../support/money.js'

/** Two processes on one storage; sweeps are far away. */
async function pair(kind: StoreKind) {
  const options = { pools: { 'user:*': { tokens: 1_000_000 } }, prices: {}, budget: { sweepMs: 3_600_000 } }
  const rates = memoryRates()
  const here = await till(kind, { ...options, storage: (opened) => ({ rates, ...opened }) })
  const { close: _close, ...shared } = { rates, ...here.vault.storage }
  const there = await till(kind, { ...options, storage: () => shared })
  onTestFinished(async () => {
    await there.close()
    await here.close()
  })
  const admin = there.gateway.as({ user: 'root', roles: ['admin'] })
  const send = (method: string, terms?: object) =>
    admin.fetch('http://hoosh/v1/tokens/pools/user:alice', {
      method,
      headers: { 'content-type': 'application/json' },
      ...(terms !== undefined && { body: JSON.stringify(terms) }),
    })
  const statusOf = async (counter = here, model = 'gpt-4o') => {
    const reply = await counter.call(ask({ model }))
    await reply.text()
    return reply.status
  }
  expect(await statusOf()).toBe(200)
  return { here, there, send, statusOf }
}

describe.each(ALL_STORES)('terms that another process has set, on $name', (kind) => {
  it('are obeyed by the second call at the latest: limits', async () => {
    const { there, send, statusOf } = await pair(kind)
    expect((await send('PUT', { tokens: 1_000_000, limits: { requestsPerMinute: 1 } })).status).toBe(200)
    expect(await statusOf(there)).toBe(200)
    await statusOf()
    expect(await statusOf()).toBe(429)
  })

  it('are obeyed by the second call at the latest, and so is their end: what has no price', async () => {
    const { send, statusOf } = await pair(kind)
    await send('PUT', { tokens: 1_000_000, usd: 5 })
    await statusOf(undefined, 'nobody-knows')
    expect(await statusOf(undefined, 'nobody-knows')).toBe(400)
    await send('DELETE')
    await statusOf()
    expect(await statusOf(undefined, 'nobody-knows')).toBe(200)
  })
})
