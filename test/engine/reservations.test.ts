import { memoryAudit } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { door, errorOf } from '../support/door.js'
import { STORES, till } from '../support/money.js'

interface Entry {
  readonly event: string
  readonly subject?: string
  readonly pool?: string
  readonly reservation?: string
  readonly metadata?: Record<string, unknown>
}

describe.each(STORES)('what the log says of reservations, on $name', (store) => {
  it('is when they were taken, and what became of them', async () => {
    const clock = fakeClock()
    const counter = await till(store, { clock: clock.now, pools: { 'user:*': { tokens: 1_000 } } })
    onTestFinished(() => counter.close())
    const post = (path: string, body: Record<string, unknown>) => counter.call(body, { path })
    const reserved = async (tokens: number) => {
      const reply = await post('tokens/reserve', { tokens, ttl_seconds: 60 })
      return ((await reply.json()) as { reservation_id: string }).reservation_id
    }
    const [used, lost] = [await reserved(100), await reserved(200)]
    const report = { reservation_id: used, actual: 40 }
    for (const _ of ['once', 'again, since the answer got lost']) await (await post('tokens/report', report)).text()
    clock.advance(60_001)
    const next = await reserved(300)
    const { entries } = await counter.get<{ entries: Entry[] }>('/v1/audit?subject=alice')
    const about = (event: string, reservation: string, metadata: object) =>
      expect.objectContaining({ event, subject: 'alice', pool: 'user:alice', reservation, metadata })
    const kept = entries.map(({ event, reservation }) => `${event} ${reservation}`)
    expect(kept.sort()).toEqual(
      [
        `budget.reserved ${used}`,
        `budget.reserved ${lost}`,
        `budget.settled ${used}`,
        `budget.expired ${lost}`,
        `budget.reserved ${next}`,
      ].sort(),
    )
    expect(entries).toContainEqual(about('budget.reserved', used, { nano_usd: 0, tokens: 100, via: 'http' }))
    expect(entries).toContainEqual(
      about('budget.settled', used, { charged_nano_usd: 0, charged_tokens: 40, via: 'http' }),
    )
    expect(entries).toContainEqual(about('budget.expired', lost, { charged_nano_usd: 0, charged_tokens: 200 }))
  })
})

it('a reservation that cannot be recorded is none', async () => {
  const inner = memoryAudit()
  let isFull = false
  const stage: typeof inner.stage = (...asked) => {
    if (isFull) throw new Error('no space left on device')
    return inner.stage(...asked)
  }
  const to = await door({ audit: { mode: 'strict' }, storage: { audit: { ...inner, stage } } })
  await to.get('/v1/tokens/pools')
  isFull = true
  const reply = await to.post('/v1/tokens/reserve', { tokens: 10 })
  expect([reply.status, errorOf(reply).code]).toEqual([503, 'store_unavailable'])
  const pools = (await to.get('/v1/tokens/pools')).body as { reserved: number }[]
  expect(pools.map(({ reserved }) => reserved)).toEqual([0])
})
