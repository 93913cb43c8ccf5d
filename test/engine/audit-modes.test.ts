import { type AuditStore, memoryAudit } from '@hoosh/core/storage'
import { describe, expect, it, vi } from 'vitest'
import { deferred } from '../support/deferred.js'
import { chat, type Door, door, errorOf, upstream } from '../support/door.js'

/** A gateway whose audit store does what the test says. */
async function opened(mode: 'strict' | 'buffered', changes: (inner: AuditStore) => Partial<AuditStore>) {
  const inner = memoryAudit()
  const provider = await upstream()
  const to = await door({
    providers: [{ type: 'openai', baseUrl: provider.url, apiKey: 'k', models: ['*'] }],
    prices: { '*': { input: '1', output: '1' } },
    audit: { mode },
    storage: { audit: { ...inner, ...changes(inner) } },
  })
  return { to, provider, inner }
}

const events = async (to: Door) => {
  const { body } = await to.get('/v1/audit?limit=1000', { as: 'admin' })
  return (body as { entries: { event: string }[] }).entries.map(({ event }) => event)
}

describe('an audit store that is full', () => {
  it('in `strict` refuses each paid call before the provider hears of it, and holds nothing for it', async () => {
    let isFull = false
    const { to, provider } = await opened('strict', (inner) => ({
      stage: (...asked) => {
        if (isFull) throw new Error('no space left on device')
        return inner.stage(...asked)
      },
    }))
    await chat(to, 'm')
    isFull = true
    const replies = await Promise.all(Array.from({ length: 10 }, () => chat(to, 'm')))
    expect(replies.map((reply) => [reply.status, errorOf(reply).code])).toEqual(
      replies.map(() => [503, 'store_unavailable']),
    )
    expect(provider.bill.attempts).toBe(1)
    const pools = (await to.get('/v1/tokens/pools')).body as { reserved: number }[]
    expect(pools.map(({ reserved }) => reserved)).toEqual([0])
    isFull = false
    expect((await chat(to, 'm')).status).toBe(200)
    expect((await events(to)).filter((event) => event === 'inference.response')).toHaveLength(2)
  })

  it('in `buffered` lets calls go on, and has every one of them when it can write again', async () => {
    let isFull = false
    const { to, provider } = await opened('buffered', (inner) => ({
      link: (...asked) => {
        if (isFull) throw new Error('no space left on device')
        return inner.link(...asked)
      },
    }))
    await chat(to, 'm')
    isFull = true
    const replies = await Promise.all(Array.from({ length: 10 }, () => chat(to, 'm')))
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200))
    expect(provider.bill.attempts).toBe(11)
    isFull = false
    await vi.waitFor(
      async () => expect((await events(to)).filter((event) => event === 'inference.response')).toHaveLength(11),
      { timeout: 10_000 },
    )
  })
})

describe('an audit store that is slow', () => {
  it('in `strict` keeps a call waiting, and the provider hears of it only when its intent is stored', async () => {
    const gate = deferred()
    let isSlow = false
    const { to, provider } = await opened('strict', (inner) => ({
      stage: async (...asked) => {
        if (isSlow) await gate.promise
        return inner.stage(...asked)
      },
    }))
    await chat(to, 'm')
    isSlow = true
    const waiting = chat(to, 'm')
    await to.get('/v1/health/live')
    expect(provider.bill.attempts).toBe(1)
    gate.resolve()
    expect((await waiting).status).toBe(200)
    expect(provider.bill.attempts).toBe(2)
  })
})
